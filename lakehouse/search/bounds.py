"""Which rows can lie within a distance at all, from a few numbers each.

Here: the bound. Not here: the true distances of what it lets through (`snapshot.py`).

Rows and query are split into their part in a space of few dimensions and the rest. Their product is at most the product of the
parts plus the product of the rests' lengths (Cauchy-Schwarz), whatever the space, so no row is ever missed; the better the
space fits the rows, the fewer are let through for nothing. It is that of their largest principal components, uncentred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lakehouse.search.views import Vector

DIMENSIONS: Final = 48
_SAMPLE: Final = 2_000
_SEED: Final = 1
_BLOCK: Final = 8192
_ERROR: Final = 1e-5
"""More than float32 loses in these sums."""


class Bounds:
    """The parts of unit-norm rows (n, dimension); the dimension is more than 48."""

    def __init__(self, vectors: Vector) -> None:
        import numpy as np

        chance = np.random.default_rng(_SEED)
        sample = vectors[np.sort(chance.choice(len(vectors), min(_SAMPLE, len(vectors)), replace=False))]
        _, axes = np.linalg.eigh((sample.T @ sample).astype(np.float64))
        self._axes: Vector = np.ascontiguousarray(axes[:, -DIMENSIONS:], dtype=np.float32)
        # By column, for a product with one query is then twice as fast.
        self._parts: Vector = np.empty((len(vectors), DIMENSIONS + 1), dtype=np.float32, order="F")
        for start in range(0, len(vectors), _BLOCK):
            self._parts[start : start + _BLOCK] = self._split(vectors[start : start + _BLOCK])

    def within(self, vector: Vector, distance: float) -> NDArray[np.int64]:
        """Give the places, in order, of all rows that can lie within a cosine distance, and of some others."""
        import numpy as np

        part = vector @ self._axes
        rest = vector - self._axes @ part
        query = np.append(part, np.sqrt(rest @ rest))
        return np.flatnonzero(self._parts @ query >= 1 - distance - _ERROR)

    def _split(self, vectors: Vector) -> Vector:
        import numpy as np

        part = vectors @ self._axes
        # Not from 1 - |part|²: the root would turn an error of 1e-7 into one of 3e-4.
        rest = np.linalg.norm(vectors - part @ self._axes.T, axis=1, keepdims=True)
        return np.hstack([part, rest])
