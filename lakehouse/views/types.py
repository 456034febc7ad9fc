"""From record types to DuckDB types, so that a view has its columns before there is a file.

Here: one function from a hint to a type, and two ways to write a type down. Not here: which views there are.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Union, get_args, get_origin

import msgspec

Type = str | list["Type"] | dict[str, "Type"]
"""A DuckDB type: its name, `[element]` of a list, or the fields of a struct. As JSON it is what `json_transform` takes."""

_PLAIN: Final[dict[Any, str]] = {str: "VARCHAR", bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", Any: "JSON"}
_NUMBERS: Final = {int, float}
VERSIONS: Final = ("schema", "schema_version")


def type_of(hint: Any) -> Type:
    """Give the DuckDB type of a hint: structs and lists as such, `Any`, dicts and mixed unions as JSON."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        kinds = [one for one in inner if one is not type(None)]
        if len(kinds) == 1:
            return type_of(kinds[0])
        return "DOUBLE" if set(kinds) == _NUMBERS else "JSON"
    if origin is Literal:
        return type_of(type(inner[0]))
    if origin is list:
        return [type_of(inner[0])]
    if origin is dict or hint is dict:
        return "JSON"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return columns_of(hint)
    return _PLAIN[hint]


def columns_of(record: type[msgspec.Struct]) -> dict[str, Type]:
    """Give the columns of a record type, by the names that its keys have on the wire, in their order."""
    return {field.encode_name: type_of(field.type) for field in msgspec.structs.fields(record)}


def written(kind: Type) -> str:
    """Write a type as SQL: `STRUCT("i" BIGINT)[]`."""
    if isinstance(kind, str):
        return kind
    if isinstance(kind, list):
        return f"{written(kind[0])}[]"
    return f"STRUCT({', '.join(f'{name(key)} {written(one)}' for key, one in kind.items())})"


def structure(kind: Type) -> str:
    """Write a type as the JSON that `json_transform` takes."""
    return msgspec.json.encode(kind).decode()


def readable(record: type[msgspec.Struct], keys: Sequence[str]) -> str:
    """Give the condition under which a line is such a record: of a known version, and its keys are there.

    A line that is no JSON comes as a row of nulls. One field of the wrong type is null, and the row is still shown: a query
    that looks for what is wrong must not miss it.
    """
    said = []
    for field in msgspec.structs.fields(record):
        if field.encode_name in VERSIONS and get_origin(field.type) is Literal:
            known = ", ".join(text(one) if isinstance(one, str) else str(one) for one in get_args(field.type))
            said.append(f"{name(field.encode_name)} IN ({known})")
    said += [f"{name(key)} IS NOT NULL" for key in keys]
    return " AND ".join(said)


def text(value: str) -> str:
    """Write a text as SQL; a null character, which SQL cannot hold, raises `ValueError`."""
    if "\0" in value:
        raise ValueError(f"{value!r} holds a null character")
    return "'" + value.replace("'", "''") + "'"


def is_unicode(value: str) -> bool:
    """Say whether a text can be written in UTF-8; a path whose bytes are of another encoding cannot."""
    return not any("\ud800" <= one <= "\udfff" for one in value)


def name(value: str) -> str:
    """Write a name as SQL, quoted: `schema` and `check` are words of SQL too."""
    return '"' + value.replace('"', '""') + '"'


def listed(columns: Mapping[str, Type]) -> str:
    """Write columns as the `columns` argument of `read_json`."""
    return "{" + ", ".join(f"{name(key)}: {text(written(kind))}" for key, kind in columns.items()) + "}"


def nothing(columns: Mapping[str, Type], where: str = "false") -> str:
    """Give a query with these columns and no row."""
    shown = ", ".join(f"NULL::{written(kind)} AS {name(key)}" for key, kind in columns.items())
    return f"SELECT {shown} WHERE {where}"
