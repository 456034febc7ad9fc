"""DuckDB over the lake: connections with bounds, and the views by which people ask questions.

Here: settings of a connection and the view definitions. Not here: the queries of gates and publishing, which stand
beside the code that uses them.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from lakehouse.lake import Lake

MEMORY_LIMIT = "640MB"
VIEWS = {
    "evidence": "evidence/*/*/*/*.jsonl",
    "scored_runs": "scored-runs/*/*/*/*.jsonl",
    "sft_export": "distilled/sft/sft_export.jsonl",
    "quarantine": "quarantine/**/*.jsonl",
}
"""View name to the files that it reads."""


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


def write_views(lake: Lake) -> list[str]:
    """Write `lakehouse.duckdb` with a view for each kind of file that the lake holds; give their names."""
    import duckdb

    made = []
    with closing(duckdb.connect(str(lake.duckdb))) as connection:
        for name, pattern in VIEWS.items():
            connection.execute(f"drop view if exists {name}")
            if not any(path.stat().st_size for path in lake.root.glob(pattern)):
                continue
            files = str(lake.root.resolve() / pattern).replace("'", "''")
            connection.execute(
                f"create view {name} as select * from read_json('{files}', format='newline_delimited', "
                "union_by_name=true, filename=true, maximum_object_size=67108864)"
            )
            made.append(name)
    return made
