"""A column of texts that stays in Arrow until one of them is asked for.

Here: `Texts` alone. 100,000 Python strings of metadata would cost as much again as the Arrow column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

_BLOCK = 4096


class Texts(Sequence[str]):
    """The texts of an Arrow array of strings."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return self._array[place].to_pylist()  # type: ignore[no-any-return]
        return self._array[place].as_py()  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self._array), _BLOCK):
            yield from self._array[start : start + _BLOCK].to_pylist()
