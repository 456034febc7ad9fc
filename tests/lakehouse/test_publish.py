"""Publishing: what every green day holds against conflicts and copies, in three forms, and nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.errors import GateFailed, LakehouseError, SftContamination
from lakehouse.files import sha256_of
from lakehouse.gates.verdicts import verdict
from lakehouse.messages import clean
from lakehouse.publish import sft as publishing
from lakehouse.publish.exports import SFT
from lakehouse.publish.forms import chat, messages_line, prompt_completion_line
from lakehouse.publish.gating import EXPORT_GATES, look_at_export
from lakehouse.publish.sft import LEFT_OUT, asked
from lakehouse.publish.state import due
from lakehouse.records import Provenance, SftSample, Verdict
from lakehouse.sql import connect

DAYS = ["2026-05-01", "2026-05-02", "2026-05-03"]
DAY, NEXT, THIRD = DAYS
FORMS = ("sft_export.jsonl", "sft_messages.jsonl", "sft_prompt_completion.jsonl")
SPLITS = ("data/train.parquet", "data/validation.parquet", "data/test.parquet")


def run(n: Any, day: str = DAY, at: str = "10:00:00", **more: Any) -> dict[str, Any]:
    base = {"run_id": f"r{n}", "prompt": f"p{n}", "response": f"a{n}", "passed": True, "ts": f"{day}T{at}Z"}
    return {**base, **more}


def publish(lab: Any, **options: Any) -> Any:
    """Bring every day up to date, let the gates look, publish."""
    days = sorted({manifest.day for manifest in lab.make()})
    assert lab.gate(days) == []
    return lab.publish(**options)


def names(lab: Any) -> list[str]:
    return [sample["source_run_id"] for sample in lab.published()]


def balanced(published: Any) -> bool:
    accounted = published.records_out + sum(published.skip_reasons.values()) + published.records_quarantined
    return bool(published.records_in == accounted)


def test_every_green_day_is_joined_in_order(lab: Any) -> None:
    lab.write("agent_runs", run(3, THIRD), run(1), run(2, NEXT))
    published = publish(lab)
    assert names(lab) == ["r1", "r2", "r3"]
    assert (published.records_in, published.records_out, published.held_days) == (3, 3, {})
    assert published.counts["stream"] == {"agent_runs": 3}
    assert [ref.path for ref in published.outputs] == [f"distilled/sft/{name}" for name in (*FORMS, *SPLITS)]
    for ref in published.outputs:
        assert (ref.bytes, ref.sha256) == ((lab.root / ref.path).stat().st_size, sha256_of(lab.root / ref.path))
    assert [ref.rows for ref in published.outputs[:3]] == [3, 3, 3]
    assert sum(ref.rows for ref in published.outputs[3:]) == 3


def test_an_empty_lake_publishes_empty_files(lab: Any) -> None:
    published = lab.publish()
    assert [(lab.root / "distilled/sft" / name).read_bytes() for name in FORMS] == [b"", b"", b""]
    assert (published.records_in, published.records_out, published.verdicts[0].passed) == (0, 0, True)


@pytest.mark.parametrize("include_partial", [False, True])
def test_partially_accepted_runs_are_exported_only_on_request(lab: Any, include_partial: bool) -> None:
    lab.write("agent_runs", run(1), run(2, passed=None, reward=0.5))
    published = publish(lab, include_partial=include_partial)
    assert sorted(names(lab)) == (["r1", "r2"] if include_partial else ["r1"])
    assert published.skip_reasons == ({} if include_partial else {"partial_not_requested": 1})


@pytest.mark.parametrize("last", ["rejected", "needs_human_review"])
@pytest.mark.parametrize("days", [(DAY, DAY), (DAY, NEXT), (NEXT, DAY)])
def test_a_run_with_two_verdicts_is_not_published(lab: Any, last: str, days: tuple[str, str]) -> None:
    judged = {"rejected": {"passed": False}, "needs_human_review": {"passed": None}}[last]
    lab.write("agent_runs", run(1, days[0]), run(2), run(1, days[1], response="another", **judged))
    published = publish(lab)
    assert names(lab) == ["r2"]
    assert published.skip_reasons == {"conflicting_verdicts": 1, last: 1}
    assert published.counts["firewall"]["conflicting_verdicts"] == 1


def test_a_content_with_two_verdicts_is_not_published(lab: Any) -> None:
    lab.write("agent_runs", run(1), run(2), run(9, NEXT, passed=False, prompt="p1", response="a1"))
    published = publish(lab)
    assert names(lab) == ["r2"]
    assert published.skip_reasons == {"conflicting_verdicts": 1, "rejected": 1}


def test_runs_of_one_name_in_two_streams_do_not_conflict(lab: Any) -> None:
    lab.write("agent_runs", run(1))
    lab.write(
        "outcomes", {"run_id": "r1", "scenario": "s", "total_events": 2, "ok_events": 0, "ts": f"{DAY}T10:00:00Z"}
    )
    publish(lab)
    assert names(lab) == ["r1"]


def test_an_override_settles_a_conflict(lab: Any) -> None:
    lab.write("agent_runs", run(1), run(1, NEXT, response="other", passed=False))
    publish(lab)
    assert names(lab) == []
    sig_hash = lab.evidence()[1]["provenance"]["sig_hash"]
    lab.write(
        "human_overrides",
        {"sig_hash": sig_hash, "category": "accepted", "by": "ann", "reason": "fine", "at": "2026-05-09T00:00:00Z"},
    )
    publish(lab)
    assert [sample["response"] for sample in lab.published()] == ["a1", "other"]


def same(n: int, day: str, at: str) -> dict[str, Any]:
    return run(n, day, at, prompt="same", response="content")


@pytest.mark.parametrize("seed", range(4))
def test_equal_contents_are_kept_once_with_the_earliest_run(lab: Any, seed: int) -> None:
    rows = [same(1, NEXT, "09:00:00"), same(2, DAY, "12:00:00"), same(3, DAY, "11:00:00"), same(4, THIRD, "00:00:00")]
    random.Random(seed).shuffle(rows)
    lab.write("agent_runs", *rows)
    published = publish(lab)
    assert names(lab) == ["r3"]
    assert published.skip_reasons == {"duplicate_content": 3}


def test_of_equal_contents_at_one_time_the_lower_signature_is_kept(lab: Any) -> None:
    lab.write("agent_runs", *(same(n, DAY, "11:00:00") for n in range(6)))
    publish(lab)
    lowest = min(lab.evidence(), key=lambda record: record["provenance"]["sig_hash"])
    assert names(lab) == [lowest["run_id"]]


def test_a_time_counts_as_an_instant_and_not_as_text(lab: Any) -> None:
    lab.write(
        "agent_runs",
        {**same(1, DAY, ""), "ts": "2026-05-01T10:00:00Z"},
        {**same(2, DAY, ""), "ts": "2026-05-01T11:30:00+02:00"},
    )
    publish(lab)
    assert names(lab) == ["r2"]


def test_a_copy_that_was_not_asked_for_does_not_hide_one_that_was(lab: Any) -> None:
    lab.write(
        "agent_runs",
        {**same(1, DAY, "09:00:00"), "passed": None, "reward": 0.5},
        same(2, DAY, "10:00:00"),
    )
    publish(lab)
    assert names(lab) == ["r2"]


def test_the_order_in_which_days_were_made_does_not_matter(new_lab: Any) -> None:
    rows = [same(n, DAYS[n % 3], f"1{n}:00:00") for n in range(6)] + [run(n, DAYS[n % 3]) for n in range(10, 16)]
    trees = []
    for order in (DAYS, DAYS[::-1]):
        lab = new_lab()
        lab.write("agent_runs", *rows)
        lab.index()
        for day in order:
            lab.make([day])
            lab.gate([day])
            lab.publish()
        trees.append(lab.tree("distilled"))
    assert trees[0] == trees[1]


@pytest.mark.parametrize("asset", ["evidence", "scored_runs", "sft_samples"])
def test_a_held_day_is_left_out_and_listed(lab: Any, asset: str) -> None:
    lab.write("agent_runs", run(1), run(2, NEXT), run(3, THIRD))
    publish(lab)
    lab.lake.gate(asset, NEXT).unlink()
    published = lab.publish()
    assert names(lab) == ["r1", "r3"]
    assert list(published.held_days) == [NEXT]
    assert published.held_days[NEXT].startswith(asset)
    assert published.skip_reasons == {"held_day": 1}
    assert balanced(published)


def test_what_a_held_day_says_against_a_run_counts(lab: Any) -> None:
    lab.write("agent_runs", run(1), run(1, NEXT, passed=False, response="x"))
    publish(lab)
    lab.lake.gate("evidence", NEXT).unlink()
    published = lab.publish()
    assert names(lab) == []
    assert published.skip_reasons == {"conflicting_verdicts": 1, "held_day": 1}


def test_a_copy_in_a_held_day_gives_way(lab: Any) -> None:
    lab.write("agent_runs", same(1, DAY, "09:00:00"), same(2, NEXT, "10:00:00"))
    publish(lab)
    assert names(lab) == ["r1"]
    lab.lake.gate("evidence", DAY).unlink()
    lab.publish()
    assert names(lab) == ["r2"]


def rewrite_part(lab: Any, change: Callable[[dict[str, Any]], dict[str, Any]], *, manifest: bool) -> None:
    """Change the last sample of a day's part, and with `manifest` all that vouches for it."""
    lake = lab.lake
    part, path = lake.part(DAY), lake.manifest("export-sft", DAY)
    lines = part.read_bytes().splitlines()
    lines[-1] = json.dumps(change(json.loads(lines[-1])), separators=(",", ":")).encode()
    part.write_bytes(b"".join(line + b"\n" for line in lines))
    if manifest:
        held = json.loads(path.read_text())
        for ref in held["outputs"]:
            if ref["path"] == lake.relative(part):
                ref["sha256"] = sha256_of(part)
                ref["bytes"] = part.stat().st_size
        path.write_text(json.dumps(held))
        assert lab.gate([DAY]) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda sample: {**sample, "category": "rejected"},
        lambda sample: {**sample, "quality_score": 0.5},
        lambda sample: {**sample, "source_run_id": "r7"},
        lambda sample: {**sample, "provenance": {**sample["provenance"], "line_offset": 2}},
        lambda sample: {**sample, "provenance": {**sample["provenance"], "source_file": "_kb/none.jsonl"}},
    ],
    ids=["category", "quality", "run", "line", "file"],
)
def test_a_contaminated_candidate_leaves_what_was_published(lab: Any, change: Any) -> None:
    lab.write("agent_runs", run(1), run(2), run(3, passed=False))
    publish(lab)
    files = [f"distilled/sft/{name}" for name in FORMS]
    before = [(lab.root / name).read_bytes() for name in files]
    rewrite_part(lab, change, manifest=True)
    with pytest.raises((GateFailed, SftContamination)) as error:
        lab.publish()
    assert error.value.exit_code == 1
    assert [(lab.root / name).read_bytes() for name in files] == before
    assert sorted(path.name for path in (lab.root / "distilled/sft").iterdir()) == sorted(
        ["parts", "data", LEFT_OUT, *FORMS]
    )


def test_a_contaminated_candidate_leaves_a_red_verdict_with_its_line(lab: Any) -> None:
    from lakehouse.gates.verdicts import read_verdicts

    lab.write("agent_runs", run(1, at="09:00:00"), run(2), run(3, passed=False))
    publish(lab)
    place = next(record["provenance"] for record in lab.evidence() if record["run_id"] == "r3")
    rewrite_part(lab, lambda sample: {**sample, "provenance": place, "source_run_id": "r3"}, manifest=True)
    with pytest.raises(GateFailed, match="contamination_firewall"):
        lab.publish()
    verdict = read_verdicts(lab.lake, "sft_export")["contamination_firewall"]
    assert not verdict.passed
    assert [(one["line"], one["run"]) for one in verdict.offenders] == [(2, "r3")]
    assert "candidate" in verdict.offenders[0]["file"]


def test_a_part_that_changed_after_its_gates_looked_is_not_published(lab: Any) -> None:
    lab.write("agent_runs", run(1), run(2))
    publish(lab)
    rewrite_part(lab, lambda sample: {**sample, "response": "never said"}, manifest=False)
    try:
        held = lab.publish().held_days
    except LakehouseError as error:
        assert "05/01" in str(error) or DAY in str(error)  # noqa: PT017 - held or refused, either will do
    else:
        assert list(held) == [DAY]
    assert "never said" not in [sample["response"] for sample in lab.published()]


def test_publishing_again_changes_no_byte(lab: Any) -> None:
    lab.write("agent_runs", run(1), run(2, NEXT))
    publish(lab)
    before = lab.tree("distilled", "gates")
    lab.publish(now="2026-06-01T02:00:00.000Z")
    assert lab.tree("distilled", "gates") == before


def test_a_warning_on_the_candidate_is_that_on_the_published_file(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def warning(lake: Any, path: Path, checked_at: str, name: str | None = None) -> Verdict:
        where = name or lake.relative(path)
        told: dict[str, Any] = {"passed": False, "severity": "WARN", "rows_checked": 1, "summary": "odd"}
        return verdict(
            "verdict_balance",
            **told,
            offenders=[{"file": where, "line": 1, "why": "odd"}],
            input_sha256=sha256_of(path),
            code_version="1",
            checked_at=checked_at,
        )

    monkeypatch.setattr("lakehouse.gates.verdict_balance.verdict_balance", warning)
    monkeypatch.setattr("lakehouse.publish.sft.verdict_balance", warning)
    lab.write("agent_runs", run(1), run(2, NEXT))
    publish(lab)
    before = lab.tree("gates")
    (balance,) = [gate for gate in EXPORT_GATES if gate.name == "verdict_balance"]
    with closing(connect(lab.lake)) as connection:
        look_at_export(balance, lab.lake, connection, "2026-06-01T02:00:00.000Z")
    assert lab.tree("gates") == before
    lab.publish(now="2026-06-02T02:00:00.000Z")
    assert lab.tree("gates") == before


RUNS = st.tuples(
    st.integers(0, 4),
    st.sampled_from(DAYS),
    st.sampled_from([{"passed": True}, {"passed": False}, {"passed": None}, {"passed": None, "reward": 0.5}]),
    st.sampled_from(["a", "b", "", "my ssn is 219-09-9999"]),
)


@settings(deadline=None, max_examples=25)
@given(st.lists(RUNS, max_size=15), st.booleans(), st.sets(st.sampled_from(DAYS)))
def test_the_accounting_balances_whatever_happens(
    new_lab: Any, runs: list[Any], include_partial: bool, unchecked: set[str]
) -> None:
    lab = new_lab()
    rows = [run(n, day, response=response, **judged) for n, day, judged, response in runs]
    lab.write("agent_runs", *rows)
    days = {manifest.day for manifest in lab.make()}
    lab.gate(sorted(days - unchecked))
    published = lab.publish(include_partial=include_partial)
    assert balanced(published)
    assert published.records_in == len({json.dumps(row, sort_keys=True) for row in rows})
    assert published.records_out == len(lab.published()) == sum(published.counts["stream"].values())
    assert set(published.held_days) == days & unchecked
    ids = [sample["id"] for sample in lab.published()]
    assert len(ids) == len(set(ids))
    never = {one["evidence_run_id"] for one in lab.scored() if one["category"] in ("rejected", "needs_human_review")}
    assert not never & set(names(lab))
    assert "219-09-9999" not in (lab.root / "distilled/sft/sft_export.jsonl").read_text()


# The forms of trainers.


def sample(messages: Any = None, context: str = "") -> SftSample:
    return SftSample(
        schema_version=1,
        id="sft-0",
        instruction="do",
        context=context,
        response="done",
        messages=messages,
        category="accepted",
        quality_score=1.0,
        source_run_id="r",
        task_id="t",
        created_at="x",
        provenance=Provenance(source_file="_kb/a.jsonl", line_offset=0, sig_hash="0", recorded_at="x"),
    )


def call(arguments: Any) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}


def test_a_sample_without_messages_is_a_question_and_its_answer() -> None:
    assert chat(sample()) == [{"role": "user", "content": "do"}, {"role": "assistant", "content": "done"}]
    assert chat(sample(context="model: m"))[0]["content"] == "do\n\nmodel: m"


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ({"a": 1}, '{"a":1}'),
        ([1, 2], "[1,2]"),
        ('{"a": 1}', '{"a": 1}'),
        ("", ""),
        (7, "7"),
        ({"n": 2**70}, '{"n":1180591620717411303424}'),
    ],
)
def test_the_arguments_of_a_tool_call_are_a_string(arguments: Any, written: str) -> None:
    messages = [{"role": "assistant", "content": None, "tool_calls": [call(arguments)]}]
    message = clean(messages[0])
    assert message["tool_calls"][0]["function"]["arguments"] == written
    assert messages[0]["tool_calls"][0]["function"]["arguments"] == arguments


@pytest.mark.parametrize(
    ("content", "written"),
    [
        ("x", "x"),
        (None, ""),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "image_url", "image_url": {"url": "u"}}], '[{"type":"image_url","image_url":{"url":"u"}}]'),
        ({"a": 1}, '{"a":1}'),
    ],
)
def test_the_content_of_a_message_is_a_string(content: Any, written: str) -> None:
    assert clean({"role": "assistant", "content": content, "tool_calls": None}) == {
        "role": "assistant",
        "content": written,
    }


CALLED = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


@pytest.mark.parametrize(
    ("odd", "typed"),
    [
        ({"name": 3}, {"name": "3"}),
        ({"refusal": {"why": "no"}}, {"refusal": '{"why":"no"}'}),
        ({"refusal": None}, {}),
        ({"annotations": ["b"]}, {"annotations": '["b"]'}),
        ({"weight": 1}, {"weight": 1.0}),
        ({"weight": "1"}, {"weight": "1"}),
        ({"tool_calls": []}, {}),
        ({"tool_calls": "f"}, {"tool_calls": [{"function": {"arguments": "f"}}]}),
        ({"tool_calls": [CALLED]}, {"tool_calls": [CALLED]}),
        ({"tool_calls": [{**CALLED, "id": 7}]}, {"tool_calls": [{**CALLED, "id": "7"}]}),
        (
            {"tool_calls": [{"id": "c", "name": "f", "args": {"a": 1}}]},
            {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}]},
        ),
        ({"tool_calls": [{"function": "f"}]}, {"tool_calls": [{"function": {"arguments": "f"}}]}),
        (
            {"function_call": {"name": "f", "arguments": {"a": 1}}},
            {"function_call": {"name": "f", "arguments": '{"a":1}'}},
        ),
    ],
)
def test_every_field_of_a_message_has_one_type(odd: dict[str, Any], typed: dict[str, Any]) -> None:
    found = clean({"role": "assistant", "content": "x", **odd})
    assert found == {"role": "assistant", "content": "x", **typed}
    assert clean(found) == found


def test_the_lines_have_the_shapes_that_trl_reads() -> None:
    conversation = chat(sample())
    assert json.loads(messages_line(conversation)) == {"messages": conversation}
    assert json.loads(prompt_completion_line(conversation)) == {
        "prompt": conversation[:-1],
        "completion": conversation[-1:],
    }


def test_an_integer_of_any_size_is_written() -> None:
    conversation = chat(sample([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "n": 2**70}]))
    assert json.loads(messages_line(conversation))["messages"][1]["n"] == 2**70
    assert json.loads(prompt_completion_line(conversation))["completion"][0]["n"] == 2**70


CONVERSATIONS = [
    {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, {"role": "user", "content": "?"}]},
    {"messages": [{"role": "user", "content": "q"}], "response": "beside"},
    {"messages": [], "prompt": "q", "response": "beside"},
    {
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "let me see"},
            {"role": "assistant", "tool_calls": [call({"a": 1})]},
            {"role": "tool", "content": "t"},
        ]
    },
    {"prompt": "q", "response": "a"},
]  # fmt: skip


@pytest.mark.parametrize("row", CONVERSATIONS)
def test_every_published_line_has_a_prompt_and_ends_on_an_assistant(lab: Any, row: dict[str, Any]) -> None:
    lab.write("agent_runs", {"run_id": "r", "passed": True, "ts": f"{DAY}T10:00:00Z", **row})
    publish(lab)
    (line,) = lab.all("distilled/sft/sft_messages.jsonl")
    (pair,) = lab.all("distilled/sft/sft_prompt_completion.jsonl")
    assert line["messages"][0] == {"role": "user", "content": "q"}
    assert line["messages"][-1]["role"] == "assistant"
    assert pair["prompt"] + pair["completion"] == line["messages"]
    assert len(pair["completion"]) == 1
    assert pair["prompt"]


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("_kb/audits.jsonl", "audits"),
        ("data/_kb/audits.jsonl", "audits"),
        ("_kb/audits/2026-05.jsonl", "audits"),
        ("_kb/other.jsonl", None),
    ],
)
def test_a_file_belongs_to_its_stream(lab: Any, path: str, stream: str | None) -> None:
    found = lab.lake.stream_of(path)
    assert (found and found.name) == stream


def test_days_before_the_first_day_leave_the_export(lab: Any) -> None:
    lab.write("agent_runs", run(1), run(2, NEXT))
    publish(lab)
    assert names(lab) == ["r1", "r2"]
    (lab.root / "lakehouse.toml").write_text(f"first_day = {NEXT}\n")
    assert list(due(lab.lake, SFT, NEXT, asked(lab.lake))) == [NEXT]
    lab.publish()
    assert names(lab) == ["r2"]


@pytest.mark.parametrize("folder", ["evidence", "scored-runs"])
def test_a_day_whose_evidence_or_verdicts_changed_is_held_back(lab: Any, folder: str) -> None:
    lab.write("agent_runs", run(1), run(2, NEXT))
    publish(lab)
    path = next((lab.root / folder).glob("2026/05/01/*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b"r1", b"rX", 1))
    published = lab.publish()
    assert published.held_days[DAY].endswith("changed after its gates looked at it")
    assert names(lab) == ["r2"]


def test_a_publication_that_was_interrupted_is_due_again(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"run_id": "r1", "prompt": "a?", "response": "b", "reward": 1.0, "ts": "2026-05-01T10:00:00Z"}
    lab.write("agent_runs", row)
    lab.night()
    assert due(lab.lake, SFT, "2026-05-02", asked(lab.lake, False)) == {}
    lab.write("agent_runs", {**row, "run_id": "r2", "prompt": "c?"})
    with monkeypatch.context() as killed:
        # The files are in place, or some of them; the record, which comes last, is not.
        killed.setattr(publishing, "keep", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            lab.night("killed")
    assert lab.stale() == {}
    assert list(due(lab.lake, SFT, "2026-05-02", asked(lab.lake, False))) == ["2026-05-01"]
    lab.publish()
    assert due(lab.lake, SFT, "2026-05-02", asked(lab.lake, False)) == {}


def test_another_setting_makes_a_publication_due(lab: Any) -> None:
    lab.write("agent_runs", {"prompt": "a?", "response": "b", "reward": 0.6, "ts": "2026-05-01T10:00:00Z"})
    lab.night()
    assert due(lab.lake, SFT, "2026-05-02", asked(lab.lake, False)) == {}
    assert list(due(lab.lake, SFT, "2026-05-02", asked(lab.lake, True))) == ["2026-05-01"]
