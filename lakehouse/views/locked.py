"""A connection that can read the files of the views, and nothing else.

Here: the walls. Not here: which statements are taken (`statement.py`), limits of rows and time (`asking.py`).

In the order in which DuckDB needs it: the views are made, then the folders and files that they read are named, then all
other access ends, then the configuration is locked. Below the named folders links that lead elsewhere are refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from lakehouse.lake import Lake
from lakehouse.sql import MEMORY_LIMIT
from lakehouse.views.registry import VIEWS, create
from lakehouse.views.types import text

_AT_START: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "memory_limit": MEMORY_LIMIT,
    "threads": "2",
    "temp_directory": "",
}
"""Nothing is spilled to disk: who may only read should not be able to fill it."""


def open_views(lake: Lake) -> Any:
    """Open an in-memory DuckDB connection with the views of a lake, locked; close it yourself.

    Files that appear later are seen, but for rosters and the logs of new subjects: open it anew for these.
    """
    import duckdb

    root = lake.root.resolve()
    connection = duckdb.connect(":memory:", config=_AT_START)
    try:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        create(connection, root)
        files = [one for view in VIEWS for one in view.files]
        connection.execute(f"SET allowed_directories = {_list(path for one in files for path in one.folders(root))}")
        connection.execute(f"SET allowed_paths = {_list(path for one in files for path in one.singles(root))}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        with suppress(duckdb.Error):
            connection.close()
        raise
    return connection


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(text(one) for one in sorted(set(values)))}]"
