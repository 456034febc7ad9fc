"""The rows that met the conditions of late searches.

Here: keeping them, within a bound. Not here: which rows meet a condition (`columns.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lakehouse.search.filters import Condition

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lakehouse.search.views import Vector

_BYTES: Final = 64 << 20
"""What is kept of one version of a corpus: the vectors of eight filters that leave 5,000 rows, or 600 masks of 100,000."""


@dataclass(frozen=True, slots=True)
class Passing:
    """The rows that meet conditions: `mask` (n,), their `places`, and their `vectors` where they are few enough to be kept."""

    mask: NDArray[np.bool_]
    places: NDArray[np.int64]
    vectors: Vector | None

    @property
    def size(self) -> int:
        """The bytes that it takes."""
        return self.mask.nbytes + self.places.nbytes + (0 if self.vectors is None else self.vectors.nbytes)


class Late:
    """What conditions let through, kept until others of later need the room. Thread-safe."""

    def __init__(self, room: int = _BYTES) -> None:
        self._room = room
        self._kept: dict[tuple[Condition, ...], Passing] = {}
        self._size = 0
        self._changing = threading.Lock()

    def get(self, where: tuple[Condition, ...], make: Callable[[tuple[Condition, ...]], Passing]) -> Passing:
        """Give the rows that meet conditions, made where they are not kept."""
        with self._changing:
            found = self._kept.pop(where, None)
            if found is not None:
                # A dict keeps the order of insertion: what was asked for last goes last.
                self._kept[where] = found
                return found
        made = make(where)
        with self._changing:
            if where not in self._kept:
                self._kept[where] = made
                self._size += made.size
            while self._size > self._room:
                self._size -= self._kept.pop(next(iter(self._kept))).size
        return made
