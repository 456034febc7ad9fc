"""DuckDB connections: bounded, and closed whatever happens."""

from pathlib import Path

import duckdb
import pytest

from lakehouse.lake import Lake
from resources.database import connection, in_memory


def test_a_connection_is_bounded_and_spills_below_the_lake(tmp_path: Path) -> None:
    with connection(in_memory(), Lake(tmp_path)) as opened:
        limit, spill = opened.execute(
            "select current_setting('memory_limit'), current_setting('temp_directory')"
        ).fetchone()
    assert limit.endswith("MiB")
    assert spill == str(tmp_path / "index" / "duckdb")


def test_a_connection_is_closed_when_the_body_raises(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the body"), connection(in_memory(), Lake(tmp_path)) as opened:
        raise RuntimeError("the body")
    with pytest.raises(duckdb.ConnectionException):
        opened.execute("select 1")
