"""Values of every type that a record's field may have, the empty ones first.

Here: from a type to values. Not here: what is done with them (`schemas.py`).
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lakehouse.records import Record

_PLAIN: dict[Any, tuple[Any, ...]] = {
    str: ("", "Café ⭐ \u2028"),
    int: (0, -1, 2**53),
    float: (0.0, 0.1),
    bool: (False, True),
    Any: ("", 0, False, None, [], {}),
}


def options(hint: Any) -> tuple[Any, ...]:
    """Give the members of a union; any other type alone."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def optional(hint: Any) -> bool:
    """Say whether a field may be absent."""
    return type(None) in options(hint)


def examples(hint: Any) -> Iterator[Any]:
    """Give values of a type: `None` where it may be absent, the empty ones, one that is not empty."""
    for one in options(hint):
        if one is type(None):
            yield None
        elif get_origin(one) is Literal:
            yield from get_args(one)
        elif get_origin(one) is list:
            yield []
            yield list(examples(get_args(one)[0]))
        elif get_origin(one) is dict:
            yield {}
            yield {f"k{number}": value for number, value in enumerate(examples(get_args(one)[1]))} | {
                "": next(examples(get_args(one)[1]))
            }
        elif isinstance(one, type) and issubclass(one, Record):
            yield from _records(one)
        else:
            yield from _PLAIN[one]


def _records(kind: type[Record]) -> Iterator[Record]:
    """Give a record with nothing that may be absent, and one with a value in every field."""
    hints = get_type_hints(kind)
    yield kind(**{name: next(examples(hint)) for name, hint in hints.items() if not optional(hint)})
    full = {name: [value for value in examples(hint) if value is not None] for name, hint in hints.items()}
    yield kind(**{name: values[-1] for name, values in full.items()})
