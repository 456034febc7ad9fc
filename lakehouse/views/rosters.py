"""The views over rosters: Parquet or CSV of other people's making, shown with the columns of `lakehouse.roster.schema`.

Here: from a roster's file to a query. Not here: refusing bad rows (`lakehouse.roster.reading` does, when a corpus is built):
a cell that cannot be read is null here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.roster.cells import Column, Kind
from lakehouse.roster.reading import find_roster
from lakehouse.roster.schema import COLUMNS, PREFIXES, PRIVATE
from lakehouse.views.files import Files
from lakehouse.views.types import Type, name, nothing, text, written
from lakehouse.views.view import View

_TYPES: Final[dict[Kind, Type]] = {"text": "VARCHAR", "list": ["VARCHAR"], "flag": "BOOLEAN", "count": "INTEGER"}
# What only validators read is nobody's to ask for: SQL may be offered to others.
_SHOWN: Final = tuple(column for column in COLUMNS if column.name not in PRIVATE)
_EMPTY: Final = {column.name: _TYPES[column.kind] for column in _SHOWN}


def _query(root: Path, roster: str) -> str:
    """Give the query of a roster. The file is looked for now; one that cannot be used is an error when it is asked."""
    try:
        path = find_roster(root / "_kb", roster)
        return nothing(_EMPTY) if path is None else _read(root, path)
    except LakehouseError as error:
        return nothing(_EMPTY, f"error({text(str(error))}) IS NULL")


def _read(root: Path, path: Path) -> str:
    import duckdb

    source = Files(f"_kb/{path.name}").named(root)
    call = (
        f"read_parquet({source})"
        if path.suffix == ".parquet"
        else f"read_csv({source}, header = true, all_varchar = true)"
    )
    connection = duckdb.connect()
    try:
        found = connection.execute(f"DESCRIBE SELECT * FROM {call}").fetchall()  # noqa: S608 - a typed path, quoted
    except duckdb.Error as error:
        why = str(error).partition("\n")[0]
        raise UsageError(
            f"it cannot be read ({why})", where=str(path), mend="look at the file, or copy it again"
        ) from None
    finally:
        connection.close()
    shown = [_shown(column, found) for column in _SHOWN]
    return f"SELECT {', '.join(shown)} FROM {call}"  # noqa: S608 - made of typed parts, quoted


def _shown(column: Column, found: list[Any]) -> str:
    """Write a column of the schema by the column of the file that is it, null where there is none."""
    wanted = {column.name, *column.aliases}
    there = next(((one[0], str(one[1])) for one in found if str(one[0]).strip().lower() in wanted), None)
    if there is None:
        return f"NULL::{written(_TYPES[column.kind])} AS {name(column.name)}"
    cell, is_list = name(there[0]), there[1].endswith("[]")
    if column.kind == "list" and not is_list:
        parted = f"list_transform(string_split({cell}::VARCHAR, ';'), lambda one: trim(one))"
        return f"list_filter({parted}, lambda one: one <> '') AS {name(column.name)}"
    return f"try_cast({cell} AS {written(_TYPES[column.kind])}) AS {name(column.name)}"


def _view(roster: str) -> View:
    files = tuple(Files(f"_kb/{roster}{suffix}") for suffix in (".parquet", ".csv"))
    return View(roster, f"The workers of the roster `_kb/{roster}.*`.", lambda root: _query(root, roster), files)


VIEWS: Final[tuple[View, ...]] = tuple(_view(roster) for roster in PREFIXES)
