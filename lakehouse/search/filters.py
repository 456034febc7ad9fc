"""Conditions on metadata: typed, checked, never pasted into a string.

Here: what a condition may say, and whether a value meets it. Not here: evaluating them on all rows of a corpus at once
(`columns.py`), and filters for LanceDB, which conditions never become (`lakehouse.corpora.filters` writes those on ids).

A row without the field meets no condition, not even `ne`, and a value of another type meets none: what SQL does with NULL.
Text compares by code points and with case; a list meets `eq`, `ne` and `in` by nothing, and `contains` by its elements.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

import msgspec

from lakehouse.errors import UsageError

Op = Literal["eq", "ne", "in", "lt", "le", "gt", "ge", "contains"]
OPS: Final[tuple[Op, ...]] = get_args(Op)
Scalar = str | int | float | bool

_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_ORDER: Final = ("lt", "le", "gt", "ge")
_LARGEST: Final = 2**53 - 1


class Condition(msgspec.Struct, frozen=True):
    """`field op value`. `in` takes several values of one kind, the order signs text or numbers, `contains` text."""

    field: str
    op: Op
    value: Scalar | tuple[Scalar, ...]


def conditions(where: Sequence[Condition | Mapping[str, Any]] | None) -> tuple[Condition, ...]:
    """Check conditions, given as such or as mappings with `field`, `op` and `value`; all of them must hold.

    Raises `UsageError` that names the field: unknown signs, values of a wrong type, an empty list, fields that are no name.
    """
    if where is None:
        return ()
    given: object = where
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise UsageError("where is no list of conditions", mend="give a list of {field, op, value}")
    return tuple(_checked(place, one) for place, one in enumerate(where))


def _checked(place: int, one: Condition | Mapping[str, Any]) -> Condition:
    given: object = msgspec.structs.asdict(one) if isinstance(one, Condition) else one
    if not isinstance(given, Mapping) or set(given) != {"field", "op", "value"}:
        raise _fault(f"where[{place}]", "a condition has exactly field, op and value")
    field, op, value = given["field"], given["op"], given["value"]
    if not isinstance(field, str) or not _FIELD.fullmatch(field):
        raise _fault(f"where[{place}]", f"{str(field)[:80]!r} is no field name (letters, digits and _)")
    if op not in OPS:
        raise _fault(field, f"{str(op)[:40]!r} is no sign of a condition; there are {', '.join(OPS)}")
    if op == "in":
        if isinstance(value, str) or not isinstance(value, Sequence) or not value:
            raise _fault(field, "in takes a list with at least one value")
        values = tuple(value)
        if len({_kind(field, each) for each in values}) > 1:
            raise _fault(field, "the values of in are of different types")
        return Condition(field, op, values)
    kind = _kind(field, value)
    if op in _ORDER and kind is bool:
        raise _fault(field, f"{op} compares text or numbers, not yes and no")
    if op == "contains" and kind is not str:
        raise _fault(field, "contains takes a text")
    return Condition(field, op, value)


def _kind(field: str, value: object) -> type:
    if isinstance(value, bool):
        return bool
    if isinstance(value, str):
        return str
    if (
        isinstance(value, int | float)
        and math.isfinite(value)
        and not (isinstance(value, int) and abs(value) > _LARGEST)
    ):
        return float
    raise _fault(field, f"a value is text, yes or no, or a finite number, not {type(value).__name__}")


def _fault(field: str, what: str) -> UsageError:
    return UsageError(
        what, where=f"filter on {field}", mend='write it like {"field": "city", "op": "eq", "value": "Detroit"}'
    )


def meets(condition: Condition, value: object) -> bool:
    """Say whether a value of the condition's field meets it; `None` stands for a row without the field."""
    wanted = condition.value
    match condition.op:
        case "in":
            assert isinstance(wanted, tuple)
            return any(_same_kind(each, value) and value == each for each in wanted)
        case "contains":
            return wanted in value if isinstance(value, str | list) and isinstance(wanted, str) else False
        case _ if not _same_kind(wanted, value):
            return False
        case "eq":
            return value == wanted
        case "ne":
            return value != wanted
        case "lt":
            return value < wanted  # type: ignore[operator]
        case "le":
            return value <= wanted  # type: ignore[operator]
        case "gt":
            return value > wanted  # type: ignore[operator]
        case "ge":
            return value >= wanted  # type: ignore[operator]


def _same_kind(wanted: object, value: object) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return isinstance(wanted, bool) and isinstance(value, bool)
    if isinstance(wanted, str):
        return isinstance(value, str)
    return isinstance(value, int | float)
