"""How far an index of few rows moves by chance alone.

Here: drawing two samples of one distribution again and again. Not here: the index (`psi.py`) and what is made of this
(`comparing.py`). Ten rows against ten have a "major" index more often than not, and a gate that is always yellow is one
that nobody reads.
"""

from __future__ import annotations

from lakehouse.drift.psi import EPSILON, Psi

ENOUGH = 500
"""Rows on both sides from which on an index speaks for itself."""
DRAWS, BEYOND = 2_000, 2
"""Draws, and how many of them lie beyond the bound: one in a thousand."""


def enough(psi: Psi) -> bool:
    """Say whether both samples have rows enough for a verdict that stops a night."""
    return min(psi.reference_rows, psi.current_rows) >= ENOUGH


def chance(psi: Psi) -> float:
    """Give the index that two samples of these sizes, drawn from both together, stay below 999 times in 1000.

    0 where the rows are enough, where nothing was compared, and where the verdict is stable anyway: nobody asks then.
    The draws are seeded, so the same samples give the same bound.
    """
    if psi.verdict not in ("minor", "major") or enough(psi):
        return 0.0
    import numpy as np

    rows = psi.reference_rows + psi.current_rows
    shares = np.array([bucket.reference + bucket.current for bucket in psi.telling]) / rows
    draw = np.random.default_rng(0)
    p, q = (
        np.maximum(draw.multinomial(count, shares, DRAWS) / count, EPSILON)
        for count in (psi.reference_rows, psi.current_rows)
    )
    found = np.sort(((q - p) * np.log(q / p)).sum(axis=1))
    return round(float(found[-1 - BEYOND]), 6)
