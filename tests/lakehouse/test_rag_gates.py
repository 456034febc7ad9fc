"""The gates of the RAG export: green on what is published, red for each fault that they are there for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from lakehouse.canonical import content_id
from lakehouse.chunking import tokens
from lakehouse.errors import OutsideFailure
from lakehouse.gates import daily
from lakehouse.gates.verdicts import why_held

DAY, NEXT = "2026-05-01", "2026-05-02"
NOW = "2026-05-10T02:00:00.000Z"
EXPORT = "distilled/rag/rag_export.jsonl"
LONG = "The first thing was fine. The second thing was not. Then a third thing came. Nobody knows what followed it."
Rows = list[dict[str, Any]]


def run(n: int, day: str = DAY, **more: Any) -> dict[str, Any]:
    base = {"run_id": f"r{n}", "task_id": f"t{n}", "prompt": "p", "response": f"a{n}", "passed": True}
    return {**base, "ts": f"{day}T1{n}:00:00Z", **more}


@pytest.fixture
def ready(lab: Any) -> Any:
    """A published export: a run in several chunks, one in one, one that shares a chunk, and a run of each other verdict."""
    lab.settings("workers = 1\n[rag]\ntokens = 16\noverlap = 4\ninclude_review = true")
    lab.write(
        "agent_runs",
        run(0, response=f"{LONG} 👩‍👧 naïve"),
        run(1),
        run(2, response=f"{LONG} And more."),
        run(3, passed=None, reward=0.5),
        run(4, passed=None),
        run(5, passed=False),
        run(6, NEXT),
    )
    lab.make()
    assert lab.gate([DAY, NEXT]) == []
    lab.publish_rag()
    return lab


def plant(lab: Any, change: Callable[[Rows], Rows | None]) -> Rows:
    """Change the published chunks; the function changes the rows in place, or gives others."""
    path = lab.root / EXPORT
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    changed = change(rows) or rows
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in changed), encoding="utf-8")
    return changed


def of(rows: Rows, run_id: str) -> dict[str, Any]:
    return next(row for row in rows if row["source_run_id"] == run_id)


def said(verdict: Any) -> list[tuple[int, str]]:
    return [(offender["line"], offender["why"]) for offender in verdict.offenders]


def test_what_is_published_is_green(ready: Any) -> None:
    rows = len(ready.published_chunks())
    for one, summary in (
        (ready.never_rejected(include_review=True), f"{rows} chunks, none of a rejected run"),
        (ready.chunks_rebuild_text(), f"{rows} chunks rebuild their texts"),
    ):
        assert (one.passed, one.rows_checked, one.summary, one.severity) == (True, rows, summary, "ERROR")
    shared = [row for row in ready.chunks() if row["id"] == ready.published_chunks()[0]["id"]]
    assert {row["source_run_id"] for row in shared} == {"r0", "r2"}, "the fixture has a chunk that two runs share"


def test_an_empty_file_is_green_with_nothing_checked(lab: Any) -> None:
    lab.index()
    lab.publish_rag()
    for one in (lab.never_rejected(), lab.chunks_rebuild_text()):
        assert (one.passed, one.rows_checked) == (True, 0)


# ---------------------------------------------------------------- never_rejected


def reject(lab: Any) -> None:
    """Let the scored runs say that run r1, which is published, is rejected."""
    path = lab.root / "scored-runs/2026/05/01/agent_runs.jsonl"
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace('"category":"accepted"', '"category":"rejected"')
    path.write_text("\n".join(lines) + "\n")


def forge(rows: Rows) -> None:
    """Claim the rejected run r5 for a chunk."""
    of(rows, "r1").update(source_run_id="r5", task_id="t5")


def claim_best(rows: Rows) -> None:
    of(rows, "r3").update(category="accepted")


def swap(rows: Rows) -> None:
    one, other = of(rows, "r1"), of(rows, "r3")
    one["category"], other["category"] = other["category"], one["category"]


def untag(rows: Rows) -> None:
    of(rows, "r4")["tags"].remove("unreviewed")


def without_tags(rows: Rows) -> None:
    del of(rows, "r4")["tags"]


def leak(rows: Rows) -> None:
    of(rows, "r1")["title"] = "ssn 219-09-9999"


def elsewhere(rows: Rows) -> None:
    of(rows, "r1")["provenance"]["line_offset"] = 99


def resigned(rows: Rows) -> None:
    of(rows, "r1")["provenance"]["sig_hash"] = "0" * 64


def of_another_stream(rows: Rows) -> None:
    of(rows, "r1")["stream"] = "audits"


def unclaimed(rows: Rows) -> None:
    del of(rows, "r1")["category"]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (forge, ["its run is also rejected", "it names another run than its verdict, agent_runs r1"]),
        (claim_best, ["it claims accepted, its run is partially_accepted"]),
        (
            swap,
            [
                "it claims partially_accepted, its run is accepted",
                "it claims accepted, its run is partially_accepted",
            ],
        ),
        (unclaimed, ["it claims nothing, its run is accepted"]),
        (untag, ["its run waits for a person, and it is not tagged unreviewed"]),
        (without_tags, ["its run waits for a person, and it is not tagged unreviewed"]),
        (elsewhere, ["its run has no verdict"]),
        (resigned, ["its run has no verdict"]),
        (of_another_stream, ["it names another run than its verdict, agent_runs r1"]),
        (leak, ["it holds a pii_ssn (ssn)"]),
    ],
)
def test_a_chunk_that_must_not_be_there_is_named(ready: Any, fault: Callable[[Rows], None], why: list[str]) -> None:
    plant(ready, fault)
    found = ready.never_rejected(include_review=True)
    assert not found.passed
    assert {reason for _, reason in said(found)} <= set(why)
    assert found.offenders[0]["file"] == EXPORT


def test_a_chunk_of_a_rejected_run_is_named(ready: Any) -> None:
    reject(ready)
    found = ready.never_rejected(include_review=True)
    (line,) = [n for n, row in enumerate(ready.published_chunks(), start=1) if row["source_run_id"] == "r1"]
    assert said(found) == [(line, "its run is rejected")]
    (offender,) = found.offenders
    assert (offender["run"], offender["source"]) == ("r1", "_kb/agent_runs.jsonl:2")
    assert found.summary == f"1 of {found.rows_checked} chunks must not be there"


def test_a_run_that_is_rejected_elsewhere_is_named(ready: Any) -> None:
    ready.write("agent_runs", run(1, NEXT, passed=False))
    ready.make()
    assert [why for _, why in said(ready.never_rejected(include_review=True))] == ["its run is also rejected"]


def test_a_run_that_waits_for_a_person_must_have_been_asked_for(ready: Any) -> None:
    found = ready.never_rejected(include_review=False)
    assert [why for _, why in said(found)] == ["its run waits for a person, and such runs were not asked for"]


def test_without_any_verdict_every_chunk_is_named(ready: Any) -> None:
    shutil.rmtree(ready.root / "scored-runs")
    found = ready.never_rejected(include_review=True)
    assert {why for _, why in said(found)} == {"its run has no verdict"}
    assert len(found.offenders) == found.rows_checked


def test_at_most_a_hundred_offenders_are_listed(ready: Any) -> None:
    plant(ready, lambda rows: [{**of(rows, "r1"), "category": "rejected"} for _ in range(250)])
    found = ready.never_rejected(include_review=True)
    assert (len(found.offenders), found.summary) == (100, "250 of 250 chunks must not be there")


# ---------------------------------------------------------------- chunks_rebuild_text


def shift(rows: Rows) -> None:
    rows[0]["char_start"] += 1
    rows[0]["char_end"] += 1


def rewritten(rows: Rows) -> None:
    """A content and its id, both changed."""
    rows[0]["content"] = rows[0]["content"].replace("first", "worst")
    rows[0]["id"] = content_id("rag", {"content": rows[0]["content"]})


def renamed(rows: Rows) -> None:
    rows[0]["id"] = f"rag-{'0' * 16}"


def lost(rows: Rows) -> Rows:
    """A chunk that only its run has."""
    last = [row for row in rows if row["source_run_id"] == "r0"][-1]
    return [row for row in rows if row is not last]


def lost_from_both(rows: Rows) -> Rows:
    """The chunk that two runs share."""
    return rows[1:]


def twice(rows: Rows) -> Rows:
    return [*rows, rows[0]]


def renumbered(rows: Rows) -> None:
    rows[0]["chunk_index"], rows[1]["chunk_index"] = rows[1]["chunk_index"], rows[0]["chunk_index"]


def outnumbered(rows: Rows) -> None:
    rows[0]["chunk_count"] += 1


def overnumbered(rows: Rows) -> None:
    for row in rows:
        if row["source_run_id"] == "r1":
            row["chunk_count"] = 10**12


def gap(rows: Rows) -> None:
    """A chunk that ends early, content and id too, so that what follows does not go on there."""
    row = rows[0]
    row["char_end"] -= 30
    row["content"] = row["content"][:-30]
    row["id"] = content_id("rag", {"content": row["content"]})
    row["token_count"] = len(tokens.load().encode(row["content"], add_special_tokens=False).ids)


def cut_off(rows: Rows) -> None:
    """The end of a run's last chunk."""
    row = of(rows, "r1")
    row["char_end"] -= 1
    row["content"] = row["content"][:-1]
    row["id"] = content_id("rag", {"content": row["content"]})


def miscounted(rows: Rows) -> None:
    rows[0]["token_count"] -= 1


def too_long(rows: Rows) -> None:
    rows[0]["token_count"] = 17


def without_tokens(rows: Rows) -> None:
    rows[0]["token_count"] = 0


def negative(rows: Rows) -> None:
    rows[0]["char_start"] -= 5


def incomplete(rows: Rows) -> None:
    del rows[0]["char_end"]


def homeless(rows: Rows) -> None:
    of(rows, "r1")["provenance"]["line_offset"] = 99


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (shift, "its content is not the text from 1 to "),
        (negative, "its content is not the text from -5 to "),
        (rewritten, "its content is not the text from 0 to "),
        (renamed, "its id is not that of its content"),
        (lost, "chunks of its run there are numbers 0, 1"),
        (lost_from_both, "chunks of its run there are numbers 1"),
        (twice, "chunks of its run there are numbers 0, 0, 1"),
        (renumbered, "it does not go on where the text was left, at 0"),
        (outnumbered, "the chunks of its run disagree on how many they are"),
        (overnumbered, "of the 1000000000000 chunks of its run there are numbers 0"),
        (gap, "it does not go on where the text was left, at "),
        (cut_off, "the chunks end at 1, the text at 2"),
        (miscounted, "the tokenizer counts"),
        (too_long, "it has 17 tokens, the most is 16"),
        (without_tokens, "it has 0 tokens, the most is 16"),
        (incomplete, "a chunk of its run lacks a field"),
        (homeless, "its run has no evidence"),
    ],
)
def test_a_chunk_that_does_not_rebuild_its_text_is_named(
    ready: Any, fault: Callable[[Rows], Rows | None], why: str
) -> None:
    rows = plant(ready, fault)
    found = ready.chunks_rebuild_text()
    assert not found.passed
    assert any(why in reason for _, reason in said(found)), said(found)
    assert found.summary.endswith(f"faults in {len(rows)} chunks")
    for offender in found.offenders:
        assert offender["file"] == EXPORT
        assert offender["line"] <= len(rows)
        assert offender["source"].startswith("_kb/agent_runs.jsonl:")


@pytest.mark.parametrize("share", [1, 2, 3])
def test_many_chunks_are_joined_share_by_share(ready: Any, monkeypatch: pytest.MonkeyPatch, share: int) -> None:
    monkeypatch.setattr("lakehouse.gates.rag._SHARE", share)
    whole = ready.chunks_rebuild_text()
    assert (whole.passed, whole.rows_checked) == (True, len(ready.published_chunks()))
    path = ready.root / "distilled/rag/rag_export.jsonl"
    rows = ready.published_chunks()
    shift(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = ready.chunks_rebuild_text()
    assert [(found.passed, one["line"]) for one in found.offenders][:1] == [(False, 1)]


def test_a_chunk_of_changed_evidence_is_named(ready: Any) -> None:
    path = ready.root / "evidence/2026/05/01/agent_runs.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"text":"a1"', b'"text":"b1"'))
    found = ready.chunks_rebuild_text()
    assert [why for _, why in said(found)] == ["its content is not the text from 0 to 2"]


def test_without_any_evidence_every_chunk_is_named(ready: Any) -> None:
    shutil.rmtree(ready.root / "evidence")
    found = ready.chunks_rebuild_text()
    assert {why for _, why in said(found)} == {"its run has no evidence"}
    assert len(found.offenders) == found.rows_checked


def test_without_the_parts_a_shared_chunk_counts_as_lost(ready: Any) -> None:
    shutil.rmtree(ready.root / "distilled/rag/parts")
    assert any("chunks of its run there are numbers" in why for _, why in said(ready.chunks_rebuild_text()))


def test_a_tokenizer_that_is_not_the_one_expected_is_red(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def other() -> None:
        raise OutsideFailure("the tokenizer is not the one that is expected")

    monkeypatch.setattr(tokens, "load", other)
    assert [why for _, why in said(ready.chunks_rebuild_text())] == ["the tokenizer is not the one that is expected."]


@pytest.mark.parametrize("content", [b"no json\n", b'{"id": 1, "provenance": 2}\n', b"[1]\n"])
def test_a_file_that_cannot_be_read_is_red(ready: Any, content: bytes) -> None:
    (ready.root / EXPORT).write_bytes(content)
    for one in (ready.never_rejected(), ready.chunks_rebuild_text()):
        assert not one.passed
        assert one.offenders[0]["file"] == EXPORT


def test_a_file_that_is_not_there_is_red(ready: Any) -> None:
    (ready.root / EXPORT).unlink()
    for one in (ready.never_rejected(), ready.chunks_rebuild_text()):
        assert (one.passed, one.input_sha256) == (False, "")


# ---------------------------------------------------------------- the daily gate


def test_the_receipt_of_a_day_balances(ready: Any) -> None:
    found = daily.receipt_balances(ready.lake, "rag_chunks", DAY, NOW)
    assert (found.passed, found.rows_checked) == (True, 6)
    assert why_held(ready.lake, DAY, ("rag_chunks",)) is None


def test_a_day_whose_part_changed_does_not_balance(ready: Any) -> None:
    path = ready.lake.rag_part(DAY)
    path.write_bytes(path.read_bytes()[:-1])
    found = daily.receipt_balances(ready.lake, "rag_chunks", DAY, NOW)
    assert [offender["file"] for offender in found.offenders] == [ready.lake.relative(path)]


def test_a_manifest_that_does_not_add_up_is_named(ready: Any) -> None:
    path = ready.lake.manifest("export-rag", DAY)
    path.write_text(path.read_text().replace('"records_out": 5', '"records_out": 4'))
    found = daily.receipt_balances(ready.lake, "rag_chunks", DAY, NOW)
    assert [offender["why"] for offender in found.offenders] == [
        "6 in, but 4 out + 1 skipped + 0 quarantined = 5",
    ]
