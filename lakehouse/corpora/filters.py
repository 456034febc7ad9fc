"""Filters of LanceDB, which are text: built here alone, from columns that are known and values that are quoted.

Here: two kinds of filter on our own columns. Not here: filters on metadata (`lakehouse.search`), which are no text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from lakehouse.errors import UsageError

_COLUMNS: Final = frozenset({"id", "origin"})


def one_of(column: Literal["id", "origin"], values: Iterable[str]) -> str:
    """Give the filter for rows whose column is one of some values, quotes in them doubled; none meets it without values.

    Raises `UsageError` for a value with a NUL character.
    """
    assert column in _COLUMNS
    quoted = ", ".join(map(_literal, values))
    return f"{column} IN ({quoted})" if quoted else "false"


def _literal(value: str) -> str:
    if "\0" in value:
        raise UsageError("a text with a NUL character cannot be filtered by", mend="leave the character out")
    return "'" + value.replace("'", "''") + "'"


def at_least(column: Literal["after_version"], number: int) -> str:
    """Give the filter for rows whose column is a number or more."""
    assert column == "after_version"
    return f"{column} >= {int(number)}"


def slices(values: Sequence[str], most: int = 2_000) -> Iterator[Sequence[str]]:
    """Cut values into as many as one filter takes."""
    return (values[start : start + most] for start in range(0, len(values), most))
