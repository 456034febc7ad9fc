"""Making a training sample: the templates byte for byte, the context line, the conversation, ids of content."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest

from lakehouse.chain.collect import to_evidence
from lakehouse.errors import SftContamination
from lakehouse.records import EvidenceRecord, RetrievedContext, SftSample
from lakehouse.scoring import score
from lakehouse.sft import Content, context, conversation, synthesize
from lakehouse.streams import BUILT_IN
from lakehouse.templates import TEMPLATES

STREAMS = {stream.name: stream for stream in BUILT_IN}
NOW = "2026-05-02T02:00:00.000Z"


def evidence(name: str, **row: Any) -> EvidenceRecord:
    line = orjson.dumps({"ts": "2026-05-01T10:00:00Z", **row})
    return to_evidence(STREAMS[name], f"_kb/{name}.jsonl", 0, line, NOW)


def sample(name: str, **row: Any) -> SftSample | None:
    record = evidence(name, **row)
    return synthesize(record, score(record, STREAMS[name], NOW), STREAMS[name], NOW, include_partial=True)


CASES: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "scrum_reviews",
        {"file": "src/a.rs", "accepted_on_attempt": 1, "suggestions": "s"},
        "Review the file 'src/a.rs' against the PRD. Report what is verified, what is missing and what must change.",
        "s",
    ),
    (
        "mode_experiments",
        {"task_class": "review", "file": "a.rs", "mode": "terse", "ok": True, "response": "r"},
        "Run task_class='review' for file 'a.rs' in mode 'terse'.",
        "r",
    ),
    (
        "auto_apply",
        {"file": "a.rs", "action": "committed", "patch": "+ x"},
        "Auto-apply: emit a 6-line surgical patch for 'a.rs' that keeps the build green.",
        "+ x",
    ),
    (
        "audits",
        {"phase": "phase:7", "severity": "low", "reasoning": "why"},
        "Audit phase 'phase:7'. State the verdict and the findings behind it.",
        "why",
    ),
    (
        "audits",
        {"phase": 3, "severity": "low", "reasoning": "why"},
        "Audit phase '3'. State the verdict and the findings behind it.",
        "why",
    ),
    (
        "observer_reviews",
        {"file": "a.rs", "verdict": "accept", "notes": "n"},
        "Observer-review the latest attempt on 'a.rs'. Say accept, cycle or reject, and why.",
        "n",
    ),
    (
        "contract_analyses",
        {"permit_id": "p-7", "contractor": "O'Neil & Söhne", "observer_verdict": "accept", "analysis": "fine"},
        "Analyze contractor 'O'Neil & Söhne' for permit 'p-7'.",
        "fine",
    ),
    (
        "contract_analyses",
        {"permit_id": 7, "observer_verdict": "accept", "analysis": "fine"},
        "Analyze permit '7'.",
        "fine",
    ),
    (
        "outcomes",
        {"scenario": "fill the shift", "total_events": 1, "ok_events": 1},
        "Run scenario 'fill the shift'; report per-event outcome.",
        "1 of 1 events ok",
    ),
    (
        "outcomes",
        {"scenario": "", "total_events": 1, "ok_events": 1},
        "Run scenario; report per-event outcome.",
        "1 of 1 events ok",
    ),
    (
        "observer_escalations",
        {"cluster_id": 1, "resolved": True, "analysis": "a"},
        "Source 'observer_escalations' run; produce the appropriate output.",
        "a",
    ),
    ("agent_runs", {"prompt": "do it", "response": "done", "passed": True}, "do it", "done"),
    (
        "agent_runs",
        {
            "prompt": "other",
            "passed": True,
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": [{"type": "text", "text": "two "}, {"type": "text", "text": "parts"}]},
                {"role": "user", "content": "second"},
                {"role": "assistant", "content": "done"},
            ],
        },
        "two parts",
        "done",
    ),
]


@pytest.mark.parametrize(("name", "row", "instruction", "response"), CASES)
def test_a_sample_matches_its_template_byte_for_byte(
    name: str, row: dict[str, Any], instruction: str, response: str
) -> None:
    made = sample(name, **row)
    assert made is not None
    assert made.instruction.encode() == instruction.encode()
    assert made.response.encode() == response.encode()


def test_every_template_is_shown_here() -> None:
    assert {STREAMS[case[0]].template for case in CASES} == set(TEMPLATES)


@pytest.mark.parametrize(
    ("retrieved", "model", "line"),
    [
        (None, None, ""),
        (None, "grok", "model: grok"),
        (RetrievedContext(corpora=["a", "b"]), None, "matrix: a, b"),
        (RetrievedContext(corpora=[], pathway_fingerprints=["x", "y"]), None, "pathway: x, y"),
        (RetrievedContext(corpora=["a"], pathway_fingerprints=["x"]), "m", "matrix: a · pathway: x · model: m"),
        (RetrievedContext(corpora=[], pathway_fingerprints=[]), "", ""),
    ],
)
def test_the_context_holds_the_parts_that_exist(
    retrieved: RetrievedContext | None, model: str | None, line: str
) -> None:
    record = evidence("agent_runs", prompt="p", response="r")
    assert context(msgspec.structs.replace(record, retrieved_context=retrieved, model_name=model)) == line


U, A, T = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, {"role": "tool", "content": "t"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}


@pytest.mark.parametrize(
    ("messages", "response", "expected"),
    [
        ([U, A], None, [U, A]),
        ([U, A, U, T], None, [U, A]),
        ([U, CALL, T, A, T], None, [U, CALL, T, A]),
        ([U, A, CALL, T], None, [U, A, CALL]),
        ([U, A, U], "beside", [U, A, U, {"role": "assistant", "content": "beside"}]),
        ([U], "beside", [U, {"role": "assistant", "content": "beside"}]),
        ([U, A, U], "a", [U, A]),
        ([U, T], None, None),
    ],
)
def test_a_conversation_ends_on_its_answer(messages: Any, response: str | None, expected: Any) -> None:
    row = {"messages": messages, "run_id": "r"} | ({"response": response} if response else {})
    assert conversation(evidence("agent_runs", **row)) == expected


@pytest.mark.parametrize(
    "row", [{"prompt": "p", "response": ""}, {"prompt": "p", "response": " \n"}, {"response": "r"}]
)
def test_a_run_with_nothing_to_ask_or_to_answer_makes_no_sample(row: dict[str, Any]) -> None:
    assert sample("agent_runs", passed=True, **row) is None


def test_a_run_that_may_not_be_trained_on_is_refused_when_asked_for() -> None:
    with pytest.raises(SftContamination, match="needs_human_review"):
        sample("agent_runs", prompt="p", response="r", run_id="x")


def ids(**row: Any) -> str:
    return Content(evidence("agent_runs", **row), STREAMS["agent_runs"]).id


SAME = {"prompt": "p", "response": "r", "model": "m"}


@pytest.mark.parametrize(
    "other", [{"run_id": "x"}, {"ts": "2026-05-09T10:00:00Z"}, {"reward": 1.0}, {"cost_usd": 3}, {"task_id": "t"}]
)
def test_an_id_depends_on_content_only(other: dict[str, Any]) -> None:
    assert ids(**SAME) == ids(**{**SAME, **other})


@pytest.mark.parametrize("other", [{"prompt": "P"}, {"response": "R"}, {"model": "M"}, {"messages": [U, A]}])
def test_another_content_has_another_id(other: dict[str, Any]) -> None:
    assert ids(**SAME) != ids(**{**SAME, **other})


def test_a_sample_carries_its_run() -> None:
    record = evidence("agent_runs", run_id="r9", task_id="t9", prompt="p", response="r", reward=0.5)
    made = sample("agent_runs", run_id="r9", task_id="t9", prompt="p", response="r", reward=0.5)
    assert made is not None
    assert (made.source_run_id, made.task_id, made.category, made.quality_score, made.created_at) == (
        "r9",
        "t9",
        "partially_accepted",
        0.5,
        NOW,
    )
    assert made.provenance == record.provenance
    assert made.messages is None


def test_a_conversation_with_an_image_is_no_sample() -> None:
    image = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url"}]}
    answer = {"role": "assistant", "content": "A badge."}
    assert sample("agent_runs", messages=[image, answer], reward=1.0) is None
    assert sample("agent_runs", messages=[{**image, "content": image["content"][:1]}, answer], reward=1.0) is not None
