"""The acceptance gate: 22 invariants that hold on a small fixture lake, and on a copy of any other.

`fixture.py` finds the fixture and what it says must become of each line; `night.py` runs the chain without Dagster;
`copies.py` makes the distilled copies, `comparing.py` compares them; `raw.py`, `rows.py`, `wording.py` and `planted.py`
work out by themselves what the chain did. The `invariants_*.py` hold one function each, listed in `registry.py`;
`runner.py` puts them together, `report.py` writes what they found. Only copies in a temporary folder are worked on.
"""
