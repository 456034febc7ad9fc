"""The walls: what is refused before it runs, and what fails where it would have run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from lakehouse.errors import UsageError
from lakehouse.views.asking import ask, ask_on
from lakehouse.views.locked import open_views
from lakehouse.views.statement import checked
from tests.lakehouse.views.conftest import session


@pytest.fixture(scope="module")
def held(new_lab: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A lake with what must not be read beside what may be. No test changes it."""
    lab = new_lab()
    lab.write("sessions", session("s-1", "accepted"))
    lab.write("audits", {"raw": "stream"})
    (lab.root / ".env").write_text("OPENAI_API_KEY=sk-1\n")
    (lab.root / "subjects" / "w-1").mkdir(parents=True)
    (lab.root / "subjects" / "w-1" / "key").write_bytes(b"k" * 32)
    (lab.root / "subjects" / "w-1" / "audit.jsonl").write_text("{}\n")
    (lab.root / "evidence").mkdir()
    (lab.root / "distilled" / "releases" / "r").mkdir(parents=True)
    (lab.root / "distilled" / "releases" / "r" / "notes.txt").write_text("x")
    outside = tmp_path_factory.mktemp("outside") / "x.jsonl"
    outside.write_text('{"a":1}\n')
    (lab.root / "evidence" / "away").symlink_to(outside.parent)
    (lab.root / "evidence" / "x.jsonl").symlink_to(outside)
    return lab


@pytest.fixture(scope="module")
def locked(held: Any) -> Iterator[Any]:
    with closing(open_views(held.lake)) as connection:
        yield connection


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("", "0 statements"),
        ("-- nothing", "0 statements"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("SELECT 1; DROP VIEW sessions", "2 statements"),
        ("SELEC 1", "syntax error"),
        ("COPY sessions TO '{root}/evidence/x.csv'", "COPY is not asked"),
        ("COPY (SELECT 1) TO '/tmp/x.csv'", "COPY is not asked"),
        ("EXPORT DATABASE '/tmp/x'", "EXPORT is not asked"),
        ("ATTACH '{root}/evidence/x.db'", "ATTACH is not asked"),
        ("DETACH memory", "DETACH is not asked"),
        ("CREATE TABLE x AS SELECT 1", "CREATE is not asked"),
        ("CREATE OR REPLACE VIEW sessions AS SELECT 1", "CREATE is not asked"),
        ("DROP VIEW sessions", "DROP is not asked"),
        ("INSERT INTO sessions VALUES (1)", "INSERT is not asked"),
        ("DELETE FROM sessions", "DELETE is not asked"),
        ("SET threads = 8", "is not asked"),
        ("RESET threads", "is not asked"),
        ("PRAGMA database_list", "is not asked"),
        ("CALL pragma_version()", "CALL is not asked"),
        ("INSTALL httpfs", "LOAD is not asked"),
        ("LOAD httpfs", "LOAD is not asked"),
        ("USE memory", "is not asked"),
        ("CHECKPOINT", "is not asked"),
        ("PREPARE x AS SELECT 1", "PREPARE is not asked"),
        ("BEGIN", "TRANSACTION is not asked"),
        ("EXPLAIN ANALYZE COPY sessions TO '{root}/evidence/x.csv'", "EXPLAIN is not asked"),
        ("CREATE SECRET x (TYPE s3)", "is not asked"),
        ("WITH a AS (COPY (SELECT 1) TO '{root}/evidence/x.csv') SELECT * FROM a", "COPY within a query"),
        ("SELECT (WITH a AS (COPY (SELECT 1) TO '{root}/evidence/x.csv') SELECT 1 FROM a)", "COPY within a query"),
        ("FROM (WITH a AS (COPY (SELECT 1) TO '{root}/evidence/x.csv') FROM a) UNION ALL SELECT 1", "COPY within"),
        ("DESCRIBE WITH a AS (COPY (SELECT 1) TO '{root}/evidence/x.csv') FROM a", "COPY within"),
        ("WITH a AS (DELETE FROM sessions RETURNING *) SELECT * FROM a", "DELETE within a query"),
        ("WITH a AS (INSERT INTO sessions VALUES (1) RETURNING *) SELECT * FROM a", "INSERT within a query"),
        ("FROM query('WITH a AS (COPY (SELECT 1) TO ''{root}/evidence/x.csv'') FROM a')", "query() is not asked"),
        ("FROM main.\"query\"('SELECT 1')", "query() is not asked"),
        ("FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))", "json_execute_serialized_sql() is not"),
        ("FROM read_text('{root}/.env')", "read_text() is not asked"),
        ("FROM glob('/etc/*')", "glob() is not asked"),
        ("FROM read_csv('/etc/passwd')", "read_csv() is not asked"),
        ("FROM duckdb_settings()", "duckdb_settings() is not asked"),
        ("FROM enable_logging(storage = 'file', storage_path = '{root}/evidence')", "enable_logging() is not asked"),
        ("FROM checkpoint()", "checkpoint() is not asked"),
        ("PIVOT sessions ON verdict USING count(*)", "must name its columns"),
        ("FROM nowhere", "does not exist"),
        ("SELECT nothing FROM sessions", "not found"),
        ("SELECT ? FROM sessions", "SQL"),
        ("SELECT session_id::BIGINT FROM sessions", "Could not convert"),
        ("SELECT error('no')", "no"),
        ("SELECT '" + "x" * 100_001 + "'", "characters"),
    ],
)
def test_what_is_no_reading_select_is_refused_in_one_line_and_writes_nothing(
    held: Any, locked: Any, sql: str, says: str
) -> None:
    before = sorted(held.root.rglob("*"))
    with pytest.raises(UsageError) as refused:
        ask_on(locked, sql.replace("{root}", str(held.root)))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert sorted(held.root.rglob("*")) == before


def test_a_variable_of_the_program_is_no_table(locked: Any) -> None:
    mine = pa.table({"key": ["sk-1"]})
    assert duckdb.connect().execute("SELECT key FROM mine").fetchall() == [("sk-1",)]
    with pytest.raises(duckdb.CatalogException, match="does not exist"):
        locked.execute("SELECT key FROM mine")
    assert mine


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM sessions",
        "FROM sessions",
        "TABLE sessions",
        "SELECT 1;",
        "SELECT ';' -- ; DROP",
        "VALUES (1), (2)",
        "DESCRIBE sessions",
        "SHOW TABLES",
        "SUMMARIZE sessions",
        "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t WHERE x < 3) FROM t",
        "PIVOT sessions ON verdict IN ('accepted') USING count(*) GROUP BY model",
        "SELECT unnest(attempts, recursive := true) FROM sessions",
        "SELECT key FROM sessions, json_each(artifact)",
        "FROM range(3) UNION ALL FROM generate_series(1, 2)",
        "SELECT view_name FROM duckdb_views() WHERE NOT internal",
        "SELECT 'copy', 'delete' AS \"insert\"",
    ],
)
def test_what_reads_is_asked(locked: Any, sql: str) -> None:
    assert ask_on(locked, sql).columns


WALLS = [
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('{root}/.env')",
    "SELECT * FROM read_text('{root}/lakehouse.toml')",
    "SELECT * FROM read_text('{root}/_kb/audits.jsonl')",
    "SELECT * FROM '{root}/_kb/audits.jsonl'",
    "SELECT * FROM read_text('{root}/_kb/../.env')",
    "SELECT * FROM read_text('{root}/evidence/../.env')",
    "SELECT * FROM read_text('{root}/evidence/2026/../../.env')",
    "SELECT * FROM read_text('{root}/subjects/w-1/key')",
    "SELECT * FROM read_text('{root}/subjects/*/*')",
    "SELECT * FROM read_text('{root}/distilled/releases/r/notes.txt')",
    "SELECT * FROM read_text('{root}/evidence/away/x.jsonl')",
    "SELECT * FROM read_text('{root}/evidence/x.jsonl')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM glob('{root}/*')",
    "SELECT * FROM 'http://127.0.0.1:1/x.csv'",
    "COPY (SELECT 1) TO '/tmp/lakehouse-walls.csv'",
    "COPY (SELECT 1) TO '{root}/x.csv'",
    "ATTACH '/tmp/lakehouse-walls.db'",
    "ATTACH '{root}/x.db'",
    "EXPORT DATABASE '/tmp/lakehouse-walls'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "SET lock_configuration = false",
    "RESET memory_limit",
    "PRAGMA threads = 8",
    "CALL enable_logging('QueryLog')",
    "FROM enable_profiling(save_location = '{root}/evidence/p.json')",
    "CREATE PERSISTENT SECRET x (TYPE http, BEARER_TOKEN 'x')",
]


@pytest.mark.parametrize("sql", WALLS)
def test_the_connection_itself_holds_where_a_statement_gets_through(held: Any, locked: Any, sql: str) -> None:
    before = sorted(held.root.rglob("*"))
    with pytest.raises(duckdb.Error):
        locked.execute(sql.replace("{root}", str(held.root))).fetchall()
    assert sorted(held.root.rglob("*")) == before
    assert not list(Path("/tmp").glob("lakehouse-walls*"))


def test_the_views_are_read_through_the_walls(locked: Any) -> None:
    assert locked.execute("SELECT session_id FROM sessions").fetchall() == [("s-1",)]


def test_a_link_below_a_folder_that_leads_elsewhere_is_an_error_and_no_row(lab: Any) -> None:
    day = lab.root / "evidence" / "2026" / "05" / "01"
    day.mkdir(parents=True)
    (lab.root / "secret.jsonl").write_text('{"schema_version":1,"run_id":"r","provenance":{}}\n')
    (day / "audits.jsonl").symlink_to(lab.root / "secret.jsonl")
    with pytest.raises(UsageError, match="nor one that a link leads to"):
        ask(lab.lake, "FROM evidence")


def test_a_log_or_a_folder_of_the_lake_may_be_a_link_of_its_owner(lab: Any, rows: Any, tmp_path: Path) -> None:
    disk = tmp_path / "other disk"
    (disk / "evidence" / "2026" / "05" / "01").mkdir(parents=True)
    (disk / "evidence" / "2026" / "05" / "01" / "a.jsonl").write_text(
        '{"schema_version":1,"run_id":"r","provenance":{}}\n'
    )
    (lab.root / "_kb").rmdir()
    (disk / "_kb").mkdir()
    for folder in ("_kb", "evidence"):
        (lab.root / folder).symlink_to(disk / folder)
    lab.write("sessions", session("s-1", "accepted"))
    assert rows("SELECT session_id FROM sessions") == [("s-1",)]
    assert rows("SELECT run_id FROM evidence") == [("r",)]


def test_deep_nesting_is_refused_or_asked_and_no_crash(locked: Any) -> None:
    assert checked(locked, "SELECT " + "(" * 100 + "1" + ")" * 100)
    with pytest.raises(UsageError):
        checked(locked, "SELECT " + "(" * 40_000 + "1" + ")" * 40_000)
