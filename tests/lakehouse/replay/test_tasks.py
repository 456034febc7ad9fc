"""Which tasks are done again: the newest accepted runs, once each, with what was asked then."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse.errors import RecordError, UsageError
from lakehouse.gates.verdicts import record
from lakehouse.replay.tasks import newest_accepted, newest_of
from tests.conftest import review
from tests.lakehouse.conftest import green

FIRST, SECOND, THIRD = "2026-05-01", "2026-05-02", "2026-05-03"


def agent_run(task: str, day: str = THIRD, **fields: Any) -> dict[str, Any]:
    given = {
        "run_id": f"run-{task}",
        "task_id": task,
        "prompt": f"do {task}",
        "response": f"{task} is done",
        "passed": True,
    }
    return {**given, "ts": f"{day}T12:00:00Z", **fields}


def found(bench: Any, n: int = 50) -> list[str | None]:
    return [task.task_id for task in newest_accepted(bench.lake, n)[0]]


def test_the_newest_come_first_and_only_as_many_days_as_needed_are_read(filled: Any) -> None:
    assert found(filled, 3) == [f"scrum_review:{name}.rs" for name in ("b03", "a03", "b02")]
    filled.lake.evidence(FIRST, "scrum_reviews").write_text("no evidence\n")
    assert len(found(filled, 4)) == 4
    with pytest.raises(RecordError, match=r"2026/05/01/scrum_reviews\.jsonl:1"):
        found(filled, 5)


def test_of_runs_at_one_time_the_signature_decides(bench: Any) -> None:
    bench.lab.write("scrum_reviews", *(review(f"{name}.rs", FIRST) for name in "abc"))
    bench.night()
    tasks, _ = newest_accepted(bench.lake, 9)
    signatures = [task.sig_hash for task in tasks]
    assert signatures == sorted(signatures, reverse=True)


def test_a_task_is_done_once_by_its_newest_run(bench: Any) -> None:
    bench.fill(FIRST)
    bench.lab.write("scrum_reviews", review("a01.rs", SECOND, text="seen again"))
    bench.night()
    tasks, _ = newest_accepted(bench.lake, 9)
    (one,) = [task for task in tasks if task.task_id == "scrum_review:a01.rs"]
    assert (one.day, (one.accepted or "")[:10]) == (SECOND, "seen again")


def test_a_task_has_the_question_of_its_training_sample(filled: Any) -> None:
    (task,), _ = newest_accepted(filled.lake, 1)
    assert task.question.startswith("Review the file 'b03.rs' against the PRD.")
    assert task.text == f"{task.question}\n\nmodel: grok"
    assert (task.stream, task.day, task.run_id) == ("scrum_reviews", THIRD, f"scrum_reviews-{task.sig_hash[:16]}")


def test_of_a_conversation_the_question_is_what_the_user_said_first(bench: Any) -> None:
    said = [
        ("system", "be kind"),
        ("user", "book a seat"),
        ("assistant", "where?"),
        ("user", "5A"),
        ("assistant", "booked 5A"),
    ]
    messages = [{"role": role, "content": text} for role, text in said]
    bench.lab.write("agent_runs", agent_run("t1", prompt=None, response=None, messages=messages))
    bench.night()
    (task,), _ = newest_accepted(bench.lake, 9)
    assert (task.question, task.accepted) == ("book a seat", "booked 5A")


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        ({"validator": "sms"}, "sms"),
        ({"kind": "fill"}, "fill"),
        ({"validator": "email", "kind": "fill"}, "email"),
        ({"validator": "poem"}, None),
        ({"kind": ["fill"]}, None),
        ({}, None),
    ],
)
def test_a_run_says_itself_which_validator_its_answer_is_for(
    bench: Any, metadata: dict[str, Any], kind: str | None
) -> None:
    bench.lab.write("agent_runs", agent_run("t1", metadata=metadata))
    bench.night()
    (task,), _ = newest_accepted(bench.lake, 9)
    assert task.kind == kind


SSN = "his ssn is 219-09-9999"
STAMP = f"{THIRD}T12:00:00Z"


@pytest.mark.parametrize(
    ("stream", "row", "why"),
    [
        ("agent_runs", agent_run("t1", passed=False), None),
        ("agent_runs", agent_run("t1", prompt=""), "not_instructable"),
        ("agent_runs", agent_run("t1", response=SSN), "pii_ssn"),
        ("agent_runs", agent_run("t1", prompt=f"write that {SSN}"), "pii_ssn"),
        # An extracted text answers no question.
        (
            "distilled_facts",
            {"text": "a fact", "source_run_id": "r", "extractor": "x", "confidence": 0.99, "ts": STAMP},
            None,
        ),
        # Every run of this stream is asked the same.
        ("observer_escalations", {"cluster_id": "c", "analysis": "why", "resolved": True, "ts": STAMP}, None),
    ],
)
def test_what_cannot_be_asked_again_is_passed_over(
    bench: Any, stream: str, row: dict[str, Any], why: str | None
) -> None:
    bench.fill(FIRST)
    bench.lab.write(stream, row)
    bench.night()
    tasks, passed = newest_accepted(bench.lake, 9)
    assert {task.stream for task in tasks} == {"scrum_reviews"}
    assert dict(passed.skipped) == ({why: 1} if why else {})


def test_a_day_that_a_gate_holds_back_is_passed_over_by_name(filled: Any) -> None:
    record(filled.lake, "evidence", THIRD, green("contract", "x", passed=False, summary="broken"))
    tasks, passed = newest_accepted(filled.lake, 1)
    assert tasks[0].day == SECOND
    assert passed.held_days == {THIRD: "evidence/contract: broken"}


def test_one_task_is_found_by_its_id_in_its_newest_accepted_run(filled: Any) -> None:
    assert newest_of(filled.lake, "scrum_review:a01.rs").day == FIRST


def test_a_task_that_was_never_accepted_says_so(filled: Any) -> None:
    with pytest.raises(UsageError, match=r"no accepted run of task 'scrum_review:c01\.rs'"):
        newest_of(filled.lake, "scrum_review:c01.rs")
    filled.lab.write("agent_runs", agent_run("t1", response=SSN))
    filled.night()
    with pytest.raises(UsageError, match=r"to do again \(pii_ssn\)"):
        newest_of(filled.lake, "t1")
