"""What may be asked: one SELECT that only reads.

Here: refusing the rest before it runs. Not here: the walls around what runs (`locked.py`).

DuckDB calls a query a SELECT also where a part of it writes, `WITH gone AS (COPY … TO …) SELECT …`, and a function such as
`query('…')` hides SQL in a text. So the parsed tree is looked at: every query in it must read, and functions that give
tables must be on a list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from lakehouse.errors import UsageError
from lakehouse.views.types import is_unicode

MOST_CHARACTERS: Final = 100_000
_READING: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_TABLES: Final = frozenset(
    "duckdb_columns duckdb_functions duckdb_types duckdb_views generate_series histogram histogram_values json_each"
    " json_tree range repeat repeat_row summary unnest".split()
)
_LIST: Final = "`lakehouse sql --views` lists the views and their columns"
_MEND: Final = "ask one SELECT; `lakehouse sql --views` lists what there is to ask"


def checked(connection: Any, sql: str) -> Any:
    """Give the one statement of a text, ready to be executed. Raises `UsageError` for anything but one SELECT that reads."""
    import duckdb

    if len(sql) > MOST_CHARACTERS:
        raise UsageError(f"the query has {len(sql):,} characters", mend=f"at most {MOST_CHARACTERS:,} are taken")
    if not is_unicode(sql):
        raise UsageError("the query is no valid Unicode", where="SQL", mend="give it in UTF-8")
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise wrong(error) from None
    if len(statements) != 1:
        raise UsageError(f"that is {len(statements)} statements", where="SQL", mend=_MEND)
    statement = statements[0]
    kind = statement.type.name
    if kind == "MULTI":
        raise UsageError("a PIVOT must name its columns", where="SQL", mend="write PIVOT … ON column IN ('a', 'b')")
    if kind != "SELECT":
        raise UsageError(f"{kind} is not asked here, only SELECT", where="SQL", mend=_MEND)
    (said,) = connection.execute("SELECT json_serialize_sql(?)", [statement.query]).fetchone()
    tree = orjson.loads(said)
    if tree["error"]:
        raise UsageError(f"this SELECT cannot be checked ({tree['error_message']})", where="SQL", mend=_MEND)
    for part in _parts(tree):
        _refuse(part)
    return statement


def wrong(error: Exception, mend: str = _LIST) -> UsageError:
    """Give the error for SQL that DuckDB does not take, in one line."""
    said = " ".join(str(error).partition("\nLINE ")[0].split())
    return UsageError(said[:400], where="SQL", mend=mend)


def _refuse(part: dict[str, Any]) -> None:
    kind = part.get("type")
    if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _READING:
        what = kind.removesuffix("_QUERY_NODE").removesuffix("_NODE")
        raise UsageError(f"{what} within a query is not asked here", where="SQL", mend=_MEND)
    if kind == "TABLE_FUNCTION":
        called = str(part["function"].get("function_name", "")).lower()
        if called not in _TABLES:
            raise UsageError(f"the function {called}() is not asked here", where="SQL", mend=_MEND)


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Give every object of a parsed query, without recursion: a query may be nested as deep as its parser allows."""
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
