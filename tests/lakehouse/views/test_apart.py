"""Asking in a process of its own: the same answers, and walls around memory and time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.views import apart
from lakehouse.views.apart import Plain, Question, answered, ask_apart
from lakehouse.views.asking import SqlTimeout
from tests.lakehouse.views.conftest import session


def test_the_answer_is_that_of_ask_as_json_holds_it(lab: Any) -> None:
    lab.write("sessions", session("s-1", "accepted", artifact={"a": [1]}), session("s-2"))
    asked = "SELECT session_id, artifact, timestamp::DATE AS day FROM sessions ORDER BY entry"
    columns, types = ["session_id", "artifact", "day"], ["VARCHAR", "JSON", "DATE"]
    assert ask_apart(lab.lake, asked, limit=1) == Plain(columns, types, [["s-1", {"a": [1]}, "2026-05-02"]], True)


@pytest.mark.parametrize(
    ("sql", "kind", "says"),
    [
        ("SELEC 1", UsageError, "syntax error"),
        ("WITH a AS (COPY (SELECT 1) TO '/tmp/x.csv') FROM a", UsageError, "COPY within a query"),
        ("SELECT pg_sleep(600)", SqlTimeout, "0.3 seconds"),
        ("SELECT repeat('x', 3000000000)", UsageError, "more memory"),
        ("SELECT repeat('x', 50000000) FROM range(100)", UsageError, "more memory"),
        ("SELECT repeat('x', 100000) FROM range(900)", UsageError, "larger than 64 MiB"),
    ],
)
def test_what_cannot_be_answered_is_the_same_error(lab: Any, sql: str, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says) as refused:
        ask_apart(lab.lake, sql, seconds=0.3 if kind is SqlTimeout else 60.0)
    assert type(refused.value) is kind


def test_the_process_has_no_environment_but_the_way_to_the_code(
    lab: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    (tmp_path / "telling.py").write_text(
        "import json, os\n"
        'print(json.dumps({"type": "answer", "columns": list(os.environ), "types": [], "rows": [], "more": False}))\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(apart, "MAIN", "telling")
    assert set(ask_apart(lab.lake, "SELECT 1").columns) <= {"PYTHONPATH", "LC_CTYPE"}


@pytest.mark.parametrize(
    ("ends", "kind", "says"),
    [
        ("raise RuntimeError('broken\\nfor good')", OutsideFailure, "for good"),
        ("os._exit(3)", OutsideFailure, "it said nothing"),
        ("os.abort()", UsageError, r"more memory .* \(signal 6\)"),
    ],
)
def test_a_process_that_breaks_is_no_empty_answer(
    lab: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ends: str, kind: type[Exception], says: str
) -> None:
    (tmp_path / "breaking.py").write_text(f"import os\n{ends}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(apart, "MAIN", "breaking")
    with pytest.raises(kind, match=says):
        ask_apart(lab.lake, "SELECT 1")


def test_a_process_that_cannot_start_is_an_outside_failure(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(OutsideFailure, match="no process can be started"):
        ask_apart(lab.lake, "SELECT 1")


def test_what_the_process_says_is_plain_json(lab: Any) -> None:
    said = answered(Question(str(lab.root), "SELECT 1 AS a", 5, 5.0))
    assert said == b'{"type":"answer","columns":["a"],"types":["INTEGER"],"rows":[[1]],"more":false}'
    assert b'"type":"fault"' in answered(Question(str(lab.root), "SELEC", 5, 5.0))
