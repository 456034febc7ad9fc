"""The RAG export: chunks of what trusted runs produced, day by day and published, each content once."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse import engine
from lakehouse.canonical import content_id
from lakehouse.chain import day as chain
from lakehouse.chain.manifests import read_manifest
from lakehouse.chain.prior import PriorChunks
from lakehouse.chain.rag import tags
from lakehouse.chain.rag_keys import ChunkKeys
from lakehouse.errors import GateFailed, UsageError
from lakehouse.files import sha256_of
from lakehouse.gates.verdicts import REQUIRED_OF_EXPORTS, read_verdicts, why_held
from lakehouse.jsonl import JsonlReader
from lakehouse.publish import rag as publishing
from lakehouse.publish.exports import RAG, SFT
from lakehouse.publish.rag import asked
from lakehouse.publish.sft import asked as asked_of_sft
from lakehouse.publish.state import due
from lakehouse.records import EvidenceRecord, RagChunk, ScoredRun
from lakehouse.run import Stage
from lakehouse.settings import read_settings
from lakehouse.sql import connect

DAYS = ["2026-05-01", "2026-05-02", "2026-05-03"]
DAY, NEXT, THIRD = DAYS
LATER = "2026-06-01T02:00:00.000Z"
PART = "distilled/rag/parts/2026/05/01.jsonl"
SSN = "219-09-9999"
SMALL = "workers = 1\n[rag]\ntokens = 16\noverlap = 4"
LONG = "The first thing was fine. The second thing was not. Then a third thing came. Nobody knows what followed it. It may have been a fourth one."


def run(n: Any, day: str = DAY, at: str = "10:00:00", **more: Any) -> dict[str, Any]:
    base = {"run_id": f"r{n}", "task_id": f"t{n}", "prompt": "p", "response": f"a{n}", "passed": True}
    return {**base, "ts": f"{day}T{at}Z", **more}


def partial(n: Any, **more: Any) -> dict[str, Any]:
    return run(n, passed=None, reward=0.5, **more)


def waiting(n: Any, **more: Any) -> dict[str, Any]:
    return run(n, passed=None, **more)


def rejected(n: Any, **more: Any) -> dict[str, Any]:
    return run(n, passed=False, **more)


def fact(n: int, confidence: float = 0.9, day: str = DAY, **more: Any) -> dict[str, Any]:
    return {"text": f"fact {n}", "source_run_id": f"s{n}", "confidence": confidence, "ts": f"{day}T09:00:00Z", **more}


def publish(lab: Any, **options: Any) -> Any:
    """Bring every day up to date, let the gates look, publish."""
    days = sorted({manifest.day for manifest in lab.make()})
    assert lab.gate(days) == []
    return lab.publish_rag(**options)


def names(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(row["source_run_id"], row["chunk_index"]) for row in rows]


def manifest(lab: Any, day: str = DAY) -> Any:
    return read_manifest(lab.lake, "export-rag", day)


def balanced(one: Any) -> bool:
    return bool(one.records_in == one.records_out + sum(one.skip_reasons.values()) + one.records_quarantined)


# ---------------------------------------------------------------- the day's part


def test_a_run_becomes_the_chunks_of_its_text(lab: Any) -> None:
    lab.settings(SMALL)
    lab.write("agent_runs", run(0, response=LONG))
    lab.make()
    chunks = lab.chunks()
    (evidence,) = lab.evidence()
    assert len(chunks) == 3
    for index, chunk in enumerate(chunks):
        assert list(chunk) == list(RagChunk.__struct_fields__)
        assert chunk["content"] == LONG[chunk["char_start"] : chunk["char_end"]]
        assert chunk["id"] == content_id("rag", {"content": chunk["content"]})
        assert (chunk["chunk_index"], chunk["chunk_count"]) == (index, 3)
        assert 0 < chunk["token_count"] <= 16
        assert (chunk["source_run_id"], chunk["task_id"], chunk["stream"]) == ("r0", "t0", "agent_runs")
        assert chunk["title"] == "agent_runs: t0"
        assert chunk["provenance"] == evidence["provenance"]
    assert (chunks[0]["char_start"], chunks[-1]["char_end"]) == (0, len(LONG))
    assert (manifest(lab).records_out, manifest(lab).items_out) == (1, 3)


@pytest.mark.parametrize(
    ("stream", "row", "category", "held"),
    [
        ("agent_runs", run(0), "accepted", None),
        ("agent_runs", partial(0), "partially_accepted", None),
        ("agent_runs", waiting(0), "needs_human_review", None),
        ("agent_runs", rejected(0), "rejected", "rejected"),
        ("agent_runs", run(0, response=""), "accepted", "empty_text"),
        ("agent_runs", run(0, response=" \n\t"), "accepted", "empty_text"),
        ("agent_runs", run(0, response="\u200b\x00"), "accepted", "empty_text"),  # nothing that a model would read
        ("distilled_facts", fact(0), "accepted", None),
        ("distilled_facts", fact(0, 0.6), "partially_accepted", None),
        ("distilled_facts", fact(0, 0.1), "rejected", "rejected"),
    ],
)
def test_what_becomes_of_a_run(lab: Any, stream: str, row: dict[str, Any], category: str, held: str | None) -> None:
    lab.write(stream, row)
    lab.make()
    assert [one["category"] for one in lab.scored()] == [category]
    assert [chunk["category"] for chunk in lab.chunks()] == ([] if held else [category])
    made = manifest(lab)
    assert made.skip_reasons == ({held: 1} if held else {})
    assert (made.records_in, made.records_out, made.items_out) == (1, 0 if held else 1, 0 if held else 1)
    assert balanced(made)


def test_a_receipt_of_days_counts_runs_and_chunks(lab: Any) -> None:
    lab.settings(SMALL)
    lab.write("agent_runs", run(0, response=LONG), run(1, NEXT), rejected(2))
    lab.make()
    with Stage(lab.run("night"), "export-rag") as stage:
        stage.days(manifest(lab, day) for day in (DAY, NEXT))
    receipt = lab.run("night").receipts()["export-rag"]
    assert (receipt.records_in, receipt.records_out, receipt.items_out) == (3, 2, 4)


def test_tags_say_where_a_chunk_comes_from(lab: Any) -> None:
    row = {"task_class": "review", "mode": "m", "file": "a.rs", "response": "x", "ok": True, "ts": f"{DAY}T10:00:00Z"}
    lab.write("mode_experiments", row, {**row, "response": "y", "ok": None})
    lab.make()
    assert [chunk["tags"] for chunk in lab.chunks()] == [
        ["mode_experiments", "telemetry", "accepted", "executor", "review"],
        ["mode_experiments", "telemetry", "needs_human_review", "executor", "review", "unreviewed"],
    ]


def test_a_tag_stands_once(lab: Any) -> None:
    lab.write("agent_runs", run(0))
    lab.make()
    evidence = JsonlReader(EvidenceRecord).records(lab.lake.evidence(DAY, "agent_runs"))
    scored = JsonlReader(ScoredRun).records(lab.lake.scored(DAY, "agent_runs"))
    again = msgspec.structs.replace(next(iter(evidence)), task_class="telemetry")
    assert tags(again, next(iter(scored))) == ["agent_runs", "telemetry", "accepted", "executor"]


@pytest.mark.parametrize(
    "text",
    [
        f"{LONG} ssn {SSN}",
        f"my social security number is {'word ' * 6}219099999",  # what says so may be in another chunk than the number
        f"{'word ' * 30}{SSN}",
    ],
)
def test_a_run_with_a_secret_is_quarantined_with_all_of_its_chunks(lab: Any, text: str) -> None:
    lab.settings(SMALL)
    lab.write("agent_runs", run(0, response=text), run(1))
    lab.make()
    assert names(lab.chunks()) == [("r1", 0)]
    held = [row for row in lab.quarantined() if row["stage"] == "export-rag"]
    assert [(row["line_offset"], row["reason_code"], row["raw_masked"]) for row in held] == [(0, "pii_ssn", True)]
    assert "219" not in held[0]["raw"]
    assert manifest(lab).records_quarantined == 1
    assert balanced(manifest(lab))


def test_a_secret_that_only_a_cut_makes_is_quarantined_too(lab: Any) -> None:
    # Behind more digits it is no social security number; a chunk that begins after them would say that it is one.
    lab.settings("workers = 1\n[rag]\ntokens = 16\noverlap = 0")
    texts = [f"{'-'.join('x' * filler)}-11-{SSN}" for filler in range(1, 12)]
    lab.write("agent_runs", *(run(n, response=text) for n, text in enumerate(texts)))
    lab.make()
    held = [row for row in lab.quarantined() if row["stage"] == "export-rag"]
    assert held
    assert all(row["reason_code"] == "pii_ssn" for row in held)
    assert not any(chunk["content"].startswith(SSN) for chunk in lab.chunks())
    lab.gate([DAY])
    assert lab.publish_rag().records_quarantined == len(held)


def test_a_secret_in_the_task_is_found(lab: Any) -> None:
    lab.write("agent_runs", run(0, task_id=f"ssn {SSN}"))
    lab.make()
    assert lab.chunks() == []
    assert manifest(lab).records_quarantined == 1


def test_a_part_has_the_order_of_the_evidence(lab: Any) -> None:
    lab.write("distilled_facts", fact(1), fact(0))
    lab.write("agent_runs", run(2, at="12:00:00"), run(1, at="11:00:00"))
    lab.make()
    assert [chunk["content"] for chunk in lab.chunks()] == ["a2", "a1", "fact 1", "fact 0"]


def test_two_processes_give_the_bytes_of_one(new_lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trees = []
    for workers in (1, 2):
        lab = new_lab()
        lab.settings(f"workers = {workers}\n[rag]\ntokens = 16\noverlap = 4")
        lab.write("agent_runs", run(0, response=LONG), run(1, NEXT))
        lab.write("distilled_facts", fact(0), fact(1, day=NEXT))
        with monkeypatch.context() as patch:
            patch.setattr(engine, "WORTH_A_PROCESS", 1)
            lab.make()
        trees.append(lab.tree("distilled", "index/days/export-rag"))
    assert trees[0] == trees[1]
    assert len(trees[0]) > 6


def test_making_chunks_again_changes_no_byte(lab: Any) -> None:
    lab.settings(SMALL)
    lab.write("agent_runs", run(0, response=LONG), run(1), rejected(2))
    publish(lab)
    before = lab.tree()
    lab.make([DAY], now=LATER)
    lab.gate([DAY], now=LATER)
    lab.publish_rag(now=LATER)
    assert lab.tree() == before


def test_chunks_keep_their_stamps_when_late_rows_join_them(lab: Any) -> None:
    lab.settings(SMALL)
    lab.write("agent_runs/a", run(0, response=LONG), run(2))
    lab.make()
    first = {(chunk["source_run_id"], chunk["id"]): chunk["created_at"] for chunk in lab.chunks()}
    lab.write("agent_runs/a", run(1, response=f"Also. {LONG}"))
    lab.write("agent_runs/0", run(9))  # its file is read before the others
    lab.make(now=LATER)
    again = {(chunk["source_run_id"], chunk["id"]): chunk["created_at"] for chunk in lab.chunks()}
    assert {key: stamp for key, stamp in again.items() if key in first} == first
    assert {stamp for key, stamp in again.items() if key not in first} == {LATER}


def test_chunks_that_a_setting_leaves_as_they_are_keep_their_stamps(lab: Any) -> None:
    lab.settings(SMALL)
    lab.write("agent_runs", run(0, response=LONG), run(1))
    lab.make()
    lab.settings("workers = 1\n[rag]\ntokens = 20\noverlap = 4")
    lab.make(now=LATER)
    stamps = {chunk["source_run_id"]: chunk["created_at"] for chunk in lab.chunks()}
    assert stamps == {"r0": LATER, "r1": "2026-05-10T02:00:00.000Z"}


def test_the_stamps_of_a_broken_part_are_not_known(tmp_path: Path) -> None:
    path = tmp_path / "part.jsonl"
    place = {"source_file": "_kb/a.jsonl", "line_offset": 0, "sig_hash": "s", "recorded_at": "r"}
    line = {"id": "rag-1", "chunk_index": 0, "created_at": "c", "provenance": place}
    torn = json.dumps(line)[:20]
    path.write_text(f"{torn}\n{json.dumps(line)}\n{json.dumps({**line, 'id': 'rag-2', 'chunk_index': 1})}\n")
    assert PriorChunks(path, ["_kb/a.jsonl"]).stamps("_kb/a.jsonl", 0) == {"rag-1": "c", "rag-2": "c"}
    assert PriorChunks(path, ["_kb/a.jsonl"]).stamps("_kb/a.jsonl", 1) == {}
    assert PriorChunks(tmp_path / "none", ["_kb/a.jsonl"]).stamps("_kb/a.jsonl", 0) == {}


def test_chunks_need_verdicts(lab: Any) -> None:
    lab.write("agent_runs", run(0))
    lab.index()
    with pytest.raises(UsageError, match="has not been through stage 'score'"):
        chain.make_chunks(lab.lake, [DAY], LATER)


def test_what_a_killed_run_left_is_removed(lab: Any) -> None:
    lab.write("agent_runs", run(0))
    lab.make()
    before = lab.tree()
    part, keys = lab.lake.rag_part(DAY), lab.lake.rag_keys(DAY)
    for leftover in (part.with_name(".01.agent_runs.part.tmp"), keys / ".agent_runs.parquet.7-0.tmp"):
        leftover.write_bytes(b"half")
    lab.make([DAY])
    assert lab.tree() == before


def test_the_files_of_a_stream_without_rows_go(lab: Any) -> None:
    path = lab.write("distilled_facts", fact(0))
    lab.write("agent_runs", run(0))
    lab.make()
    path.unlink()
    shutil.rmtree(lab.root / "index" / "lines")
    lab.make()
    assert [file.name for file in lab.lake.rag_keys(DAY).iterdir()] == ["agent_runs.parquet"]
    assert names(lab.chunks()) == [("r0", 0)]


@pytest.mark.parametrize(("run_id", "error"), [("r", KeyError), (7, TypeError)])
def test_keys_that_cannot_be_written_leave_nothing(tmp_path: Path, run_id: Any, error: type[Exception]) -> None:
    def write() -> None:
        with ChunkKeys(tmp_path / "keys" / "a.parquet") as keys:
            keys.rejected("a", run_id)  # a number fails when the block ends
            if error is KeyError:
                raise KeyError

    with pytest.raises(error):
        write()
    assert list((tmp_path / "keys").iterdir()) == []


# ---------------------------------------------------------------- staleness


def test_a_day_without_chunks_is_stale(lab: Any) -> None:
    lab.write("agent_runs", run(0))
    lab.make(chunks=False)
    assert lab.stale() == {DAY: "its chunks were never made"}
    lab.make()
    assert lab.stale() == {}


@pytest.mark.parametrize(
    ("toml", "stale"),
    [
        ("[rag]\ntokens = 100", True),
        ("[rag]\noverlap = 20", True),
        ("[rag]\ntokens = 300", False),  # the model reads no more than 254
        ("[rag]\ninclude_review = true", False),  # publishing leaves out
    ],
)
def test_a_setting_makes_days_stale_where_it_changes_their_chunks(lab: Any, toml: str, stale: bool) -> None:
    lab.write("agent_runs", run(0))
    lab.make()
    lab.settings(f"workers = 1\n{toml}")
    why = {DAY: "its verdicts, the size of a chunk or the tokenizer changed"}
    assert lab.stale() == (why if stale else {})


def test_a_lost_part_makes_its_day_stale(lab: Any) -> None:
    lab.write("agent_runs", run(0))
    lab.make()
    (lab.root / PART).unlink()
    assert lab.stale() == {DAY: f"{PART} is gone or was cut"}


def test_a_day_that_waits_for_its_stream_to_be_mended_gets_its_chunks(lab: Any) -> None:
    path = lab.write("agent_runs", run(0), run(1))
    lab.make(chunks=False)
    path.write_bytes(path.read_bytes().replace(b"a0", b"b0"))
    lab.make()
    assert lab.stale() == {}
    assert [chunk["content"] for chunk in lab.chunks()] == ["a0", "a1"]


@pytest.mark.parametrize(
    ("toml", "what"),
    [
        ("tokens = 15", "tokens"),
        ("overlap = -1", "overlap"),
        ("tokens = 20\noverlap = 11", "more than half"),
        ("x = 1", "x"),
    ],
)
def test_a_wrong_setting_is_refused(lab: Any, toml: str, what: str) -> None:
    lab.settings(f"[rag]\n{toml}")
    with pytest.raises(UsageError, match=what):
        read_settings(lab.lake.toml)


# ---------------------------------------------------------------- publishing


def test_a_lake_made_anew_gives_the_same_run_hash(new_lab: Any) -> None:
    hashes = set()
    for now in (LATER, "2026-07-01T02:00:00.000Z"):
        lab = new_lab()
        lab.write("agent_runs", run(0), run(1, NEXT))
        hashes.add(lab.night(now=now, rag=True).run_hash)
    assert len(hashes) == 1


def test_the_chunks_of_all_green_days_are_published_in_order(lab: Any) -> None:
    lab.settings(SMALL)
    lab.write("agent_runs", run(3, THIRD), run(1, at="11:00:00"), run(0, response=LONG), run(2, NEXT))
    lab.write("distilled_facts", fact(4, day=NEXT))
    published = publish(lab)
    rows = lab.published_chunks()
    assert [(row["task_id"], row["chunk_index"]) for row in rows] == [
        *(("t0", 0), ("t0", 1), ("t0", 2), ("t1", 0)),
        *(("fact:s4", 0), ("t2", 0), ("t3", 0)),
    ]
    assert (published.records_in, published.records_out, published.items_out) == (5, 5, 7)
    assert published.held_days == {}
    assert published.counts == {
        "stream": {"agent_runs": 6, "distilled_facts": 1},
        "category": {"accepted": 7},
        "firewall": {"rejected": 0, "conflicting_verdicts": 0, "review_not_requested": 0},
    }
    (ref,) = published.outputs
    path = lab.root / "distilled/rag/rag_export.jsonl"
    assert (ref.path, ref.rows) == ("distilled/rag/rag_export.jsonl", 7)
    assert (ref.bytes, ref.sha256) == (path.stat().st_size, sha256_of(path))
    assert [one.check for one in published.verdicts] == list(REQUIRED_OF_EXPORTS["rag_export"])
    assert set(read_verdicts(lab.lake, "rag_export")) == set(REQUIRED_OF_EXPORTS["rag_export"])
    assert [ref.path for ref in published.inputs] == [f"distilled/rag/parts/2026/05/0{day}.jsonl" for day in (1, 2, 3)]


def test_an_empty_lake_publishes_an_empty_file(lab: Any) -> None:
    published = publish(lab)
    assert (published.records_in, published.items_out) == (0, 0)
    assert (lab.root / "distilled/rag/rag_export.jsonl").read_bytes() == b""


def test_published_chunks_are_the_lines_of_the_parts(lab: Any) -> None:
    lab.settings(SMALL)
    lab.write(
        "agent_runs", run(0, response=f"{LONG} 👩‍👧 naïve"), run(1, NEXT, response=f"你好。{LONG.upper()} Café ⭐!")
    )
    publish(lab)
    assert lab.published_chunks() == lab.chunks()
    for line in (lab.root / "distilled/rag/rag_export.jsonl").read_bytes().splitlines():
        assert msgspec.json.encode(msgspec.json.decode(line, type=RagChunk)) == line


@pytest.mark.parametrize(("asked_for", "setting"), [(None, True), (True, False)])
def test_runs_that_wait_for_a_person_are_published_when_asked(lab: Any, asked_for: bool | None, setting: bool) -> None:
    lab.settings(f"workers = 1\n[rag]\ninclude_review = {str(setting).lower()}")
    lab.write("agent_runs", run(0), waiting(1, at="11:00:00"))
    published = publish(lab, include_review=asked_for)
    assert names(lab.published_chunks()) == [("r0", 0), ("r1", 0)]
    assert published.skip_reasons == {}
    assert "unreviewed" in lab.published_chunks()[1]["tags"]


def test_runs_that_wait_for_a_person_are_left_out_unasked(lab: Any) -> None:
    lab.write("agent_runs", run(0), waiting(1))
    published = publish(lab)
    assert names(lab.published_chunks()) == [("r0", 0)]
    assert published.skip_reasons == {"review_not_requested": 1}
    assert balanced(published)


def test_a_run_that_is_also_rejected_is_left_out(lab: Any) -> None:
    lab.write("agent_runs", run(0), run(1), rejected(0, day=NEXT), waiting(1, day=NEXT))
    published = publish(lab)
    assert names(lab.published_chunks()) == [("r1", 0)]
    assert published.skip_reasons == {"conflicting_verdicts": 1, "rejected": 1, "review_not_requested": 1}
    assert balanced(published)


def test_a_run_of_the_same_name_in_another_stream_is_another_run(lab: Any) -> None:
    lab.write("agent_runs", run(0))
    lab.write("distilled_facts", fact(0, 0.1, run_id="r0"))
    publish(lab)
    assert names(lab.published_chunks()) == [("r0", 0)]


def test_a_held_day_speaks_against_a_run_all_the_same(lab: Any) -> None:
    lab.write("agent_runs", run(0), rejected(0, day=NEXT), run(1, NEXT))
    lab.make()
    lab.gate([DAY])
    published = lab.publish_rag()
    assert lab.published_chunks() == []
    assert published.skip_reasons == {"conflicting_verdicts": 1, "held_day": 2}
    assert "missing" in published.held_days[NEXT]
    assert balanced(published)


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([partial(0), run(1)], "r1"),  # the better verdict
        ([waiting(0), partial(1)], "r1"),
        ([run(0, at="12:00:00"), run(1, at="11:00:00")], "r1"),  # the earlier run
        ([run(0, NEXT), run(1)], "r1"),
    ],
)
def test_a_content_is_published_once(lab: Any, rows: list[dict[str, Any]], kept: str) -> None:
    lab.write("agent_runs", *({**row, "response": "the same"} for row in rows))
    published = publish(lab, include_review=True)
    assert names(lab.published_chunks()) == [(kept, 0)]
    assert published.skip_reasons == {"duplicate_content": 1}
    assert balanced(published)


def test_a_run_of_which_a_part_is_new_keeps_that_part(lab: Any) -> None:
    lab.settings("workers = 1\n[rag]\ntokens = 16\noverlap = 0")
    first, second, third = (f"{word} one two three four five six seven eight nine ten.\n\n" for word in "abc")
    lab.write("agent_runs", run(0, response=first + second), run(1, at="11:00:00", response=first + third))
    published = publish(lab)
    assert names(lab.published_chunks()) == [("r0", 0), ("r0", 1), ("r1", 1)]
    assert (published.records_out, published.items_out, published.skip_reasons) == (2, 3, {})


def test_a_text_that_repeats_itself_is_published_without_the_repetition(lab: Any) -> None:
    lab.settings("workers = 1\n[rag]\ntokens = 16\noverlap = 0")
    lab.write("agent_runs", run(0, response="One two three four five six seven eight nine.\n\n" * 4))
    published = publish(lab)
    assert names(lab.published_chunks()) == [("r0", 0)]
    assert (published.records_out, published.items_out) == (1, 1)


def test_a_copy_whose_first_is_left_out_is_published(lab: Any) -> None:
    lab.write("agent_runs", run(0, response="x"), rejected(0, day=NEXT, response="y"), partial(1, response="x"))
    publish(lab)
    assert names(lab.published_chunks()) == [("r1", 0)]


def test_a_day_whose_part_was_changed_is_held_back(lab: Any) -> None:
    lab.write("agent_runs", run(0), run(1, NEXT))
    lab.make()
    lab.gate([DAY, NEXT])
    path = lab.root / PART
    path.write_bytes(path.read_bytes().replace(b'"a0"', b'"b0"'))
    assert list(lab.publish_rag().held_days) == [DAY]
    assert names(lab.published_chunks()) == [("r1", 0)]


def test_a_red_candidate_leaves_what_was_published(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write("agent_runs", run(0), rejected(1))
    publish(lab)
    path = lab.root / "distilled/rag/rag_export.jsonl"
    before = path.read_bytes()
    lab.write("agent_runs", run(2))
    lab.make()
    lab.gate([DAY])
    monkeypatch.setattr(publishing, "lines", lambda *_: iter([before[:-1].replace(b'"a0"', b'"z9"')]))
    with pytest.raises(GateFailed, match="chunks_rebuild_text: 1 faults"):
        lab.publish_rag()
    assert path.read_bytes() == before
    assert list(path.parent.glob(".*")) == []
    assert not read_verdicts(lab.lake, "rag_export")["chunks_rebuild_text"].passed


def test_each_finished_day_is_told(lab: Any) -> None:
    lab.write("agent_runs", run(0), run(1), run(2, NEXT), rejected(3, day=THIRD))
    lab.make()
    lab.gate(DAYS)
    told: list[str] = []
    with closing(connect(lab.lake)) as connection:
        publishing.publish(lab.lake, connection, LATER, done=told.append)
    assert told == [DAY, NEXT]


def test_a_publication_is_due_until_it_is_what_the_days_call_for(lab: Any) -> None:
    lab.write("agent_runs", run(0), waiting(1))
    lab.make()
    lab.gate([DAY])
    assert DAY in due(lab.lake, RAG, THIRD, asked(lab.lake))
    lab.publish_rag()
    assert due(lab.lake, RAG, THIRD, asked(lab.lake)) == {}
    assert DAY in due(lab.lake, RAG, THIRD, asked(lab.lake, True))


def test_the_two_exports_do_not_hold_each_other(lab: Any) -> None:
    lab.write("agent_runs", run(0))
    lab.make()
    lab.gate([DAY])
    lab.publish()
    (lab.lake.gate("rag_chunks", DAY)).unlink()
    assert "rag_chunks" in (why_held(lab.lake, DAY) or "")
    assert due(lab.lake, SFT, THIRD, asked_of_sft(lab.lake, False)) == {}
    assert lab.publish().held_days == {}
    assert list(lab.publish_rag().held_days) == [DAY]
    lab.gate([DAY])
    (lab.lake.gate("sft_samples", DAY)).unlink()
    assert lab.publish_rag().held_days == {}
    assert list(lab.publish().held_days) == [DAY]


def texts() -> Any:
    words = st.lists(st.sampled_from(["one", "two. ", "three\n\n", " ", "né", "你"]), max_size=60).map("".join)
    verdict = st.sampled_from([{"passed": True}, {"passed": False}, {"reward": 0.5}, {}])
    row = st.tuples(words, verdict, st.sampled_from(DAYS), st.integers(0, 3), st.integers(0, 9))
    return st.lists(row, min_size=1, max_size=14)


@given(texts(), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=15)
def test_no_order_of_days_rows_or_files_changes_what_is_published(
    new_lab: Any, drawn: list[Any], random: Any, review: bool
) -> None:
    rows = [
        {"run_id": f"r{name}", "task_id": "t", "prompt": str(number), "response": text, "ts": f"{day}T{hour:02}:00:00Z", **verdict}
        for number, (text, verdict, day, name, hour) in enumerate(drawn)
    ]  # fmt: skip
    seen = []
    for layout in range(2):
        lab = new_lab()
        lab.settings(SMALL)
        for row in rows:
            lab.write(f"agent_runs/{random.randint(0, 2)}" if layout else "agent_runs", row)
        lab.index()
        days = list(lab.stale())
        if layout:
            random.shuffle(days)
            random.shuffle(rows)
        for day in days:
            lab.make([day])
        lab.gate(days)
        published = lab.publish_rag(include_review=review)
        assert balanced(published)
        ids = [(chunk["id"], chunk["source_run_id"], chunk["category"]) for chunk in lab.published_chunks()]
        assert len({one[0] for one in ids}) == len(ids)
        seen.append((ids, published.skip_reasons, published.records_out))
    assert seen[0] == seen[1]
