"""Built-in streams: what each makes of a row, and which rows it refuses."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest

from lakehouse.canonical import sig_hash
from lakehouse.chain.collect import Refused, to_evidence
from lakehouse.scoring import judge
from lakehouse.streams import BUILT_IN, BadRow, Stream

STREAMS = {stream.name: stream for stream in BUILT_IN}
TS = "2026-05-01T10:00:00.120Z"
NOW = "2026-05-02T02:00:00.000Z"
Row = dict[str, Any]


def evidence(stream: Stream, row: Row | bytes, offset: int = 3) -> Row:
    """Turn a row into evidence as the chain does, and give it as it is written."""
    line = row if isinstance(row, bytes) else orjson.dumps({"ts": TS, **row})
    record = to_evidence(stream, f"{stream.source}.jsonl", offset, line, NOW)
    return dict(msgspec.to_builtins(record))


def refused(stream: Stream, row: Row | bytes) -> tuple[str, str | None]:
    with pytest.raises(Refused) as refusal:
        evidence(stream, row)
    assert refusal.value.reason
    return refusal.value.code, refusal.value.field


CONVERSATION = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "book it"},
    {"role": "assistant", "content": "booked"},
    {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "done", "arguments": "{}"}}]},
]

# Per stream: class, role, a row, and what its evidence says beyond the common fields.
CASES: list[tuple[str, str, str, Row, Row]] = [
    (
        "scrum_reviews",
        "verdict",
        "reviewer",
        {
            "file": "src/a.rs",
            "model": "openrouter/x-ai/grok-4",
            "accepted_on_attempt": 2,
            "attempts_made": 3,
            "suggestions": ["one", {"line": 4}],
            "confidence_avg": 0.8,
            "latency_ms": 12.5,
            "prompt_tokens": 100,
            "completion_tokens": 7,
        },
        {
            "task_id": "scrum_review:src/a.rs",
            "text": 'one\n{"line":4}',
            "source_files": ["src/a.rs"],
            "model_provider": "openrouter",
            "model_name": "x-ai/grok-4",
            "success_markers": ["accepted_on_attempt_2"],
            "metadata": {"attempts_made": 3},
            "observer_confidence": 0.8,
            "latency_ms": 12.5,
            "prompt_tokens": 100,
            "completion_tokens": 7,
        },
    ),
    (
        "observer_reviews",
        "verdict",
        "reviewer",
        {"file": "a.rs", "model": "m", "attempt": 1, "verdict": "accept", "confidence": 1, "notes": ["x", "y"]},
        {
            "task_id": "observer_review:a.rs",
            "text": "x\ny",
            "source_files": ["a.rs"],
            "model_name": "m",
            "success_markers": ["verdict:accept"],
            "metadata": {"attempt": 1},
            "observer_verdict": "accept",
            "observer_confidence": 1,
            "observer_notes": ["x", "y"],
        },
    ),
    (
        "audits",
        "verdict",
        "verifier",
        {
            "phase": 3,
            "overall": "block",
            "severity": "low",
            "findings": ["f1", "f2"],
            "reasoning": "why",
            "head_sha": "ab",
        },
        {
            "task_id": "phase:3",
            "text": "why\n\n- f1\n- f2",
            "success_markers": ["severity:low"],
            "failure_markers": ["overall:block"],
            "metadata": {"phase": 3, "head_sha": "ab"},
        },
    ),
    (
        "contract_analyses",
        "verdict",
        "executor",
        {
            "permit_id": "p-7",
            "contractor": "ACME",
            "analysis": "fine",
            "observer_verdict": "reject",
            "observer_conf": 0.4,
            "cost_usd": 0.02,
            "duration_ms": 900,
        },
        {
            "task_id": "permit:p-7",
            "text": "fine",
            "failure_markers": ["verdict:reject"],
            "metadata": {"contractor": "ACME", "permit_id": "p-7"},
            "observer_verdict": "reject",
            "observer_confidence": 0.4,
            "cost_usd": 0.02,
            "latency_ms": 900,
        },
    ),
    (
        "observer_escalations",
        "verdict",
        "reviewer",
        {"cluster_id": "c1", "cluster_size": 5, "analysis": "timeouts", "recommended": "retry", "resolved": False},
        {
            "task_id": "escalation:c1",
            "text": "timeouts\n\nretry",
            "failure_markers": ["unresolved"],
            "metadata": {"cluster_size": 5},
        },
    ),
    (
        "auto_apply",
        "telemetry",
        "applier",
        {"file": "a.rs", "action": "committed", "patch": "+ x", "patches_applied": 0, "build_green": False},
        {
            "task_id": "auto_apply:a.rs",
            "text": "+ x",
            "source_files": ["a.rs"],
            "success_markers": ["committed"],
            "failure_markers": ["build_red"],
            "metadata": {"patches_applied": 0},
        },
    ),
    (
        "outcomes",
        "telemetry",
        "executor",
        {
            "run_id": "r-1",
            "scenario": "fill",
            "events": [{"name": "call", "ok": True, "extra": 1}, {"name": "book", "ok": False}],
            "elapsed_ms": 44,
        },
        {
            "run_id": "r-1",
            "task_id": "outcome:fill",
            "text": "call: ok\nbook: failed",
            "success_markers": ["events_ok:1/2"],
            "metadata": {"scenario": "fill"},
            "latency_ms": 44,
        },
    ),
    (
        "mode_experiments",
        "telemetry",
        "executor",
        {
            "task_class": "review",
            "mode": "terse",
            "file": "a.rs",
            "response": "ok then",
            "ok": True,
            "sources": {"corpora": ["docs"], "chunks_kept": 0, "chunks_dropped": 4, "downgraded_from": "full"},
        },
        {
            "task_id": "review:a.rs",
            "task_class": "review",
            "text": "ok then",
            "source_files": ["a.rs"],
            "success_markers": ["ok"],
            "metadata": {"mode": "terse", "downgraded_from": "full"},
            "retrieved_context": {"corpora": ["docs"], "chunks_kept": 0, "chunks_dropped": 4},
        },
    ),
    (
        "distilled_facts",
        "extraction",
        "extractor",
        {"source_run_id": "r1", "text": "retries help", "confidence": 0.9, "category": "ops"},
        {
            "task_id": "fact:r1",
            "text": "retries help",
            "metadata": {"confidence": 0.9, "category": "ops", "source_run_id": "r1"},
        },
    ),
    (
        "distilled_procedures",
        "extraction",
        "extractor",
        {"source_run_id": "r1", "text": "deploy", "steps": ["build", "ship"], "confidence": 0},
        {
            "task_id": "procedure:r1",
            "text": "deploy\n1. build\n2. ship",
            "metadata": {"confidence": 0, "source_run_id": "r1"},
        },
    ),
    (
        "distilled_config_hints",
        "extraction",
        "extractor",
        {"source_run_id": "r1", "key": "retries", "value": 3, "category": "net"},
        {"task_id": "config_hint:r1", "text": "retries = 3", "metadata": {"category": "net", "source_run_id": "r1"}},
    ),
    (
        "audit_facts",
        "extraction",
        "extractor",
        {"head_sha": "abc", "facts": ["f1", "f2"], "entities": [1, 2, 3], "pr": 12},
        {
            "task_id": "audit_fact:abc",
            "text": "f1\nf2",
            "metadata": {"entities": 3, "relationships": 0, "pr": 12, "head_sha": "abc"},
        },
    ),
    (
        "agent_runs",
        "telemetry",
        "executor",
        {
            "run_id": "t#1",
            "task_id": "t",
            "model": "gpt",
            "provider": "openai",
            "messages": CONVERSATION,
            "reward": 0.5,
            "passed": False,
            "verdict": "reject",
            "metadata": {"trial": 1},
        },
        {
            "run_id": "t#1",
            "task_id": "t",
            "text": "booked",
            "messages": CONVERSATION,
            "model_name": "gpt",
            "model_provider": "openai",
            "metadata": {"trial": 1, "reward": 0.5, "passed": False, "verdict": "reject"},
        },
    ),
]


def test_every_built_in_stream_has_its_row_here() -> None:
    assert sorted(case[0] for case in CASES) == sorted(STREAMS)
    assert len(STREAMS) == 13


@pytest.mark.parametrize(("name", "source_class", "role", "row", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_row_becomes_evidence(name: str, source_class: str, role: str, row: Row, expected: Row) -> None:
    stream = STREAMS[name]
    line = orjson.dumps({"ts": TS, **row})
    sig = sig_hash(line)
    common = {
        "schema_version": 1,
        "run_id": f"{name}-{sig[:16]}",
        "timestamp": TS,
        "provenance": {
            "source_file": f"_kb/{name}.jsonl",
            "line_offset": 3,
            "sig_hash": sig,
            "recorded_at": NOW,
        },
        "source_class": source_class,
        "model_role": role,
        "success_markers": [],
        "failure_markers": [],
    }
    assert evidence(stream, line) == common | expected


@pytest.mark.parametrize(
    ("name", "row", "field", "value"),
    [
        ("scrum_reviews", {"file": "a", "suggestions": "plain text"}, "text", "plain text"),
        ("scrum_reviews", {"file": "a"}, "text", ""),
        ("scrum_reviews", {"file": "a", "suggestions": []}, "text", ""),
        ("observer_reviews", {"file": "a", "notes": "one"}, "observer_notes", ["one"]),
        ("observer_reviews", {"file": "a", "notes": []}, "observer_notes", []),
        ("audits", {"phase": "p", "findings": ["f"]}, "text", "- f"),
        ("audits", {"phase": "p", "reasoning": "r"}, "text", "r"),
        ("observer_escalations", {"cluster_id": 1, "resolved": True}, "success_markers", ["resolved"]),
        ("auto_apply", {"file": "a", "action": "build_red_reverted"}, "failure_markers", ["build_red_reverted"]),
        ("auto_apply", {"file": "a", "build_green": True}, "success_markers", ["build_green"]),
        ("outcomes", {"scenario": "s", "total_events": 4, "ok_events": 3}, "text", "3 of 4 events ok"),
        ("outcomes", {"scenario": "s", "total_events": 4, "ok_events": 0}, "success_markers", ["events_ok:0/4"]),
        ("mode_experiments", {"task_class": "t", "file": "a", "ok": False}, "failure_markers", ["not_ok"]),
        ("distilled_procedures", {"source_run_id": "r", "steps": ["a"]}, "text", "1. a"),
        (
            "distilled_config_hints",
            {"source_run_id": "r", "text": "t", "key": "k", "value": None},
            "text",
            "t\nk = null",
        ),
        ("agent_runs", {"prompt": "p", "response": "r"}, "text", "r"),
        ("agent_runs", {"prompt": "p", "response": "r"}, "metadata", {"prompt": "p"}),
        ("agent_runs", {"run_id": "x", "response": ""}, "task_id", "agent_run:x"),
        ("agent_runs", {"run_id": "x", "response": ""}, "text", ""),
        ("scrum_reviews", {"file": "a", "model": "p/n", "provider": "own"}, "model_name", "p/n"),
        ("scrum_reviews", {"file": "a", "model": "p/n", "provider": "own"}, "model_provider", "own"),
        ("scrum_reviews", {"file": "a", "command": "make"}, "command", "make"),
        ("scrum_reviews", {"file": "a", "cost_usd": 0}, "cost_usd", 0),
    ],
)
def test_a_field_of_evidence_follows_the_row(name: str, row: Row, field: str, value: Any) -> None:
    assert evidence(STREAMS[name], row)[field] == value


@pytest.mark.parametrize(
    ("row", "timestamp"),
    [
        ({"reviewed_at": "2026-05-01T10:00:00.100000000Z"}, "2026-05-01T10:00:00.100000000Z"),
        ({"created_at": "2026-05-01T12:00:00+02:00", "reviewed_at": TS}, "2026-05-01T12:00:00+02:00"),
        ({"ts": None, "timestamp": TS}, TS),
        ({"ts": 1777636800}, "1777636800"),
        ({"extracted_at": TS}, TS),
    ],
)
def test_the_timestamp_is_copied_from_the_first_key_as_it_was_written(row: Row, timestamp: str) -> None:
    line = orjson.dumps({"file": "a", **row})
    assert evidence(STREAMS["scrum_reviews"], line)["timestamp"] == timestamp


def test_a_time_without_offset_is_marked() -> None:
    found = evidence(STREAMS["scrum_reviews"], {"file": "a", "ts": "2026-05-01T10:00:00"})
    assert found["metadata"] == {"timestamp_assumed_utc": True}


@pytest.mark.parametrize(
    ("name", "row", "code", "field"),
    [
        ("scrum_reviews", {}, "missing_field", "file"),
        ("scrum_reviews", {"file": None}, "bad_value", "file"),
        ("scrum_reviews", {"file": "a", "attempts_made": "two"}, "bad_value", "attempts_made"),
        ("outcomes", {"scenario": "s", "events": [{"name": "a", "ok": True}, {"name": "b"}]}, "missing_field", "events[1].ok"),
        ("outcomes", {"scenario": "s", "events": [{"name": "a", "ok": "yes"}]}, "bad_value", "events[0].ok"),
        ("scrum_reviews", {"file": "a", "human_override": {"category": "great", "by": "x"}}, "bad_value", "human_override.category"),
        (
            "scrum_reviews",
            {"file": "a", "human_override": {"category": "missing required field", "by": "x"}},
            "bad_value",
            "human_override.category",
        ),
        ("scrum_reviews", {"file": "a", "human_override": {"category": "accepted"}}, "missing_field", "human_override.by"),
        ("agent_runs", {"messages": [{"role": "user"}, {"content": "x"}]}, "bad_value", "messages[1].role"),
    ],
)  # fmt: skip
def test_a_row_is_refused_with_code_and_field(name: str, row: Row, code: str, field: str) -> None:
    assert refused(STREAMS[name], row) == (code, field)


@pytest.mark.parametrize("line", [b"{", b"[]", b"\xff", b'"text"'])
def test_what_is_no_object_is_a_decode_error(line: bytes) -> None:
    assert refused(STREAMS["audits"], line)[0] == "decode_error"


@pytest.mark.parametrize("name", ["scrum_reviews", "observer_reviews"])
def test_an_integer_of_any_size_in_a_list_becomes_text(name: str) -> None:
    key = "suggestions" if name == "scrum_reviews" else "notes"
    line = b'{"ts":"%s","file":"a","%s":["x",{"n":1180591620717411303424}]}' % (TS.encode(), key.encode())
    assert evidence(STREAMS[name], line)["text"] == 'x\n{"n":1180591620717411303424}'


@pytest.mark.parametrize("judgement", [{"reward": 1.0}, {"passed": True}, {"verdict": "accept"}])
def test_a_key_in_free_metadata_is_no_judgement(judgement: Row) -> None:
    stream = STREAMS["agent_runs"]
    line = orjson.dumps({"ts": TS, "prompt": "p", "response": "r", "metadata": judgement})
    record = to_evidence(stream, "_kb/agent_runs.jsonl", 0, line, NOW)
    assert judge(record, stream.scorer).category == "needs_human_review"


def test_a_transform_says_why_it_refuses() -> None:
    refusal = BadRow("bad_value", "x", "x is odd")
    assert (refusal.code, refusal.field, str(refusal)) == ("bad_value", "x", "x is odd")
