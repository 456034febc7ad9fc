"""The exports and releases as a whole: what must hold of them whatever the logs hold and however they are laid out.

Here: rules over all three exports at once, on lakes full of hostile rows. Not here: the rules of one export (its own
tests), and what the command line says (`tests/lakehouse_dagster/`).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.chain.manifests import manifest_days
from lakehouse.errors import RecordError
from lakehouse.publish import preference, rag, sft
from lakehouse.publish.companions import release_cards
from lakehouse.publish.exports import PREFERENCE, RAG, SFT, Published
from lakehouse.publish.splits import SHARES, split_of
from lakehouse.publish.state import due, read_publication
from lakehouse.release import store
from lakehouse.release.verify import verify
from tests.conftest import let_code_gates_stand
from tests.lakehouse.releasing import publish_all, release

pytestmark = pytest.mark.contracts

DAYS = ("2026-05-01", "2026-05-02", "2026-05-03")
SSN = "219-09-9999"
KEY = "sk-ant-api03-" + "Ab1" * 12
SMALL = "workers = 1\n[rag]\ntokens = 16\noverlap = 0"
WORDS = "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa".split()
LONG = " ".join(WORDS)
Row = dict[str, Any]

VERDICTS: list[Row] = [
    {"passed": True},
    {"passed": True},
    {"passed": False},
    {"reward": 0.5},
    {"reward": 1.0},
    {},
    {"verdict": "accept"},
    {"verdict": "escalate"},
    {"passed": True, "reward": 0.1},
]
TEXTS = [
    "fine",
    "",
    " \n",
    "\u00a0\u200b",
    "the same answer",
    LONG,
    f"{LONG} quebec",
    " ".join(WORDS[:13]),
    " ".join(WORDS[3:16]),
    f"mine is {SSN}",
    f"use {KEY}",
    "né 你好 🙂 \u202e\ufeff",
    "nul \x00 and \x7f",
    "one\r\ntwo\u2028three\x85four",
    "x" * 5_000,
    "\u0301",
]
CONTENTS: list[Any] = [
    *TEXTS,
    None,
    [],
    {},
    7,
    True,
    1.5,
    [{"type": "text", "text": "a part"}, {"type": "text", "text": "another"}],
    [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
    [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "x"}}],
    [{"type": "text", "text": None}],
    ["bare", {"text": 3}],
]
CALLS: list[Any] = [
    None,
    [],
    [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1, "b": [None, "x"]}}}],
    [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
    [{"id": 7, "function": {"name": None, "arguments": None}}],
    [{"function": "f"}],
    ["f"],
    [None],
    "f",
    {"name": "f"},
    [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"ssn": SSN}}}],
]
ROLES = ("system", "developer", "user", "assistant", "tool", "function", "", "narrator")


@st.composite
def message(draw: Any) -> Row:
    made: Row = {"role": draw(st.sampled_from(ROLES + ("user", "assistant") * 4))}
    if draw(st.integers(0, 9)):
        made["content"] = draw(st.sampled_from(CONTENTS + TEXTS))
    if not draw(st.integers(0, 2)):
        made["tool_calls"] = draw(st.sampled_from(CALLS))
    for name in ("name", "tool_call_id", "reasoning_content", "refusal", "id", "weight"):
        if not draw(st.integers(0, 7)):
            made[name] = draw(st.sampled_from([None, "x", 3, ["y"], {"z": 1}, 2**70]))
    return made


@st.composite
def agent_run(draw: Any) -> Row:
    row: Row = {"run_id": f"r{draw(st.integers(0, 9))}", "task_id": f"t{draw(st.integers(0, 3))}"}
    if draw(st.booleans()):
        row["messages"] = draw(st.lists(message(), max_size=6))
        if not draw(st.integers(0, 3)):
            row["response"] = draw(st.sampled_from(TEXTS))
    else:
        row["prompt"] = draw(st.sampled_from(["do", "do it", "", LONG, ["do", {"text": "x"}]]))
        row["response"] = draw(st.sampled_from([*TEXTS, None]))
    if not draw(st.integers(0, 3)):
        row["metadata"] = draw(
            st.sampled_from(
                [
                    {"tools": '[{"type": "function", "function": {"name": "f"}}]'},
                    {"tools": "[]"},
                    {"tools": "{"},
                    {"tools": '["\\ud800"]'},
                    {"step_rewards": [1, 0]},
                    {"step_rewards": [0.2]},
                    {"prompt": "other", "reward": 0},
                ]
            )
        )
    return row | draw(st.sampled_from(VERDICTS))


@st.composite
def other_row(draw: Any) -> tuple[str, Row]:
    text, name = draw(st.sampled_from(TEXTS)), draw(st.sampled_from(["a.py", "b.py", f"{SSN}.py", "../x", "né\n'"]))
    return draw(
        st.sampled_from(
            [
                ("scrum_reviews", {"file": name, "accepted_on_attempt": 1, "attempts_made": 1, "suggestions": text}),
                ("scrum_reviews", {"file": name, "accepted_on_attempt": 2, "attempts_made": 2, "suggestions": text}),
                ("observer_reviews", {"file": name, "verdict": "reject", "confidence": 0.9, "notes": text}),
                ("audits", {"phase": name, "severity": "low", "reasoning": text, "findings": [text]}),
                ("contract_analyses", {"permit_id": name, "analysis": text, "observer_verdict": "accept"}),
                ("auto_apply", {"file": name, "action": "committed", "patch": text, "build_green": True}),
                ("auto_apply", {"file": name, "action": "build_red_reverted", "patch": text, "build_green": False}),
                ("distilled_facts", {"text": text, "source_run_id": name, "extractor": "e", "confidence": 0.9}),
                ("distilled_facts", {"text": text, "source_run_id": name, "extractor": "e", "confidence": 0.1}),
            ]
        )
    )


@st.composite
def lakes(draw: Any, most: int = 24) -> list[tuple[str, Row]]:
    """Draw rows with the stream of each; stamps differ, so that no two rows are one by accident."""
    drawn = draw(st.lists(st.one_of(agent_run().map(lambda row: ("agent_runs", row)), other_row()), max_size=most))
    rows = []
    for number, (stream, row) in enumerate(drawn):
        # Some come at one time: then the signature decides.
        minute = draw(st.sampled_from([0, 0, number]))
        rows.append((stream, {**row, "ts": f"{draw(st.sampled_from(DAYS))}T10:{minute:02}:00Z"}))
    return rows


def balanced(published: Published) -> bool:
    left = sum(published.skip_reasons.values()) + published.records_quarantined
    return published.records_in == published.records_out + left


def signatures(rows: list[Row], *names: str) -> set[str]:
    return {row[name]["sig_hash"] for row in rows for name in names or ("provenance",)}


def quarantined(lab: Any, stage: str) -> set[str]:
    return {row["sig_hash"] for row in lab.all(f"quarantine/*/*/*/{stage}.jsonl")}


def published_files(lab: Any) -> dict[str, bytes]:
    return {
        path.relative_to(lab.root).as_posix(): path.read_bytes()
        for path in sorted((lab.root / "distilled").rglob("*"))
        if path.is_file() and "parts" not in path.parts and path.suffix in (".jsonl", ".parquet")
    }


HYPOTHESIS = settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

# 3. Nothing is lost.


@given(lakes(), st.booleans(), st.booleans(), st.sampled_from([None, {"task_id": "t1"}, {"text": LONG}]))
@HYPOTHESIS
def test_every_run_is_accounted_for_once_in_every_export(
    new_lab: Callable[[], Any], rows: list[tuple[str, Row]], partial: bool, review: bool, held: Row | None
) -> None:
    lab = new_lab()
    lab.settings(SMALL)
    for stream, row in rows:
        lab.write(stream, row)
    if held:
        lab.write("holdout", held)
    lab.make()
    assert lab.gate(manifest_days(lab.lake, "collect")) == []
    sft = lab.publish(include_partial=partial)
    rag = lab.publish_rag(include_review=review)
    preference = lab.publish_preference()
    evidence = lab.evidence()
    verdicts = {run["provenance"]["sig_hash"]: run for run in lab.scored()}
    assert len(verdicts) == len(evidence)
    assert sft.records_in == rag.records_in == preference.records_in == len(evidence)
    assert all(map(balanced, (sft, rag, preference)))

    out, left, kept_back = (
        signatures(lab.published()),
        {row["sig_hash"] for row in lab.all("distilled/sft/left_out.jsonl")},
        quarantined(lab, "export-sft"),
    )
    assert sum(map(len, (out, left, kept_back))) == len(out | left | kept_back)
    assert sft.records_out == len(out) == len(lab.published())
    assert sft.records_quarantined == len(kept_back)
    reasons = Counter(row["reason"] for row in lab.all("distilled/sft/left_out.jsonl"))
    for record in evidence:
        signature = record["provenance"]["sig_hash"]
        if signature in out | left | kept_back:
            continue
        category = verdicts[signature]["category"]
        if record["source_class"] == "extraction" and category not in ("rejected", "needs_human_review"):
            reasons["extraction_class"] += 1
        elif category in ("rejected", "needs_human_review"):
            reasons[category] += 1
        else:
            reasons["the rest"] += 1
    rest = reasons.pop("the rest", 0)
    told = Counter(sft.skip_reasons)
    assert rest == told.pop("not_instructable", 0) + told.pop("partial_not_requested", 0)
    assert +told == +reasons

    chunks = lab.published_chunks()
    assert rag.records_out == len(signatures(chunks))
    assert rag.items_out == len(chunks)
    assert not {row["category"] for row in chunks} & {"rejected"}
    never = {sig for sig, run in verdicts.items() if run["category"] == "rejected"}
    assert not signatures(chunks) & (quarantined(lab, "export-rag") | never)
    assert rag.records_quarantined == len(quarantined(lab, "export-rag"))

    pairs = lab.pairs()
    sides = signatures(pairs, "provenance_chosen", "provenance_rejected")
    assert preference.records_out == len(sides)
    assert preference.records_quarantined == len(quarantined(lab, "export-preference"))
    assert not sides & quarantined(lab, "export-preference")
    labelled = lab.all("distilled/preference/kto.jsonl")
    assert Counter(row["label"] for row in labelled) == +Counter(
        {label: preference.counts["kto"][str(label).lower()] for label in (True, False)}
    )
    for path, data in published_files(lab).items():
        assert SSN.encode() not in data, path
        assert KEY.encode() not in data, path


# 1. Layout, order and processes.


def lay_out(lab: Any, rows: list[tuple[str, Row]], dice: random.Random) -> None:
    """Write rows in another order, split over other files, of which one is a rotated log."""
    shuffled = list(rows)
    dice.shuffle(shuffled)
    for stream, row in shuffled:
        lab.write(f"{stream}/{dice.randint(0, 2)}" if dice.random() < 0.7 else stream, row)
    lab.index()
    for stream in {stream for stream, _ in rows}:
        log = lab.root / "_kb" / f"{stream}.jsonl"
        if log.exists():
            (lab.root / "_kb" / stream).mkdir(exist_ok=True)
            log.rename(lab.root / "_kb" / stream / "rotated.jsonl")


def without_place(data: bytes) -> list[Any]:
    """Give the rows of a file without where their runs lie in the logs."""
    rows = [json.loads(line) for line in data.splitlines()]
    for row in rows:
        # The line of the day's part, which the list of what was left out tells.
        row.pop("line", None)
        for name in ("provenance", "provenance_chosen", "provenance_rejected"):
            for key in ("line_offset", "source_file"):
                row.get(name, {}).pop(key, None)
    return rows


@given(lakes(most=20), st.randoms(use_true_random=False))
@HYPOTHESIS
def test_order_layout_and_processes_change_no_published_byte_and_no_release(
    new_lab: Callable[[], Any], rows: list[tuple[str, Row]], dice: random.Random
) -> None:
    unique = {json.dumps([stream, row], sort_keys=True): (stream, row) for stream, row in rows}
    found = []
    for layout in range(2):
        lab = new_lab()
        lab.settings(SMALL.replace("workers = 1", f"workers = {layout + 1}"))
        if layout:
            lay_out(lab, list(unique.values()), dice)
        else:
            for stream, row in unique.values():
                lab.write(stream, row)
        lab.index()
        days = list(lab.stale())
        if layout:
            dice.shuffle(days)
        for day in days:
            lab.make([day])
            lab.gate([day])
            if layout:
                lab.publish()
                lab.publish_rag()
                lab.publish_preference()
        publish_all(lab, by_hand=False)
        found.append((published_files(lab), release(lab).release_hash))
    (one, first), (other, second) = found
    assert one.keys() == other.keys()
    for path in one:
        if path.endswith(".parquet") or not path.endswith(("_export.jsonl", "left_out.jsonl")):
            assert one[path] == other[path], path
        else:
            assert without_place(one[path]) == without_place(other[path]), path
    assert first == second


# 2. What was published stays where it is when data is added.


def splits(lab: Any) -> dict[str, str]:
    """Give the split of each published sample by its id."""
    folder = lab.root / "distilled/sft/data"
    return {
        sample: split
        for split in SHARES
        for sample in pq.read_table(folder / f"{split}.parquet", columns=["id"])["id"].to_pylist()
    }


def publish_green(lab: Any, **options: Any) -> Published:
    lab.make()
    lab.gate(manifest_days(lab.lake, "collect"))
    return lab.publish(**options)


@given(lakes(most=20), lakes(most=12))
@HYPOTHESIS
def test_a_sample_never_changes_its_split_when_data_is_added(
    new_lab: Callable[[], Any], rows: list[tuple[str, Row]], more: list[tuple[str, Row]]
) -> None:
    lab = new_lab()
    for stream, row in rows:
        lab.write(stream, row)
    publish_green(lab)
    before = splits(lab)
    tasks = {row["id"]: row["task_id"] for row in lab.published()}
    for stream, row in more:
        lab.write(stream, row)
    publish_green(lab)
    after = splits(lab)
    same = {row["id"] for row in lab.published() if tasks.get(row["id"]) == row["task_id"]}
    assert {one: before[one] for one in same} == {one: after[one] for one in same}
    seed = lab.lake.settings.sft.split_seed
    assert after == {row["id"]: split_of(row["task_id"], seed) for row in lab.published()}


@given(lakes(most=20), st.lists(agent_run(), max_size=10), st.booleans())
@HYPOTHESIS
def test_what_is_published_stays_when_later_runs_of_the_same_quality_come(
    new_lab: Callable[[], Any], rows: list[tuple[str, Row]], more: list[Row], partial: bool
) -> None:
    lab = new_lab()
    lab.settings(SMALL)
    for stream, row in rows:
        lab.write(stream, row)
    publish_green(lab, include_partial=partial)
    lab.publish_rag()
    before, chunks = {row["id"]: row for row in lab.published()}, {row["id"] for row in lab.published_chunks()}
    for number, row in enumerate(more):
        judged = {"passed": True, "reward": None, "verdict": None}
        lab.write("agent_runs", {**row, **judged, "run_id": f"new{number}", "ts": f"2026-05-04T10:{number:02}:00Z"})
    publish_green(lab, include_partial=partial)
    lab.publish_rag()
    after = {row["id"]: row for row in lab.published()}
    accepted = {one for one, row in before.items() if row["category"] == "accepted"}
    assert {one: before[one] for one in accepted} == {one: after.get(one) for one in accepted}
    assert chunks <= {row["id"] for row in lab.published_chunks()}


# 9. Every form says the same.


@given(st.lists(st.lists(message(), min_size=1, max_size=6), min_size=1, max_size=12))
@HYPOTHESIS
def test_native_messages_completions_and_splits_agree_row_by_row(
    new_lab: Callable[[], Any], conversations: list[list[Row]]
) -> None:
    lab = new_lab()
    for number, messages in enumerate(conversations):
        ending = [{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": f"a{number}"}]
        row = {"run_id": f"r{number}", "task_id": f"t{number}", "messages": [*messages, *ending], "passed": True}
        lab.write("agent_runs", {**row, "ts": f"2026-05-01T10:{number:02}:00Z"})
    publish_green(lab)
    native = lab.published()
    forms = lab.all("distilled/sft/sft_messages.jsonl"), lab.all("distilled/sft/sft_prompt_completion.jsonl")
    assert len(native) == len(forms[0]) == len(forms[1])
    tables = {
        row["id"]: row
        for split in SHARES
        for row in pq.read_table(lab.root / f"distilled/sft/data/{split}.parquet").to_pylist()
    }
    assert len(tables) == len(native)
    for sample, said, parted in zip(native, *forms, strict=True):
        assert parted["prompt"] + parted["completion"] == said["messages"]
        table = tables[sample["id"]]
        for name in ("task_id", "category", "quality_score", "source_run_id", "created_at"):
            assert table[name] == sample[name]
        assert table["sig_hash"] == sample["provenance"]["sig_hash"]
        assert len(table["messages"]) == len(said["messages"]) == len(sample["messages"])
        assert said["messages"] == sample["messages"]
        for one, column in zip(said["messages"], table["messages"], strict=True):
            for name in ("role", "content", "name", "tool_call_id", "reasoning_content"):
                assert column[name] == one.get(name)
            calls = [
                {name: call.get(name) for name in ("id", "type")}
                | {"function": {name: call["function"].get(name) for name in ("name", "arguments")}}
                for call in one.get("tool_calls", ())
            ]
            assert (column["tool_calls"] or []) == calls


# 4. A secret is in no file that leaves the lake.


def calling(arguments: Any) -> list[Row]:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return [
        {"role": "user", "content": "do"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "ok", "tool_call_id": "c"},
        {"role": "assistant", "content": "done"},
    ]


def planted(secret: str) -> list[tuple[str, Row]]:
    """Give a row for each place where a secret may stand; `agent_runs` also under other verdicts."""
    chats: list[list[Row]] = [
        [{"role": "system", "content": f"use {secret}"}, *calling("{}")],
        [{"role": "user", "content": [{"type": "text", "text": secret}]}, *calling("{}")],
        [{"role": secret, "content": "x"}, *calling("{}")],
        [*calling("{}")[:-1], {"role": "assistant", "content": "done", secret: "x", "name": secret}],
        calling({"x": [secret]}),
        calling({secret: 1}),
        calling(json.dumps({"x": json.dumps({"y": secret})})),
    ]
    tools = json.dumps([{"type": "function", "function": {"name": "f", "description": secret}}])
    runs: list[Row] = [
        *({"messages": chat} for chat in chats),
        *({"prompt": "do", "response": "done", name: secret} for name in ("task_id", "run_id", "model", "verdict")),
        {"prompt": f"it is {secret}", "response": "done"},
        {"prompt": "do", "response": f"{secret} it is"},
        {"prompt": "do", "response": "done", "metadata": {"tools": tools, secret: secret}},
        {"messages": calling("{}"), "metadata": {"step_rewards": [1, 1], "tools": tools}},
    ]
    rows: list[tuple[str, Row]] = [
        (
            "agent_runs",
            {"run_id": "clean", "prompt": f"ask {len(secret)}", "response": f"{len(secret)}", "passed": True},
        ),
        ("scrum_reviews", {"file": secret, "accepted_on_attempt": 1, "attempts_made": 1, "suggestions": "s"}),
        ("audits", {"phase": secret, "severity": "low", "reasoning": "fine"}),
        ("contract_analyses", {"permit_id": "p", "contractor": secret, "analysis": "y", "observer_verdict": "accept"}),
        ("auto_apply", {"file": secret, "action": "build_red_reverted", "patch": "p", "build_green": False}),
        ("outcomes", {"scenario": "s", "events": [{"name": secret, "ok": True}]}),
        ("mode_experiments", {"task_class": "c", "mode": secret, "file": "f", "response": "r", "ok": True}),
        ("distilled_facts", {"text": f"fact {secret}", "source_run_id": secret, "extractor": "e", "confidence": 0.9}),
        ("audit_facts", {"facts": [secret], "entities": [], "head_sha": secret}),
        (f"agent_runs/{secret}", {"prompt": "do", "response": "from a file of that name", "passed": True}),
    ]
    for number, judged in enumerate(({"passed": True}, {"passed": False}, {"passed": None})):
        rows += [
            ("agent_runs", {"run_id": f"r{number}", "task_id": f"t{n}", **judged, **run}) for n, run in enumerate(runs)
        ]
    return rows


def everything(root: Path, *but: str) -> Iterator[tuple[str, bytes]]:
    """Give every file below a folder, Parquet files as their cells."""
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not name.startswith(but):
            cells = json.dumps(pq.read_table(path).to_pylist()).encode() if path.suffix == ".parquet" else b""
            yield name, name.encode() + path.read_bytes() + cells


def test_a_secret_is_in_no_file_below_distilled_and_in_no_receipt(lab: Any) -> None:
    for number, secret in enumerate((SSN, KEY)):
        for place, (stream, row) in enumerate(planted(secret)):
            lab.write(stream, {**row, "ts": f"2026-05-0{number + 1}T10:{place // 60:02}:{place % 60:02}Z"})
    lab.night()
    lab.publish_preference()
    publish_all(lab, by_hand=False)
    release(lab, run_folder=lab.root / "reports/distillation/night")
    assert lab.published()
    assert lab.published_chunks()
    for folder in ("distilled", "reports", "gates"):
        for name, data in everything(lab.root / folder):
            assert SSN.encode() not in data, (folder, name)
            assert KEY.encode() not in data, (folder, name)


def test_runs_of_a_secret_name_still_speak_against_each_other(lab: Any) -> None:
    lab.settings(SMALL + "\n[sft]\nstreams = []")
    run = {"run_id": f"run {KEY}", "task_id": f"task {KEY}", "prompt": "do", "ts": "2026-05-01T10:00:00Z"}
    lab.write("agent_runs", {**run, "response": "one", "passed": True}, {**run, "response": "two", "passed": False})
    lab.make()
    keys = pq.read_table(lab.lake.keys("2026-05-01", "agent_runs")).to_pylist()
    assert len({row["run_id"] for row in keys}) == len({row["task_id"] for row in keys}) == 1
    assert KEY not in json.dumps(keys)


# 8. Hostile inputs.


@pytest.mark.parametrize(
    "name",
    [
        "a\nb",
        "'\"; drop table key;--",
        "../../x",
        "x" * 10_240,
        "né\0",
        "\u202e",
        " ",
        "%s",
        "<b>",
        "a\\b",
        "$file",
        "?",
    ],
    ids=range(12),
)
def test_no_name_of_a_run_or_task_breaks_an_export_or_a_release(lab: Any, name: str) -> None:
    for number in range(4):
        run = {"run_id": f"{number}{name}", "task_id": name, "prompt": f"do {name}", "passed": number % 2 == 0}
        lab.write("agent_runs", {**run, "response": f"answer {number}", "ts": f"2026-05-01T10:00:0{number}Z"})
    publish_all(lab, by_hand=False)
    made = release(lab)
    assert {row["task_id"] for row in lab.published()} == {row["task_id"] for row in lab.pairs()} == {name}
    assert verify(store.path_of(lab.lake, made.release_hash)).problems == []


@pytest.mark.parametrize("held_out", [b"", b"\n\n", b'{"text": "x"}', b'{"text": "' + b"word " * 200_000 + b'"}'])
def test_a_lake_with_any_file_of_held_out_items_can_be_released(lab: Any, held_out: bytes) -> None:
    lab.write("agent_runs", {"prompt": "do", "response": "done", "passed": True, "ts": "2026-05-01T10:00:00Z"})
    (lab.root / "_kb/holdout.jsonl").write_bytes(held_out)
    publish_all(lab, by_hand=False)
    assert release(lab).release_hash


DECLARED = """
[streams.mine]
class = "telemetry"
scorer = "outcome"
timestamp = "ts"
template = "agent_runs"
[streams.mine.fields]
text = "answer"
task_id = "t:{task}"
"metadata.prompt" = "question"
"metadata.passed" = "passed"
"""


def test_a_stream_that_is_not_declared_any_more_goes_when_its_days_are_made_again(lab: Any) -> None:
    lab.settings("workers = 1" + DECLARED)
    asked = {"question": "what", "task": "x", "ts": "2026-05-01T10:00:00Z"}
    lab.write("mine", {**asked, "answer": "this", "passed": True}, {**asked, "answer": "that", "passed": False})
    lab.write("agent_runs", {"prompt": "do", "response": "done", "passed": True, "ts": "2026-05-02T10:00:00Z"})
    assert publish_green(lab).items_out == 2
    lab.publish_rag()
    lab.publish_preference()
    assert len(lab.pairs()) == 1
    lab.settings("workers = 1")
    exports = lab.publish(), lab.publish_rag(), lab.publish_preference()
    assert all(map(balanced, exports))
    assert exports[0].counts["stream"] == {"agent_runs": 1, "mine": 1}
    assert publish_green(lab).counts["stream"] == {"agent_runs": 1}
    assert lab.publish_rag().counts["stream"] == {"agent_runs": 1}
    assert lab.publish_preference().items_out == 0
    assert lab.all("evidence/*/*/*/mine.jsonl") == []


def test_a_task_of_very_many_runs_and_one_of_many_prompts_are_settled(lab: Any) -> None:
    runs = [{"run_id": f"r{n}", "task_id": "one", "prompt": "do", "response": f"answer {n}"} for n in range(2_000)]
    runs += [
        {"run_id": f"s{n}", "task_id": "two", "prompt": f"do {n // 2}", "response": f"said {n}"} for n in range(600)
    ]
    lab.write(
        "agent_runs", *({**row, "passed": n % 2 == 0, "ts": "2026-05-01T10:00:00Z"} for n, row in enumerate(runs))
    )
    publish_green(lab)
    preference = lab.publish_preference()
    assert balanced(preference)
    assert Counter(row["task_id"] for row in lab.pairs()) == {"one": 5, "two": 5}
    assert preference.skip_reasons.keys() == {"pair_limit"}


@pytest.mark.parametrize("lost", ["gone", "cut"])
@pytest.mark.parametrize(
    ("keys", "exports"), [("sft", ("publish", "publish_preference")), ("rag", ("publish_rag",))], ids=("sft", "rag")
)
def test_keys_that_are_lost_are_an_error_that_says_how_to_mend_it(
    lab: Any, keys: str, exports: tuple[str, ...], lost: str
) -> None:
    run = {"task_id": "t", "prompt": "do", "ts": "2026-05-01T10:00:00Z"}
    lab.write("agent_runs", {**run, "response": "this", "passed": True}, {**run, "response": "that", "passed": False})
    lab.write("agent_runs", {**run, "response": "new", "passed": True, "ts": "2026-05-02T10:00:00Z"})
    publish_green(lab)
    path = lab.root / f"distilled/{keys}/parts/2026/05/01.keys/agent_runs.parquet"
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    if lost == "gone":
        path.unlink()
    for export in exports:
        with pytest.raises(RecordError, match=r"01.keys/agent_runs.parquet.*distill --day 2026-05-01"):
            getattr(lab, export)()
    lab.make(["2026-05-01"])
    lab.gate(["2026-05-01"])
    assert path.read_bytes() == data
    for export in exports:
        assert getattr(lab, export)().items_out


# 5. Interrupted publications.


class Killed(BaseException):
    """What stops a publication as a signal would."""


def files_of(lab: Any) -> dict[str, str]:
    return {name: digest for name, digest in lab.tree("distilled").items() if "/parts/" not in name}


@pytest.mark.parametrize("export", ["publish", "publish_rag", "publish_preference"])
def test_a_publication_stopped_at_any_file_is_mended_by_the_next(
    new_lab: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, export: str
) -> None:
    def rows(day: str) -> list[Row]:
        return [
            {
                "run_id": f"{day}{n}",
                "task_id": f"t{n}",
                "prompt": "do",
                "response": f"{day} said {n}",
                "passed": n % 3 != 0,
            }
            | {"ts": f"{day}T10:{n:02}:00Z"}
            for n in range(12)
        ]

    whole = new_lab()
    whole.write("agent_runs", *rows(DAYS[0]), *rows(DAYS[1]))
    publish_green(whole)
    getattr(whole, export)()
    wanted = files_of(whole)
    stops = 0
    for stop in range(1, 40):
        lab = new_lab()
        lab.write("agent_runs", *rows(DAYS[0]))
        publish_green(lab)
        getattr(lab, export)()
        lab.write("agent_runs", *rows(DAYS[1]))
        lab.make()
        lab.gate(manifest_days(lab.lake, "collect"))
        published = {path: path.read_bytes() for path in (lab.root / "distilled").rglob("*") if path.is_file()}
        left = stop
        rename = Path.replace

        def replace(path: Path, target: Any, rename: Any = rename) -> Any:
            nonlocal left
            if "distilled" in path.parts or "publications" in path.parts:
                left -= 1
                if not left:
                    raise Killed
            return rename(path, target)

        monkeypatch.setattr(Path, "replace", replace)
        stopped = False
        try:
            getattr(lab, export)()
        except Killed:
            stopped = True
        monkeypatch.setattr(Path, "replace", rename)
        if not stopped:
            break
        stops += 1
        assert list(lab.root.rglob("distilled/**/.*.tmp")) == []
        names = {path.relative_to(lab.root).as_posix() for path in published}
        assert names <= lab.tree("distilled").keys()
        asset = {"publish": SFT, "publish_rag": RAG, "publish_preference": PREFERENCE}[export]
        asked = {"publish": sft.asked, "publish_rag": rag.asked, "publish_preference": preference.asked}[export]
        assert due(lab.lake, asset, "2026-05-10", asked(lab.lake))
        publish_green(lab)
        getattr(lab, export)()
        assert files_of(lab) == wanted
    assert stops >= 2


# 10. A release that changed is found out.


@pytest.fixture(scope="module")
def released(new_lab: Callable[[], Any]) -> Path:
    """A release with every kind of file that there is."""
    lab = new_lab()
    rewards = {"messages": calling({"x": 1}), "metadata": {"step_rewards": [1, 0]}}
    for number in range(60):
        run: Row = {"prompt": f"do {number // 2}", "response": f"answer {number}"} if number else rewards
        judged = {"run_id": f"r{number}", "task_id": f"t{number // 2}", "passed": number % 2 == 0}
        lab.write("agent_runs", {**run, **judged, "ts": f"2026-05-01T10:{number:02}:00Z"})
    lab.night()
    publish_all(lab, by_hand=False)
    made = release(lab, run_folder=lab.root / "reports/distillation/night", cards=release_cards(lab.lake))
    folder: Path = store.path_of(lab.lake, made.release_hash)
    assert verify(folder).problems == []
    return folder


def test_verifying_finds_a_changed_removed_cut_or_added_byte_in_every_file(released: Path, tmp_path: Path) -> None:
    names = sorted(path.relative_to(released).as_posix() for path in released.rglob("*") if path.is_file())
    kinds = ("README.md", "metadata.json", "dataset_info.json", "SHA256SUMS", "release.json", "verdicts.json")
    assert {*kinds, "sft/data/train.parquet", "preference/kto.jsonl", "receipts/collect.json"} <= {*names}
    copy = tmp_path / released.name
    shutil.copytree(released, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for name in names:
        path, data = copy / name, (copy / name).read_bytes()
        middle = len(data) // 2
        changes = {
            "added": data + b" ",
            "added line": data + b"\n",
            "cut": data[:-1],
            "changed": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :] if data else b"x",
            "removed": None,
        }
        for what, changed in changes.items():
            path.unlink()
            if changed is not None:
                path.write_bytes(changed)
            found = verify(copy).problems
            assert found or changed == data, (name, what)
            assert changed == data or name == "SHA256SUMS" or name in {one.path for one in found}, (name, what)
        path.write_bytes(data)
    for name in ("more.txt", "sft/.hidden", "sft/parts/x.jsonl"):
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_bytes(b"")
        assert name in {one.path for one in verify(copy).problems}
        (copy / name).unlink()
    assert verify(copy).problems == []


# What the command line makes of it.


@dataclass(frozen=True)
class Shell:
    """The command `lakehouse` as a process of its own, on one lake."""

    root: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        own = {name: text for name, text in os.environ.items() if not name.startswith(("LAKEHOUSE", "DAGSTER"))}
        command = [str(Path(sys.executable).with_name("lakehouse")), *arguments, "--lake", str(self.root)]
        if arguments[0] == "distill" or arguments[1] == "create":
            command += ["--reports", str(self.root.parent / "reports")]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=own, cwd=self.root
        )

    def __call__(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        out, errors = process.communicate(timeout=120)
        return process.returncode, " ".join((out + errors).split())


@pytest.fixture
def shell(lab: Any) -> Shell:
    for number in range(40):
        judged = {"run_id": f"r{number}", "task_id": f"t{number // 2}", "passed": number % 3 != 0}
        if number % 5 == 0:
            judged |= {"passed": None, "reward": 0.5 if number % 2 else None}
        row = {"prompt": "do", "response": f"answer {number}", "ts": f"2026-05-0{number % 2 + 1}T10:{number:02}:00Z"}
        lab.write("agent_runs", {**row, **judged})
    let_code_gates_stand(lab.lake)
    return Shell(lab.root)


@pytest.mark.slow
@pytest.mark.e2e
def test_distilling_again_changes_no_byte_and_a_bare_run_notices_every_setting(lab: Any, shell: Shell) -> None:
    def run(*days: str) -> dict[str, str]:
        assert shell("distill", *days)[0] == 0
        return dict(lab.tree("distilled", "index"))

    first = run()
    assert run() == first
    assert run("--day", "2026-05-01") == first
    assert run("--from", "2026-05-01") == first
    held_out = lab.root / "_kb/holdout.jsonl"
    sft, preference = "distilled/sft/sft_export.jsonl", "distilled/preference/kto.jsonl"
    for settings_, held, changes in (
        ("[sft]\ninclude_partial = true", b"", {sft}),
        ("[rag]\ninclude_review = true", b"", {"distilled/rag/rag_export.jsonl"}),
        ("[sft]\nsplit_seed = 'another'", b"", {"distilled/sft/data/train.parquet"}),
        ("[card]\ntitle = 'Mine'", b"", {"distilled/sft/README.md"}),
        ("", b'{"task_id": "t1"}\n', {sft, preference, "distilled/sft/left_out.jsonl"}),
    ):
        lab.settings(f"workers = 1\n{settings_}")
        held_out.write_bytes(held) if held else held_out.unlink(missing_ok=True)
        now = run()
        assert all(now[path] != first[path] for path in changes), settings_
    assert run() == now
    lab.settings("workers = 1")
    held_out.unlink(missing_ok=True)
    back = run()
    # A card names the run that made it, and a pair that was gone is new when it comes back.
    made_again = {path for path in first if path.endswith(("README.md", "_cards.json")) or "preference_export" in path}
    assert {path for path in first.keys() | back.keys() if first.get(path) != back.get(path)} <= made_again


@pytest.mark.slow
@pytest.mark.e2e
def test_what_is_lost_beside_the_data_is_made_again(lab: Any, shell: Shell) -> None:
    assert shell("distill")[0] == 0
    before = lab.tree("distilled")
    for name in ("left_out.jsonl", "README.md", "metadata.json"):
        (lab.root / "distilled/sft" / name).unlink()
        assert shell("distill")[0] == 0
        assert lab.tree("distilled") == before


@pytest.mark.slow
@pytest.mark.e2e
def test_a_bad_held_out_item_is_refused_and_what_was_published_stands(lab: Any, shell: Shell) -> None:
    assert shell("distill")[0] == 0
    before = lab.tree("distilled", "index")
    (lab.root / "_kb/holdout.jsonl").write_bytes(b'{"task_id": "t1"}\n\n{"txt": 1}\n')
    for command in (("distill",), ("distill", "--day", "2026-05-01")):
        code, said = shell(*command)
        assert code == 2
        assert "holdout.jsonl:3" in said
        data = {name: digest for name, digest in lab.tree("distilled", "index").items() if name in before}
        assert data == before
    code, said = shell("release", "create", "--by", "me")
    assert code == 1
    assert "held-out items changed" in said


@pytest.mark.slow
@pytest.mark.e2e
def test_a_red_day_is_held_back_everywhere_until_it_is_made_again(lab: Any, shell: Shell) -> None:
    assert shell("distill")[0] == 0
    assert shell("release", "create", "--by", "me")[0] == 0
    lab.write("agent_runs", {"prompt": "do", "response": "new", "passed": True, "ts": "2026-05-03T10:00:00Z"})
    evidence = lab.root / "evidence/2026/05/01/agent_runs.jsonl"
    evidence.write_bytes(evidence.read_bytes().replace(b"answer 2", b"answer 3", 1))
    lab.gate(["2026-05-01"])
    code, said = shell("distill", "--day", "2026-05-03")
    assert "2026-05-01" in said
    for asset in ("sft_export", "rag_export", "preference_export"):
        publication = read_publication(lab.lake, asset)
        assert publication is not None
        assert list(publication.held_days) == ["2026-05-01"]
        assert publication.skip_reasons["held_day"] == 20
    for rows in (lab.published(), lab.published_chunks(), lab.pairs()):
        assert "2026-05-01" not in json.dumps(rows)
    code, said = shell("release", "create", "--by", "me")
    assert code == 1
    assert "2026-05-01" in said
    assert shell("distill", "--day", "2026-05-01")[0] == 0
    assert shell("release", "create", "--by", "me")[0] == 0
    assert len(lab.evidence()) == 41


@pytest.mark.slow
@pytest.mark.e2e
def test_a_killed_distillation_leaves_whole_files_and_the_next_brings_everything_up_to_date(
    lab: Any, shell: Shell, new_lab: Callable[[], Any]
) -> None:
    dice = random.Random(7)
    for turn in range(3):
        lab.write("agent_runs", {"prompt": "do", "response": f"t {turn}", "passed": True, "ts": "2026-05-03T10:00:00Z"})
        process = shell.start("distill")
        time.sleep(dice.uniform(1.5, 5.0))
        process.kill()
        process.communicate()
        for path in lab.root.glob("distilled/*/*.jsonl"):
            data = path.read_bytes()
            assert not data or data.endswith(b"\n")
            assert all(isinstance(json.loads(line), dict) for line in data.splitlines())
        for path in lab.root.glob("distilled/sft/data/*.parquet"):
            pq.read_table(path)
    assert shell("distill")[0] == 0
    assert shell("distill") == shell("distill")
    assert [path for path in lab.root.rglob("*.tmp") if "_kb" not in path.parts] == []
    other = new_lab()
    shutil.copytree(lab.root / "_kb", other.root / "_kb", dirs_exist_ok=True)
    assert Shell(other.root)("distill")[0] == 0
    cards = ("README.md",)
    stamped = {"recorded_at", "created_at"}

    def unstamped(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: unstamped(item) for key, item in value.items() if key not in stamped}
        return [unstamped(item) for item in value] if isinstance(value, list) else value

    for path in other.root.glob("distilled/*/*.jsonl"):
        name = path.relative_to(other.root).as_posix()
        assert unstamped(lab.all(name)) == unstamped(other.all(name)), name
    assert (
        {path.name for path in (lab.root / "distilled/sft").iterdir()}
        == {path.name for path in (other.root / "distilled/sft").iterdir()}
        >= {*cards}
    )
    assert shell("release", "create", "--by", "me")[0] == 0
    assert Shell(other.root)("release", "create", "--by", "me")[0] == 0
    names = [{one.name for one in (found.root / "distilled/releases").iterdir()} for found in (lab, other)]
    assert names[0] == names[1]
