"""Gates: functions from data to a verdict, and the verdict files that publishing reads.

`verdicts.py` reads and writes the files and says whether a day may be published, `waivers.py` keeps a person's word on a red
one. `registry.py` lists the gates on days (`daily.py`, `contracts.py`, `quarantine_rate.py`, `scorers.py`,
`distribution.py`), `code_gates.py` those on the code (`acceptance.py`, `parity.py`); those on exports
(`contamination.py`, `holdout.py`, `splits.py` with `residual.py`, `verdict_balance.py`, `rag.py`, `preference.py`,
`contracts.py` with `loading.py`) are listed in `lakehouse.publish.gating`, and ask `secrets.py` first. A gate lives here; the
asset check only shows it.
"""
