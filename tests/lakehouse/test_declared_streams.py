"""Streams that users bring: declared in `lakehouse.toml`, or installed with a plugin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from lakehouse.chain.collect import Refused, to_evidence
from lakehouse.errors import UsageError
from lakehouse.streams import Stream, load_streams

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
        ({"fields": {"task_id": "ticket:{ticket.id"}}, "brace"),
        ({"fields": {"task_id": "ticket:ticket.id}"}}, "brace"),
        ({"fields": {"task_id": "{a}:{ticket.id"}}, "brace"),
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
