"""DuckDB over the lake: connections with bounds.

Here: opening and bounding a connection. Not here: the queries, which stand beside the code that uses them.
"""

from __future__ import annotations

from typing import Any

from lakehouse.lake import Lake

MEMORY_LIMIT = "640MB"


def prepare(connection: Any, lake: Lake) -> Any:
    """Bound a DuckDB connection: memory within the limit, the rest spilled below the lake, no progress bar."""
    spill = lake.root / "index" / "duckdb"
    spill.mkdir(parents=True, exist_ok=True)
    connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
    connection.execute("set enable_progress_bar = false")
    connection.execute("set temp_directory = '" + str(spill).replace("'", "''") + "'")
    return connection


def connect(lake: Lake) -> Any:
    """Open an in-memory DuckDB connection with bounds; close it yourself."""
    import duckdb

    return prepare(duckdb.connect(), lake)
