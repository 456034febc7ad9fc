"""DuckDB for the pipeline: in memory, bounded, and closed whatever happens.

Here: making the resource and a connection from it. Not here: queries, which stand beside the code that uses them.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from dagster_duckdb import DuckDBResource

from lakehouse.lake import Lake
from lakehouse.sql import prepare


def in_memory() -> DuckDBResource:
    """Give the resource: a database that lives as long as its connection."""
    return DuckDBResource(database=":memory:")


@contextmanager
def connection(duckdb: DuckDBResource, lake: Lake) -> Iterator[Any]:
    """Open a connection that is bounded for this lake. `get_connection` alone leaves it open when the body raises."""
    with duckdb.get_connection() as opened, closing(opened):
        yield prepare(opened, lake)
