"""Limits of rows and time, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.views.apart import ask_apart
from lakehouse.views.asking import SqlTimeout, ask, ask_on
from lakehouse.views.locked import open_views


@pytest.fixture(scope="module")
def locked(new_lab: Callable[[], Any]) -> Iterator[Any]:
    with closing(open_views(new_lab().lake)) as connection:
        yield connection


@pytest.mark.parametrize(("limit", "rows", "more"), [(0, 0, True), (4, 4, True), (5, 5, False), (6, 5, False)])
def test_no_more_rows_come_than_are_asked_for_and_the_answer_says_so(
    locked: Any, limit: int, rows: int, more: bool
) -> None:
    answer = ask_on(locked, "FROM range(5)", limit=limit)
    assert (len(answer.rows), answer.more) == (rows, more)


def test_an_endless_answer_ends_at_its_limit(locked: Any) -> None:
    assert ask_on(locked, "FROM range(100000000000)", limit=3).rows == [(0,), (1,), (2,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(100000000000) a, range(1000) b",
        "SELECT pg_sleep(600)",
        "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t",
        "SELECT * FROM range(100000000000) t(x) WHERE x < 0",
    ],
)
def test_a_query_that_would_not_end_is_interrupted(locked: Any, sql: str) -> None:
    with pytest.raises(SqlTimeout) as ended:
        ask_on(locked, sql, seconds=0.2)
    assert ended.value.exit_code == 3
    assert "0.2 seconds" in str(ended.value)


class HardOfHearing:
    """A connection that misses its first interrupt, as one does that runs nothing just then."""

    def __init__(self, connection: Any) -> None:
        self._connection, self._missed = connection, False

    def interrupt(self) -> None:
        if self._missed:
            self._connection.interrupt()
        self._missed = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def test_an_interrupt_that_was_missed_is_said_again(locked: Any) -> None:
    with pytest.raises(SqlTimeout):
        ask_on(HardOfHearing(locked), "SELECT pg_sleep(600)", seconds=0.1)


def test_a_query_that_needs_too_much_memory_is_refused(locked: Any) -> None:
    with pytest.raises(UsageError, match="more memory"):
        ask_on(locked, "SELECT list(x) FROM range(1000000000) t(x)")


@pytest.mark.parametrize(("limit", "seconds"), [(-1, 1.0), (1, 0.0), (1, -1.0), (1, float("nan"))])
def test_limits_must_be_limits(locked: Any, limit: int, seconds: float) -> None:
    with pytest.raises(UsageError, match="positive"):
        ask_on(locked, "SELECT 1", limit=limit, seconds=seconds)


@pytest.mark.parametrize(
    ("sql", "plain"),
    [
        ("NULL", None),
        ("true", True),
        ("''", ""),
        ("0", 0),
        ("9223372036854775807", 9223372036854775807),
        ("170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
        ("1.5::DOUBLE", 1.5),
        ("1.50::DECIMAL(4, 2)", "1.50"),
        ("'nan'::DOUBLE", None),
        ("DATE '2026-05-01'", "2026-05-01"),
        ("TIMESTAMP '2026-05-01 10:00:00.123'", "2026-05-01T10:00:00.123000"),
        ("TIMESTAMPTZ '2026-05-01 10:00:00+02'", "2026-05-01T08:00:00Z"),
        ("'{\"a\": [1, null]}'::JSON", {"a": [1, None]}),
        ("['{\"a\": 1}'::JSON]", [{"a": 1}]),
        ("{'a': 1, 'b': ['x']}", {"a": 1, "b": ["x"]}),
        ("MAP {1: DATE '2026-05-01'}", {"1": "2026-05-01"}),
        ("'\\xAA'::BLOB", "qg=="),
        ("'{\"a\"'", '{"a"'),
        ("'[NaN]'::JSON", "[NaN]"),
        ("'1e400'::JSON", "1e400"),
        ("chr(0)", "\0"),
        ("'infinity'::DATE", "9999-12-31"),
    ],
)
def test_values_come_as_json_can_hold_them(locked: Any, sql: str, plain: Any) -> None:
    held = ask_on(locked, f"SELECT {sql} AS x").plain()
    assert orjson.loads(orjson.dumps(held)) == [[plain]]


def test_columns_of_one_name_are_two(locked: Any) -> None:
    answer = ask_on(locked, "SELECT 1 AS a, 2 AS a")
    assert (answer.columns, answer.types, answer.rows) == (["a", "a"], ["INTEGER", "INTEGER"], [(1, 2)])


@pytest.mark.parametrize("asking", [ask, ask_apart])
def test_what_is_no_unicode_is_refused(lab: Any, tmp_path: Path, asking: Any) -> None:
    with pytest.raises(UsageError, match="Unicode"):
        asking(lab.lake, "SELECT '\ud800'")
    with pytest.raises(UsageError, match="UTF-8"):
        asking(Lake(tmp_path / "bad\udcff"), "SELECT 1")
