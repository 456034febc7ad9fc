"""Replaying the newest tasks: the log, what stands, what fails, the report and its receipt."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from lakehouse.records import Receipt
from lakehouse.replay import log
from lakehouse.replay.memory import remembered, state_path
from lakehouse.replay.report import ReplayReport, report_path
from lakehouse.run import run_hash
from tests.conftest import review


def test_every_answer_is_in_the_log_and_beside_what_was_accepted(filled: Any, helpers: Any) -> None:
    report = filled.replays(helpers.FakeChat(weak="verified b03.rs on 2026-05-03 and more"), 3)
    assert [row.task_id for row in report.rows] == [f"scrum_review:{name}.rs" for name in ("b03", "a03", "b02")]
    assert [row["task_id"] for row in filled.log()] == [row.task_id for row in report.rows]
    assert {row["producer"] for row in filled.log()} == {"python"}
    first = report.rows[0]
    assert first.accepted is not None
    assert first.accepted.startswith("verified b03.rs on 2026-05-03")
    assert first.similarity is not None
    assert first.similarity > (report.rows[2].similarity or 0)
    assert (first.valid_then, first.then_from) == (True, "checks")
    assert report.method == "word overlap (F1)"
    assert (report.retrieval, report.corpus) == ("full text", "rag_export")


def test_no_task_reads_its_own_answer(filled: Any, helpers: Any) -> None:
    report = filled.replays(helpers.FakeChat(weak=helpers.first_passage))
    own = {row["source_run_id"]: row["id"] for row in filled.lab.published_chunks()}
    assert len(report.rows) == 6
    for row in report.rows:
        assert row.run.retrieved
        assert own[row.run.source_run_id] not in {one.id for one in row.run.retrieved}


def test_the_same_question_is_asked_once_and_a_second_night_adds_nothing(filled: Any, helpers: Any) -> None:
    chat = helpers.FakeChat(weak="verified")
    first = filled.replays(chat)
    before = filled.lake.replays.read_bytes()
    second = filled.replays(chat)
    assert (first.asked, second.asked, len(chat.asked)) == (6, 0, 6)
    assert filled.lake.replays.read_bytes() == before
    assert [row.run for row in second.rows] == [row.run for row in first.rows]
    assert (second.mean, second.median) == (first.mean, first.median)


def test_anew_asks_again_and_the_new_answer_stands(filled: Any, helpers: Any) -> None:
    filled.replays(helpers.FakeChat(weak="old"), 1)
    assert filled.replays(helpers.FakeChat(weak="new"), 1, anew=True).asked == 1
    (row,) = filled.replays(helpers.FakeChat(), 1).rows
    assert (row.run.response, row.asked, len(filled.log())) == ("new", False, 2)


def test_a_new_passage_is_a_new_question(filled: Any, helpers: Any) -> None:
    chat = helpers.FakeChat(weak="verified")
    filled.replays(chat, 1)
    filled.lab.write("scrum_reviews", review("b03.rs", helpers.days[0], text="review the file against the PRD"))
    filled.night()
    assert filled.replays(chat, 1).asked == 1


def test_a_kill_loses_at_most_the_replay_that_was_being_asked(
    filled: Any, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = log.record

    def killed(lake: Any, run: Any) -> None:
        if len(filled.log()) == 2:
            raise KeyboardInterrupt
        record(lake, run)

    filled.lake.replays.touch()
    monkeypatch.setattr(log, "record", killed)
    chat = helpers.FakeChat(weak="verified")
    with pytest.raises(KeyboardInterrupt):
        filled.replays(chat)
    assert (len(chat.asked), len(filled.log())) == (3, 2)
    monkeypatch.undo()
    report = filled.replays(chat)
    assert (report.asked, len(report.rows), len(filled.log())) == (4, 6, 6)


@pytest.mark.parametrize("kind", ["provider_not_configured", "unreachable", "unauthorized", "model_not_found"])
def test_a_provider_that_is_not_there_is_asked_once(filled: Any, helpers: Any, kind: str) -> None:
    chat = helpers.FakeChat(weak=["verified", helpers.failing(kind)])
    report = filled.replays(chat)
    assert (len(chat.asked), len(report.rows), report.not_asked, report.tasks) == (2, 1, 4, 6)
    (failed,) = report.no_answer
    assert (failed.kind, failed.task_id, failed.where) == (kind, "scrum_review:a03.rs", "fake at 127.0.0.1:1")
    assert len(filled.log()) == 1


def test_a_call_that_fails_is_asked_again_next_time(filled: Any, helpers: Any) -> None:
    report = filled.replays(helpers.FakeChat(weak=["one", helpers.failing("timeout"), "three"]))
    assert (len(report.rows), len(report.no_answer), report.not_asked, len(filled.log())) == (5, 1, 0, 5)
    assert filled.replays(helpers.FakeChat(weak="late")).asked == 1


def test_three_failures_in_a_row_end_the_asking(filled: Any, helpers: Any) -> None:
    bad = helpers.failing("upstream")
    report = filled.replays(helpers.FakeChat(weak=[bad, bad, "fine", bad, bad, bad]))
    assert (len(report.rows), len(report.no_answer), report.not_asked) == (1, 5, 0)


def test_a_task_without_passages_ends_no_asking(filled: Any, helpers: Any) -> None:
    report = filled.replays(helpers.FakeChat(weak=helpers.failing("nothing_retrieved")))
    assert ([one.kind for one in report.no_answer], report.not_asked) == (["nothing_retrieved"] * 6, 0)


def test_where_nobody_can_be_asked_the_answers_that_stand_are_still_compared(filled: Any, helpers: Any) -> None:
    filled.replays(
        helpers.FakeChat(weak=[helpers.failing("timeout"), "two", "three", helpers.failing("timeout"), "five"])
    )
    chat = helpers.FakeChat(weak=helpers.failing("unreachable"))
    report = filled.replays(chat)
    assert (len(chat.asked), len(report.rows), len(report.no_answer), report.not_asked) == (1, 4, 1, 1)
    # An answer that stands is no sign that the provider is well.
    chat = helpers.FakeChat(weak=[helpers.failing("timeout")])
    report = filled.replays(chat, anew=True)
    assert (len(chat.asked), len(report.rows), report.not_asked) == (3, 2, 1)


def test_a_failed_validation_is_an_answer(filled: Any, helpers: Any) -> None:
    report = filled.replays(helpers.FakeChat(weak=["", "fine"], strong="better"), 2, stronger="strong")
    assert (report.valid, report.escalated, report.no_answer) == (2, 1, [])
    report = filled.replays(helpers.FakeChat(weak=["", "fine"]), 2)
    assert (report.valid, report.escalated, len(report.rows)) == (1, 0, 2)


def test_the_verdict_then_is_that_of_the_run_where_it_has_one(bench: Any, helpers: Any) -> None:
    given = {"prompt": "text Ann", "passed": True, "ts": "2026-05-03T12:00:00Z", "metadata": {"validator": "sms"}}
    bench.lab.write("agent_runs", {"run_id": "r", "task_id": "t", "response": "no payload", **given})
    bench.night()
    (row,) = bench.replays(helpers.FakeChat(weak='{"body": "hi"}'), validate=helpers.judge({"sms": []})).rows
    assert (row.valid_then, row.then_from, row.run.validation.ok) == (False, "checks", True)


def test_a_lake_without_an_accepted_task_gives_an_empty_report(bench: Any, helpers: Any) -> None:
    bench.lab.write("scrum_reviews", review("c.rs", helpers.days[0], None))
    bench.night()
    report = bench.replays(helpers.FakeChat())
    assert (report.tasks, report.mean) == (0, None)
    assert b"no accepted task" in report_path(bench.reports, report.run_id).read_bytes()


def test_the_report_is_written_for_people_and_for_machines(filled: Any, helpers: Any) -> None:
    chat = helpers.FakeChat(weak=["", "<script>alert(1)</script>", helpers.failing("timeout"), "fine"])
    report = filled.replays(chat)
    path = report_path(filled.reports, report.run_id)
    assert msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=ReplayReport) == report
    page = path.read_text()
    assert "<script>" not in page
    for said in (
        "5 of 6 tasks answered, 4 of the answers valid",
        "Completeness: the answer is empty",
        "fake at 127.0.0.1:1: timeout it is",
        "never with its own run",
        "scrum_review:",
        "“Nearest passage” is the distance, 1 / (1 + BM25), from the question to the nearest passage",
        "the gate replays_hold judges this report",
    ):
        assert said in re.sub(r"<wbr>", "", page), said
    assert "quotes the best passages" not in page


def test_the_receipt_balances_and_the_hash_of_a_run_is_what_it_was(filled: Any, helpers: Any) -> None:
    run = filled.lab.run("night-1")
    before = run_hash(run.receipts().values())
    filled.lab.write(
        "agent_runs",
        {
            "run_id": "r",
            "task_id": "t",
            "prompt": "p",
            "response": "ssn 219-09-9999",
            "passed": True,
            "ts": "2026-05-03T12:00:00Z",
        },
    )
    filled.night()
    report = filled.replays(helpers.FakeChat(weak=["one", helpers.failing("unreachable")]))
    path = filled.reports / "distillation" / report.run_id / "receipts" / "replay.json"
    receipt = msgspec.json.decode(path.read_bytes(), type=Receipt)
    assert (receipt.stage, receipt.status, receipt.records_in, receipt.records_out, receipt.records_skipped) == (
        "replay",
        "ok",
        7,
        1,
        6,
    )
    assert receipt.skip_reasons == {"no_answer": 1, "not_asked": 4, "pii_ssn": 1}
    assert [one.path for one in receipt.outputs] == ["_kb/replay_runs.jsonl"]
    assert "distilled/rag/rag_export.jsonl" in {one.path for one in receipt.inputs}
    assert run_hash(run.receipts().values()) == before


def test_the_lake_remembers_the_newest_report_and_those_before_it_that_differed(filled: Any, helpers: Any) -> None:
    chat = helpers.FakeChat(weak="verified")
    first = filled.replays(chat, 5)
    held = remembered(filled.lake)
    assert held is not None
    (way,) = held.ways.values()
    assert (way.newest.run_id, way.newest.mean, way.before) == (first.run_id, first.mean, [])
    assert way.newest.similarities == {row.task_id: row.similarity for row in first.rows}
    second = filled.replays(chat, 6)
    before = state_path(filled.lake).read_bytes()
    filled.replays(chat, 6)
    assert state_path(filled.lake).read_bytes() == before
    held = remembered(filled.lake)
    assert held is not None
    (way,) = held.ways.values()
    assert (way.newest.run_id, [one.run_id for one in way.before]) == (second.run_id, [first.run_id])
    assert way.newest.replays == [row.run.run_id for row in second.rows]


def test_of_a_big_report_the_newest_tasks_are_remembered(
    filled: Any, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.replay.memory.MOST_TASKS", 2)
    report = filled.replays(helpers.FakeChat(weak="verified"))
    held = remembered(filled.lake)
    assert held is not None
    (way,) = held.ways.values()
    assert list(way.newest.similarities) == [row.task_id for row in report.rows[:2]]


def test_lines_of_the_log_that_cannot_be_read_are_counted_and_the_first_is_named(filled: Any, helpers: Any) -> None:
    filled.lab.write("replay_runs", b"{", json.dumps({"schema": "replay_run.v1", "producer": "go"}).encode())
    report = filled.replays(helpers.FakeChat(weak="verified"), 1)
    assert report.refused_lines == 1
    assert (report.first_refused or "").startswith("_kb/replay_runs.jsonl:1: this is no replay (")
    page = report_path(filled.reports, report.run_id).read_text()
    assert "1 line passed over, the first _kb/replay_runs.jsonl:1: this is no replay (" in page
    assert "move the line out of the log" in page


def test_a_lake_without_accepted_tasks_needs_no_export(bench: Any, helpers: Any) -> None:
    assert bench.replays(helpers.FakeChat()).tasks == 0


def test_a_note_on_retrieval_is_in_the_report_and_on_its_page(filled: Any, helpers: Any) -> None:
    retrieve = helpers.MadeRetriever("passage")
    retrieve.note = "full text is searched, for <rag> cannot be"
    report = filled.replays(helpers.FakeChat(weak="fine"), 1, retrieve=retrieve)
    assert report.note == retrieve.note
    assert "for &lt;rag&gt; cannot be" in report_path(filled.reports, report.run_id).read_text()


def test_a_damaged_memory_of_reports_keeps_no_report_from_being_made(filled: Any, helpers: Any) -> None:
    state_path(filled.lake).write_text("{")
    report = filled.replays(helpers.FakeChat(weak="fine"), 1)
    held = remembered(filled.lake)
    assert held is not None
    assert [one.newest.run_id for one in held.ways.values()] == [report.run_id]
