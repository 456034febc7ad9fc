"""`lakehouse.duckdb`: the views for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from lakehouse.lake import Lake
from lakehouse.views.database import database_path, write_database
from lakehouse.views.registry import VIEWS
from tests.lakehouse.views.conftest import session


def counted(path: Path, sql: str) -> Any:
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_any_program_that_opens_duckdb_can_ask_every_view(lab: Any) -> None:
    path = write_database(lab.lake)
    assert path == lab.root / "lakehouse.duckdb"
    for view in VIEWS:
        assert counted(path, f"SELECT count(*) FROM {view.name}") == [(0,)]


def test_what_is_appended_later_is_seen_without_writing_it_again(lab: Any) -> None:
    path = write_database(lab.lake)
    lab.write("sessions", session("s-1", "accepted"))
    lab.write("../evidence/2026/05/01/audits", {"schema_version": 1, "run_id": "r", "provenance": {}})
    assert counted(path, "SELECT session_id FROM sessions") == [("s-1",)]
    assert counted(path, "SELECT run_id, stream FROM evidence") == [("r", "audits")]
    assert counted(path, "SELECT rate FROM first_shot_rate") == [(1.0,)]


def test_one_that_is_open_elsewhere_is_replaced_and_nothing_is_left_beside_it(lab: Any) -> None:
    path = write_database(lab.lake)
    before = path.read_bytes()
    with duckdb.connect(path, read_only=True) as reading:
        (lab.root / "_kb" / "workers.csv").write_text("id,name,role\nw-1,Ann,Welder\n")
        assert write_database(lab.lake) == path
        assert path.read_bytes() != before
        assert reading.execute("SELECT count(*) FROM sessions").fetchall() == [(0,)]
    assert sorted(one.name for one in lab.root.iterdir()) == ["_kb", "lakehouse.duckdb", "lakehouse.toml"]


def test_it_may_be_attached_under_another_name(lab: Any) -> None:
    lab.write("sessions", session("s-1", "validation_failed", "accepted"))
    path = str(write_database(lab.lake)).replace("'", "''")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{path}' AS lk (READ_ONLY)")
        assert connection.execute("SELECT session_id FROM lk.sessions").fetchall() == [("s-1",)]


def test_after_a_move_it_is_written_again(lab: Any, tmp_path: Path) -> None:
    lab.write("sessions", session("s-1", "accepted"))
    write_database(lab.lake)
    moved = lab.root.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    assert counted(database_path(Lake(moved)), "SELECT count(*) FROM sessions") == [(0,)]
    assert counted(write_database(Lake(moved)), "SELECT count(*) FROM sessions") == [(1,)]


def test_one_that_holds_these_views_is_left_as_it_is_and_a_damaged_one_is_not(lab: Any) -> None:
    path = write_database(lab.lake)
    before = path.read_bytes(), path.stat().st_mtime_ns
    write_database(lab.lake)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    path.write_bytes(b"no database")
    assert counted(write_database(lab.lake), "SELECT count(*) FROM sessions") == [(0,)]
