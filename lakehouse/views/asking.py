"""Asking the views of a lake: one query, at most so many rows, at most so many seconds.

Here: limits, and what comes back. Not here: what may be asked (`statement.py`) and read (`locked.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any, Final

import msgspec
import orjson

from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.lake import Lake
from lakehouse.views.locked import open_views
from lakehouse.views.registry import VIEWS
from lakehouse.views.statement import checked, wrong

ROWS: Final = 1_000
SECONDS: Final = 30.0
MOST_SECONDS: Final = 3600.0
"""The longest that anybody may be given: a question without an end is a way to stop a server."""
_AGAIN: Final = 0.05
_WHOLE: Final = range(-(1 << 63), 1 << 63)


class SqlTimeout(OutsideFailure):
    """A query did not end in its time."""


@dataclass(frozen=True)
class Answer:
    """What a query gave. `rows` are as many as were asked for; `more` says that there are others."""

    columns: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]
    more: bool

    def plain(self) -> list[list[Any]]:
        """Give the rows as JSON can hold them: times as text, JSON columns as what they say, huge integers as text."""
        return [[_plain(cell, kind) for cell, kind in zip(row, self.types, strict=True)] for row in self.rows]


@dataclass(frozen=True)
class Shown:
    """A view as a list shows it: its columns with their DuckDB types."""

    name: str
    says: str
    columns: dict[str, str]


def ask(lake: Lake, sql: str, *, limit: int = ROWS, seconds: float = SECONDS) -> Answer:
    """Ask the views of a lake.

    Raises `UsageError` for SQL that is wrong, is refused or needs too much memory, `SqlTimeout` after `seconds`.
    """
    with closing(open_views(lake)) as connection:
        return ask_on(connection, sql, limit=limit, seconds=seconds)


def ask_on(connection: Any, sql: str, *, limit: int = ROWS, seconds: float = SECONDS) -> Answer:
    """Ask on a connection that `open_views` gave; one question at a time. Raises what `ask` raises."""
    import duckdb

    if limit < 0 or not 0 < seconds <= MOST_SECONDS:
        raise UsageError(
            f"the limit and the timeout must be positive, the timeout at most {MOST_SECONDS:g} s",
            mend="leave them out for the usual ones",
        )
    statement = checked(connection, sql)
    try:
        with _deadline(connection, seconds):
            connection.execute(statement)
            described = connection.description or []
            rows = connection.fetchmany(limit + 1)
    except duckdb.InterruptException:
        what = f"the query did not end in {seconds:g} seconds"
        mend = "ask for fewer days or columns, or give it longer with --timeout"
        raise SqlTimeout(what, where="SQL", mend=mend) from None
    except duckdb.OutOfMemoryException:
        what = "the query needs more memory than there is for one"
        raise UsageError(what, where="SQL", mend="ask for fewer days or columns") from None
    except duckdb.PermissionException as error:
        mend = "ask the views: no other file is open here, nor one that a link leads to"
        raise wrong(error, mend) from None
    except duckdb.Error as error:
        raise wrong(error) from None
    names, types = [str(one[0]) for one in described], [str(one[1]) for one in described]
    return Answer(names, types, rows[:limit], len(rows) > limit)


def shown(lake: Lake) -> list[Shown]:
    """List the views with their columns."""
    with closing(open_views(lake)) as connection:
        found = connection.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY column_index"
        ).fetchall()
    columns: dict[str, dict[str, str]] = {}
    for view, column, kind in found:
        columns.setdefault(view, {})[column] = kind
    return [Shown(view.name, view.says, columns[view.name]) for view in VIEWS]


@contextmanager
def _deadline(connection: Any, seconds: float) -> Iterator[None]:
    """Interrupt what the connection does after so many seconds, and again until the block is left.

    Once is not enough: an interrupt that falls between two calls is lost.
    """
    done = Event()

    def watch() -> None:
        if not done.wait(seconds):
            connection.interrupt()
            while not done.wait(_AGAIN):
                connection.interrupt()

    watching = Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()


def _plain(cell: Any, kind: str = "") -> Any:
    if kind == "JSON" and isinstance(cell, str):
        try:
            return orjson.loads(cell)
        except orjson.JSONDecodeError:
            # DuckDB takes NaN and 1e400 for JSON.
            return cell
    if isinstance(cell, dict):
        return {str(key): _plain(one) for key, one in cell.items()}
    if isinstance(cell, list | tuple):
        return [_plain(one, kind.removesuffix("[]")) for one in cell]
    if isinstance(cell, int) and cell not in _WHOLE:
        return str(cell)
    return cell if isinstance(cell, str | int | float | None) else msgspec.to_builtins(cell, str_keys=True)
