"""The views: empty on a fresh lake, right on a used one, whatever stands in the files beside good lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lakehouse.lake import Lake
from lakehouse.views.asking import Shown, ask, ask_on, shown
from lakehouse.views.locked import open_views
from lakehouse.views.registry import VIEWS
from tests.conftest import audit, review
from tests.lakehouse.views.conftest import session

NAMES = [view.name for view in VIEWS]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="module")
def listed(fresh: Lake) -> dict[str, Shown]:
    return {one.name: one for one in shown(fresh)}


@pytest.fixture(scope="module")
def locked(fresh: Lake) -> Iterator[Any]:
    with closing(open_views(fresh)) as connection:
        yield connection


def test_names_are_unique_and_each_view_says_what_it_shows_in_one_sentence() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert [view.name for view in VIEWS if not view.says.endswith((".", "?"))] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_view_of_a_fresh_lake_has_its_columns_and_no_row(locked: Any, listed: dict[str, Shown], name: str) -> None:
    answer = ask_on(locked, f"FROM {name}")
    assert answer.rows == []
    assert dict(zip(answer.columns, answer.types, strict=True)) == listed[name].columns


def test_the_columns_of_a_fresh_lake_are_those_of_a_used_one(fresh: Lake, lab: Any) -> None:
    lab.write("scrum_reviews", review("a.rs", "2026-05-01"))
    lab.night(rag=True)
    assert shown(lab.lake) == shown(fresh)


def test_what_the_chain_made_is_there(lab: Any, rows: Any) -> None:
    for day in ("2026-05-01", "2026-05-02"):
        lab.write("scrum_reviews", review("a.rs", day), review("b.rs", day, 2), review("c.rs", day, None))
        lab.write("audits", audit(f"p{day[-2:]}", day))
    lab.write("scrum_reviews", review("d.rs", "2026-05-03", text="ssn 536-22-8471"), {"no": "time"})
    lab.night(rag=True)

    assert rows("SELECT day, count(*) FROM evidence GROUP BY ALL ORDER BY ALL") == [
        (date(2026, 5, day), count) for day, count in ((1, 4), (2, 4), (3, 1))
    ]
    assert rows("SELECT DISTINCT stream, file FROM evidence WHERE day = '2026-05-01' ORDER BY ALL") == [
        ("audits", "evidence/2026/05/01/audits.jsonl"),
        ("scrum_reviews", "evidence/2026/05/01/scrum_reviews.jsonl"),
    ]
    counted = Counter(row["category"] for row in lab.scored())
    joined = "evidence JOIN scored_runs AS s ON s.provenance.sig_hash = evidence.provenance.sig_hash"
    found = rows(f"SELECT s.category, count(*) FROM {joined} AND s.stream = evidence.stream GROUP BY ALL")
    assert dict(found) == counted
    assert counted["rejected"] == 2
    assert rows("SELECT id FROM sft ORDER BY id") == sorted((row["id"],) for row in lab.published())
    assert rows("SELECT id FROM rag_chunks ORDER BY id") == sorted((row["id"],) for row in lab.published_chunks())
    assert lab.published()
    assert lab.published_chunks()
    assert rows("SELECT stage, reason_code, day FROM quarantine ORDER BY ALL") == [
        ("export-rag", "pii_ssn", date(2026, 5, 3)),
        ("export-sft", "pii_ssn", date(2026, 5, 3)),
        ("index", "no_timestamp", None),
    ]
    unnested = "(SELECT unnest(verdicts, recursive := true) FROM gate_verdicts WHERE asset = 'evidence')"
    assert ("provenance_resolves", True) in rows(f'SELECT "check", passed FROM {unnested}')
    assert rows("FROM unread_lines") == []


TORN, BROKEN, NULS = b'{"schema":"session.iterate.v1","session_id":"to', b'{"schema": oops}', b"\0" * 64


def test_lines_that_are_no_session_hide_no_other_and_are_counted(lab: Any, rows: Any) -> None:
    other = session("s-other", "accepted", schema="session.iterate.v2")
    lab.write("sessions", session("s-1", "accepted"), BROKEN, session("s-2", "no_json"), NULS, b"", b"[1]", b'"s"')
    lab.write("sessions", b'{"session_id":"bad \xff"}', other, {"schema": "session.iterate.v1"}, session("s-3"))
    lab.write("sessions", TORN, end=b"")
    assert rows("SELECT session_id FROM sessions ORDER BY entry") == [("s-1",), ("s-2",), ("s-3",)]
    assert rows("FROM unread_lines") == [("sessions", "_kb/sessions.jsonl", 8)]


def test_a_field_of_the_wrong_type_is_null_and_hides_neither_its_row_nor_its_neighbours(lab: Any, rows: Any) -> None:
    lab.write(
        "sessions", session("s-1", "accepted", duration_ms="long", attempts=[{"iteration": "x", "verdict": 3}, 7])
    )
    assert rows("SELECT session_id, duration_ms, iterations, attempts[1].iteration FROM sessions") == [
        ("s-1", None, 1, None)
    ]


def test_sessions_of_two_runtimes_stand_in_one_log(lab: Any, rows: Any) -> None:
    theirs = session("go-1", "validation_failed", "accepted", daemon="validatord", host="gateway-2")
    theirs["attempts"][0] |= {"error": '{"Policy":{"reason":"w-1 is blacklisted"}}', "queue_ms": 3}
    theirs["attempts"][1]["error"] = None
    theirs = dict(reversed(theirs.items()))
    ours = session("py-1", "accepted", artifact={"fills": [{"worker_id": "w-1"}], "note": ""})
    lab.write("sessions", theirs, ours)
    assert rows("SELECT session_id, daemon, len(attempts), artifact FROM sessions ORDER BY entry") == [
        ("go-1", "validatord", 2, None),
        ("py-1", "lakehouse", 1, '{"fills":[{"worker_id":"w-1"}],"note":""}'),
    ]
    assert rows("SELECT session_id, iteration, verdict, session_verdict FROM session_attempts ORDER BY ALL") == [
        ("go-1", 0, "validation_failed", "accepted"),
        ("go-1", 1, "accepted", "accepted"),
        ("py-1", 0, "accepted", "accepted"),
    ]


def test_absent_and_empty_differ(lab: Any, rows: Any) -> None:
    lab.write("sessions", session("s-1", prompt="", attempts=[], iterations=0), session("s-2", artifact=None))
    assert rows("SELECT prompt, attempts, iterations, artifact, grounded_in_roster FROM sessions ORDER BY entry") == [
        ("", [], 0, None, None),
        ("Fill C-1", [], 0, None, None),
    ]


def waiver(day: str, at: str, withdrawn: bool = False) -> dict[str, Any]:
    named = {"asset": "evidence", "partition": day, "check": "contract", "input_sha256": "a" * 64}
    return {**named, "by": "ann", "reason": "known", "at": at, "withdrawn": withdrawn}


def override(sig: str, category: str, at: str) -> dict[str, Any]:
    return {"sig_hash": sig, "category": category, "by": "ann", "reason": "read it", "at": at}


def playbook(name: str, **more: Any) -> dict[str, Any]:
    said = {"id": name, "query_text": "need welders", "answer_id": "w-1", "answer_corpus": "workers", "score": 1.0}
    return {**said, "tags": [], "recorded_by": "ann", "recorded_at": "2026-05-01T00:00:00.000Z", **more}


@pytest.mark.parametrize(
    ("view", "log", "lines", "holding"),
    [
        (
            "gate_waivers",
            "gate_waivers",
            [waiver("2026-05-01", "a"), waiver("2026-05-02", "b"), waiver("2026-05-01", "c", withdrawn=True)],
            [2],
        ),
        (
            "human_overrides",
            "human_overrides",
            [
                override("x", "rejected", "2026-05-01T12:00:00+02:00"),
                override("x", "accepted", "2026-05-01T09:00:00Z"),
                override("y", "accepted", "2026-05-01T09:00:00.0001Z"),
                override("y", "rejected", "2026-05-01T11:00:00.0001+02:00"),
                override("x", "accepted", "some day"),
            ],
            [1, 4],
        ),
        (
            "playbooks",
            "playbooks",
            [
                playbook("pb-1"),
                playbook("pb-1", namespace="ann"),
                playbook("pb-1", score=0.5),
                playbook("pb-2"),
                playbook("pb-2", retired_at="2026-05-02T00:00:00.000Z"),
            ],
            [2, 3],
        ),
        (
            "fresh_workers",
            "fresh_workers",
            [
                {"id": "f-1", "recorded_at": "x"},
                {"id": "f-2", "recorded_at": "x"},
                {"id": "f-1", "recorded_at": "y"},
                {"id": "f-2", "recorded_at": "y", "merged_into": "workers"},
            ],
            [3],
        ),
        (
            "recalls",
            "../distilled/releases/recalls",
            [
                {"release_hash": "r", "sig_hash": sig, "verdict_then": "accepted", "verdict_now": now}
                for sig, now in (("a", "rejected"), ("b", "rejected"), ("a", "accepted"))
            ],
            [2],
        ),
    ],
)
def test_holds_marks_the_lines_that_count_now(
    lab: Any, rows: Any, view: str, log: str, lines: Any, holding: Any
) -> None:
    lab.write(log, *lines)
    assert rows(f"SELECT entry FROM {view} WHERE holds ORDER BY entry") == [(one,) for one in holding]
    assert rows(f"SELECT count(*) FROM {view}") == [(len(lines),)]


def test_every_subject_and_every_row_of_their_logs_is_there_and_no_key(lab: Any, rows: Any) -> None:
    for name, looks in (("w-1", 2), ("w-2", 1)):
        folder = lab.root / "subjects" / name
        folder.mkdir(parents=True)
        (folder / "key").write_bytes(b"k" * 32)
        manifest = {"schema_version": 1, "subject_id": name, "kind": "worker", "created_at": "x", "retention": "P1Y"}
        manifest |= {"key_id": "k1", "datasets": ["workers"], "audit_log": "audit.jsonl"}
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))
        who = {"daemon": "d", "user": "ann", "purpose": "fill", "trace_id": ""}
        row = {"schema": "subject_audit.v1", "ts": "2026-05-01T00:00:00Z", "subject_id": name, "accessor": who}
        row |= {"fields_accessed": [], "result": "ok", "key_id": "k1", "prev_hmac": "0" * 64, "hmac": "1" * 64}
        (folder / "audit.jsonl").write_text((json.dumps(row) + "\n") * looks)
    counted = "SELECT subject_id, count(*), any_value(accessor.trace_id) FROM subject_audit GROUP BY ALL ORDER BY ALL"
    assert rows(counted) == [("w-1", 2, ""), ("w-2", 1, "")]
    assert rows("SELECT subject_id, datasets FROM subjects ORDER BY ALL") == [
        ("w-1", ["workers"]),
        ("w-2", ["workers"]),
    ]


def test_a_damaged_document_hides_no_other(lab: Any, rows: Any) -> None:
    folder = lab.root / "gates" / "evidence"
    folder.mkdir(parents=True)
    good = {"schema_version": 1, "asset": "evidence", "partition": "2026-05-01", "verdicts": []}
    (folder / "2026-05-01.json").write_text(json.dumps(good, indent=2))
    (folder / "2026-05-02.json").write_bytes(b'{"schema_version": 1, "ass')
    (folder / "2026-05-03.json").write_bytes(b"\xff\xfe")
    assert rows("SELECT partition, verdicts, file FROM gate_verdicts") == [
        ("2026-05-01", [], "gates/evidence/2026-05-01.json")
    ]
    assert rows("SELECT view, file, lines FROM unread_lines ORDER BY ALL") == [
        ("gate_verdicts", f"gates/evidence/2026-05-0{day}.json", 1) for day in (2, 3)
    ]


@pytest.mark.parametrize("name", ["ann's lake", "see Ünïcode 🦆", "x[1]", "what?", "a*b", 'say "so"', "$HOME; --"])
def test_the_lake_may_lie_anywhere_and_only_it_is_read(tmp_path: Path, name: str) -> None:
    for folder in (name, "x1", "whatX", "aXb"):
        (tmp_path / folder / "_kb").mkdir(parents=True)
        line = json.dumps(session("mine" if folder == name else "theirs", "accepted"))
        (tmp_path / folder / "_kb" / "sessions.jsonl").write_text(line + "\n")
        day = tmp_path / folder / "quarantine" / "2026" / "05" / "01"
        day.mkdir(parents=True)
        refused = {"schema_version": 1, "stage": "index", "reason_code": folder}
        (day / "index.jsonl").write_text(json.dumps(refused) + "\n")
    lake = Lake(tmp_path / name)
    assert ask(lake, "SELECT session_id, file FROM sessions").rows == [("mine", "_kb/sessions.jsonl")]
    told = ask(lake, "SELECT reason_code, day::VARCHAR, file FROM quarantine").rows
    assert told == [(name, "2026-05-01", "quarantine/2026/05/01/index.jsonl")]
    assert ask(lake, "FROM left_out").rows == []


def test_a_half_written_file_beside_the_others_is_not_read(lab: Any, rows: Any) -> None:
    day = lab.root / "evidence" / "2026" / "05" / "01"
    day.mkdir(parents=True)
    (day / ".audits.jsonl.77-0.tmp").write_text("{}\n")
    (day / ".audits.jsonl").write_text('{"schema_version":1,"run_id":"r","provenance":{}}\n')
    assert rows("SELECT count(*) FROM evidence") == [(0,)]
