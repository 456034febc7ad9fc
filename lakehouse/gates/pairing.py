"""Evidence and what stands on it, side by side: which line belongs to which, though one is missing or stands twice.

Here: going through two files in step, and finding the way back into it. Not here: what a pair must be like (`daily.py`,
`scorers.py`, `lakehouse.drift.rescoring`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

FURTHEST = 1_000
"""Lines of each file that are looked at ahead: as many may be missing, or too many, in one place."""
One = TypeVar("One")
Other = TypeVar("Other")


class Pair(NamedTuple, Generic[One, Other]):
    """Two records with their lines (from 1); `None` is a line that lacks there, and the line where it should stand."""

    line: int
    one: One | None
    other_line: int
    other: Other | None


class _Side:
    """One of both files: what was looked at ahead, and the place that each of its records names."""

    def __init__(self, records: Iterator[Any], place: Callable[[Any], Hashable]) -> None:
        self.records, self.ahead = records, deque[Any]()
        self.place = place
        self.line = 1

    def at(self, step: int) -> Hashable:
        """Name the place of the record that is `step` ahead; `None` at the end and for one that cannot be read."""
        while len(self.ahead) <= step:
            found = next(self.records, None)
            if found is None:
                return None
            self.ahead.append(found)
        return None if isinstance(self.ahead[step], Exception) else self.place(self.ahead[step])

    def ended(self, step: int) -> bool:
        """Say whether there are no more than `step` records left."""
        return self.at(step) is None and len(self.ahead) <= step


def paired(
    ones: Iterator[One],
    others: Iterator[Other],
    place: Callable[[Any], Hashable],
    other_place: Callable[[Any], Hashable],
) -> Iterator[Pair[One, Other]]:
    """Go through two files in the same order and pair the records that name one place.

    Where two do not, both are looked at ahead to where they agree again; what lies between is paired in order as far as
    it goes, and the rest has no counterpart. An `Exception` stands for a line that cannot be read and pairs with anything.
    Memory: `FURTHEST` records of each.
    """
    left, right = _Side(ones, place), _Side(others, other_place)
    while True:
        one = left.ahead.popleft() if left.ahead else next(ones, None)
        other = right.ahead.popleft() if right.ahead else next(others, None)
        if one is None and other is None:
            return
        readable = not isinstance(one, Exception) and not isinstance(other, Exception)
        if one is not None and other is not None and readable and place(one) == other_place(other):
            yield Pair(left.line, one, right.line, other)
            left.line, right.line = left.line + 1, right.line + 1
            continue
        if one is not None:
            left.ahead.appendleft(one)
        if other is not None:
            right.ahead.appendleft(other)
        of_one, of_other = _agree_again(left, right)
        for step in range(max(of_one, of_other)):
            one = left.ahead.popleft() if step < of_one else None
            other = right.ahead.popleft() if step < of_other else None
            yield Pair(left.line, one, right.line, other)
            left.line, right.line = left.line + (step < of_one), right.line + (step < of_other)


def _agree_again(left: _Side, right: _Side) -> tuple[int, int]:
    """Say how many records of each lie before the next that agree: the nearest two that the next ones bear out.

    Two lines that changed places agree with each other's neighbours at once, and nothing after that does: so one step
    more is looked at before the nearest is taken.
    """
    lefts: dict[Hashable, int] = {}
    rights: dict[Hashable, int] = {}
    nearest: tuple[int, int] | None = None
    for step in range(FURTHEST):
        if step and left.ended(step) and right.ended(step):
            whole = len(left.ahead), len(right.ahead)
            return whole if whole[0] == whole[1] else nearest or whole
        one, other = left.at(step), right.at(step)
        if one is not None:
            lefts.setdefault(one, step)
        if other is not None:
            rights.setdefault(other, step)
        found = [(step, rights[one])] if one is not None and one in rights else []
        found += [(lefts[other], step)] if other is not None and other in lefts else []
        for n, m in found:
            if left.at(n + 1) == right.at(m + 1):
                return n, m
        if nearest is not None:
            return nearest
        nearest = found[0] if found else None
    return nearest or (len(left.ahead), len(right.ahead))
