"""Streams: what each built-in one makes of a row, and the streams that users bring."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from lakehouse.canonical import sig_hash
from lakehouse.chain.collect import Refused, to_evidence
from lakehouse.errors import UsageError
from lakehouse.streams import BUILT_IN, BadRow, Stream, load_streams

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
        {"phase": 3, "overall": "block", "severity": "low", "findings": ["f1", "f2"], "reasoning": "why", "head_sha": "ab"},
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
        ("distilled_config_hints", {"source_run_id": "r", "text": "t", "key": "k", "value": None}, "text", "t\nk = null"),
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
    from lakehouse.scoring import judge

    stream = STREAMS["agent_runs"]
    line = orjson.dumps({"ts": TS, "prompt": "p", "response": "r", "metadata": judgement})
    record = to_evidence(stream, "_kb/agent_runs.jsonl", 0, line, NOW)
    assert judge(record, stream.scorer).category == "needs_human_review"


# Declared streams.

TICKETS = {
    "class": "telemetry",
    "scorer": "outcome",
    "timestamp": "ticket.closed_at",
    "fields": {
        "task_id": "ticket:{ticket.id}/{choices.0.kind}",
        "run_id": "ticket.id",
        "text": "choices.0.text",
        "model": "model",
        "cost_usd": "usage.cost",
        "metadata.reward": "csat",
        "metadata.team": "ticket.team",
    },
}
TICKET = {
    "ticket": {"id": 77, "closed_at": "2026-05-01T10:00:00+02:00", "team": "north"},
    "choices": [{"kind": "refund", "text": ["first", "second"]}],
    "model": "openai/gpt",
    "usage": {"cost": 0},
    "csat": 1.0,
}


def declared(table: Row, name: str = "tickets") -> Stream:
    return load_streams({name: table})[name]


def test_a_declared_stream_maps_fields_to_evidence() -> None:
    found = evidence(declared(TICKETS), orjson.dumps(TICKET))
    assert {key: found.get(key) for key in ("run_id", "task_id", "timestamp", "text", "model_name", "cost_usd")} == {
        "run_id": "77",
        "task_id": "ticket:77/refund",
        "timestamp": "2026-05-01T10:00:00+02:00",
        "text": "first\nsecond",
        "model_name": "gpt",
        "cost_usd": 0,
    }
    assert found["metadata"] == {"reward": 1.0, "team": "north"}
    assert (found["source_class"], found["model_role"]) == ("telemetry", "executor")


def test_a_declared_stream_goes_through_the_whole_chain(lab: Any) -> None:
    lab.settings("""
workers = 1
[streams.tickets]
class = "telemetry"
scorer = "outcome"
timestamp = "ticket.closed_at"
[streams.tickets.fields]
task_id = "ticket:{ticket.id}"
text = "choices.0.text"
"metadata.reward" = "csat"
""")
    bad = {"csat": 0.0, "ticket": {**TICKET["ticket"], "id": 78}, "choices": [{"text": "no"}]}
    lab.write("tickets", TICKET, {**TICKET, **bad})
    summary = lab.night()
    assert (summary.status, summary.held_days) == ("ok", {})
    assert [run["category"] for run in lab.scored()] == ["accepted", "rejected"]
    assert [sample["task_id"] for sample in lab.published()] == ["ticket:77"]
    assert lab.published()[0]["instruction"] == "Source 'tickets' run; produce the appropriate output."


def test_a_declared_stream_may_take_a_conversation() -> None:
    table = {"class": "telemetry", "scorer": "outcome", "fields": {"task_id": "id", "messages": "log"}}
    found = evidence(declared(table), {"id": "x", "log": CONVERSATION})
    assert (found["text"], found["messages"]) == ("booked", CONVERSATION)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"ticket": {"closed_at": TS}}, "missing_field", "ticket.id"),
        ({"choices": []}, "missing_field", "choices.0.kind"),
        ({"usage": {"cost": "free"}}, "bad_value", "cost_usd"),
        ({"model": 7}, "bad_value", "model"),
        ({"choices": [{"kind": "a", "text": 5}]}, "bad_value", "text"),
        ({"choices": [{"kind": "a", "text": {"a": "b"}}]}, "bad_value", "text"),
        ({"choices": [{"kind": "a", "text": True}]}, "bad_value", "text"),
    ],
)
def test_a_row_that_the_declaration_does_not_fit_is_refused_by_field(change: Row, code: str, field: str) -> None:
    assert refused(declared(TICKETS), orjson.dumps({**TICKET, **change})) == (code, field)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"class": "opinion"}, "class"),
        ({"class": None}, "class"),
        ({"colour": "red"}, "colour"),
        ({"fields": {}}, "task_id"),
        ({"fields": {"text": "a"}}, "task_id"),
        ({"fields": {"task_id": "a", "sig_hash": "b"}}, "sig_hash"),
        ({"fields": {"task_id": 7}}, "fields"),
        ({"path": "/etc/passwd"}, "/etc/passwd"),
        ({"path": "_kb/../../secrets"}, "secrets"),
        ({"path": "evidence/2026"}, "evidence/2026"),
        ({"path": "_kb/audits.jsonl"}, "audits"),
        ({"path": "_kb/human_overrides.jsonl"}, "human_overrides"),
        ({"path": "_kb/audits/mine"}, "audits"),
        ({"scorer": "horoscope"}, "horoscope"),
        ({"template": "haiku"}, "haiku"),
    ],
)
def test_a_wrong_declaration_is_an_error_that_says_what(change: Row, says: str) -> None:
    table = {key: value for key, value in {**TICKETS, **change}.items() if value is not None}
    with pytest.raises(UsageError, match="tickets") as error:
        declared(table)
    assert says in str(error.value)


@pytest.mark.parametrize("name", ["Tickets", "1st", "a b", "../x", "a.b", "", "audits", "human_overrides"])
def test_a_stream_needs_a_plain_name_of_its_own(name: str) -> None:
    with pytest.raises(UsageError):
        declared(TICKETS, name)


def test_a_declaration_that_is_no_table_is_an_error() -> None:
    with pytest.raises(UsageError, match="tickets"):
        load_streams({"tickets": "yes"})


# Streams of plugins.


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that installs a distribution with one entry point, as pip would leave it."""

    def install(source: str, value: str) -> None:
        module = value.partition(":")[0]
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[lakehouse.streams]\nmine = {value}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


PLUGIN = """
from lakehouse.streams import Row, Stream
from lakehouse.streams.spec import begin

class Ticket(Row):
    number: int

def ticket(row, seen):
    return begin(row, seen, f"ticket:{row.number}", "done")

STREAM = Stream(name="mine", source_class="telemetry", role="executor", scorer="outcome", row_type=Ticket,
                transform=ticket, description="Mine.")

def make():
    return STREAM
"""


@pytest.mark.parametrize("attribute", ["STREAM", "make"])
def test_a_plugin_brings_a_stream(plugin: Any, attribute: str) -> None:
    plugin(PLUGIN, f"plugin_{attribute.lower()}:{attribute}")
    found = evidence(load_streams()["mine"], {"number": 4})
    assert (found["task_id"], found["text"]) == ("ticket:4", "done")


def test_a_plugin_that_gives_no_stream_is_named(plugin: Any) -> None:
    plugin("def make():\n    return 7\n", "plugin_seven:make")
    with pytest.raises(UsageError, match="plugin_seven:make"):
        load_streams()


def test_a_plugin_may_not_take_the_name_of_another_stream(plugin: Any) -> None:
    plugin(PLUGIN.replace('name="mine"', 'name="audits"'), "plugin_audits:STREAM")
    with pytest.raises(UsageError, match="audits"):
        load_streams()


def test_a_transform_says_why_it_refuses() -> None:
    refusal = BadRow("bad_value", "x", "x is odd")
    assert (refusal.code, refusal.field, str(refusal)) == ("bad_value", "x", "x is odd")
