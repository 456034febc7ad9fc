"""Whether a payload has the fields that its kind declares, and each its type.

Here: declaring fields, and the Schema errors of an object: those of the declared fields in their order, then the unknown
ones in the payload's. Not here: what the values mean. A field that may be absent may be null too: models write that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lakehouse.records import ValidationError
from lakehouse.secrets import mask
from lakehouse.validators.looks import is_blank
from lakehouse.validators.wire import schema_error

LONGEST: Final = 200
"""Characters of a short text: an id, a name, a place."""

_SHOWN: Final = 80
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Check = Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its name, what says why a value is wrong (`None` where it is right), whether it must be there."""

    name: str
    fault: Check
    required: bool = True


def filled(value: Any) -> str | None:
    """Want a text that is not blank."""
    if type(value) is not str:
        return "must be a text"
    return "is empty" if is_blank(value) else None


def short_text(value: Any) -> str | None:
    """Want a text of one line, not blank, of at most 200 characters."""
    if type(value) is not str:
        return "must be a text"
    if is_blank(value):
        return "is empty"
    if len(value) > LONGEST:
        return f"is longer than {LONGEST} characters"
    return None if value.isprintable() else one_line(value)


def one_line(value: Any) -> str | None:
    """Want a text without line ends and other control characters: it goes into a header or a log line."""
    if type(value) is not str:
        return "must be a text"
    return "must be one line without control characters" if _CONTROL.search(value) else None


def text(value: Any) -> str | None:
    """Want a text."""
    return None if type(value) is str else "must be a text"


def positive(value: Any) -> str | None:
    """Want a whole number from 1."""
    if type(value) is not int:
        return "must be a whole number"
    return None if value > 0 else "must be 1 or more"


def number(value: Any) -> str | None:
    """Want a number."""
    return None if type(value) in (int, float) else "must be a number"


def a_list(value: Any) -> str | None:
    """Want a list."""
    return None if type(value) is list else "must be a list"


class Shape:
    """The fields of an object; `kind` is what an error calls it."""

    def __init__(self, kind: str, fields: Iterable[Field]) -> None:
        self._fields = tuple(fields)
        self._names = frozenset(field.name for field in self._fields)
        self._unknown = f"is no field of {kind}"

    def errors(self, value: Any, path: str = "") -> Iterator[ValidationError]:
        """Give what is wrong with the fields of a value at a path, `""` for the payload itself."""
        if type(value) is not dict:
            yield schema_error(path or "payload", "must be an object")
            return
        prefix = f"{path}." if path else ""
        for name, fault_of, required in ((one.name, one.fault, one.required) for one in self._fields):
            found = value.get(name)
            if found is None and (not required or name not in value):
                if required:
                    yield schema_error(prefix + name, "is missing")
            elif (fault := fault_of(found)) is not None:
                yield schema_error(prefix + name, fault)
        if not self._names.issuperset(value):
            for key in value:
                if key not in self._names:
                    yield schema_error(prefix + shown(key), self._unknown)


def shown(value: Any) -> str:
    """Give a text of a payload for an error: cut, without secrets, and such that it can be encoded."""
    whole = mask(str(value)[: 4 * _SHOWN]).encode(errors="replace").decode()
    whole = _CONTROL.sub(" ", whole)
    return whole if len(whole) <= _SHOWN else whole[: _SHOWN - 1] + "…"
