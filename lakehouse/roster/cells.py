"""What a cell of a roster may hold, and reading it: text, a list of texts, yes or no, a small whole number.

Here: from a value of a file to a value of the schema, or to a `Fault` that says why not. Not here: where the value came
from (`files.py`), which columns there are (`schema.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

LONGEST_TEXT: Final = 131_072
"""Characters of the longest cell, the same in CSV and Parquet."""

Kind = Literal["text", "list", "flag", "count"]


@dataclass(frozen=True)
class Fault:
    """Why a cell cannot be used, and what would mend it. Neither repeats what the cell holds."""

    code: str
    why: str
    mend: str


@dataclass(frozen=True)
class Column:
    """A column: what its cells hold, whether each row needs one, and other names that files give it."""

    name: str
    kind: Kind
    required: bool = False
    aliases: tuple[str, ...] = ()


NOT_UTF8: Final = Fault("not_utf8", "is not UTF-8", "save the file as UTF-8")
TOO_LONG: Final = Fault("too_long", f"is longer than {LONGEST_TEXT} characters", "shorten it")

_NO_TEXT: Final = Fault("wrong_type", "is no text", "give it as text")
_NO_LIST: Final = Fault("wrong_type", "is no list of texts", 'give a list of strings, in CSV as a;b or ["a", "b"]')
_NO_FLAG: Final = Fault("wrong_type", "is neither yes nor no", "give true or false")
_NO_COUNT: Final = Fault("wrong_type", "is no whole number from 0 to 999999", "give digits alone, or leave it empty")

_FLAGS: Final = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}


def read(column: Column, value: Any) -> Any:
    """Give the value that a cell stands for, or a `Fault`. What is missing or blank is empty, or null."""
    if type(value) is Fault:
        return value
    found = _READERS[column.kind](value)
    if column.required and found == "":
        return Fault(f"missing_{column.name}", "is missing", "fill it in, or take the row out")
    return found


def _text(value: Any) -> str | Fault:
    if value is None:
        return ""
    if type(value) is not str:
        return _NO_TEXT
    return TOO_LONG if len(value) > LONGEST_TEXT else value.strip()


def _list(value: Any) -> list[str] | Fault:
    if type(value) is str:
        text = value.strip()
        if not text.startswith("["):
            value = text.split(";")
        else:
            try:
                value = orjson.loads(text)
            except orjson.JSONDecodeError:
                return _NO_LIST
    if value is None:
        return []
    if type(value) is not list or not all(type(item) is str for item in value):
        return _NO_LIST
    if sum(map(len, value)) > LONGEST_TEXT:
        return TOO_LONG
    return [item for item in map(str.strip, value) if item]


def _flag(value: Any) -> bool | Fault | None:
    if value is None or type(value) is bool:
        return value
    word = str(value).strip().lower() if type(value) in (str, int) else ""
    if type(value) is str and not word:
        return None
    return _FLAGS.get(word, _NO_FLAG)


def _count(value: Any) -> int | Fault | None:
    if type(value) is float:
        # What pandas makes of whole numbers where one is missing.
        value = None if value != value else int(value) if value.is_integer() else value
    if type(value) is str:
        text = value.strip()
        if not text:
            return None
        value = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else text
    if value is None:
        return None
    return value if type(value) is int and 0 <= value <= 999_999 else _NO_COUNT


_READERS: Final[Mapping[Kind, Callable[[Any], Any]]] = {"text": _text, "list": _list, "flag": _flag, "count": _count}
