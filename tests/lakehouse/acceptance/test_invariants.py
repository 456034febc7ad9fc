"""Each invariant holds on the fixture lake, and fails where what it guards is broken, naming the row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace as changed

from lakehouse import scoring
from lakehouse.acceptance import invariants_receipts
from lakehouse.acceptance.copies import Copies
from lakehouse.acceptance.fixture import fixture_path, read_expected
from lakehouse.acceptance.registry import INVARIANTS, Invariant
from lakehouse.acceptance.rows import Context
from lakehouse.acceptance.runner import hold
from lakehouse.gates import registry as gates
from lakehouse.publish import gating
from lakehouse.records import Verdict
from lakehouse.scoring.judgement import Judgement

if TYPE_CHECKING:
    from conftest import Spoiled

EVIDENCE, SCORED = "evidence/*/*/*/*.jsonl", "scored-runs/*/*/*/*.jsonl"
SFT, RAG = "distilled/sft/sft_export.jsonl", "distilled/rag/rag_export.jsonl"
PAIRS = "distilled/preference/preference_export.jsonl"
REVIEWS, RUNS = "_kb/scrum_reviews.jsonl", "_kb/agent_runs/import.jsonl"
DAY_1 = "2026/03/02"


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda one: f"{one.number}")
def test_the_invariant_holds_on_the_fixture(copies: Copies, invariant: Invariant) -> None:
    found = hold(invariant, Context(copies, read_expected(fixture_path())), every=True)
    assert (found.status, found.failures) == ("holds", [])
    assert found.rows > 0


def test_there_are_22_numbered_in_order() -> None:
    assert [one.number for one in INVARIANTS] == list(range(1, 23))
    assert len({one.look for one in INVARIANTS}) == 22


def test_no_gate_is_red_and_no_day_is_held_on_the_fixture(copies: Copies) -> None:
    not_passed = [one for one in copies.first.verdicts if not one.verdict.passed]
    assert {one.verdict.severity for one in not_passed} <= {"WARN"}
    assert {one.verdict.check for one in not_passed} <= {"quarantine_rate"}
    assert copies.first.summary.held_days == {}
    assert copies.first.summary.error is None


def upper(name: str) -> Callable[[dict[str, Any]], None]:
    def edit(row: dict[str, Any]) -> None:
        row[name] = row[name].upper()

    return edit


def test_1_sees_a_second_run_that_wrote_something_else(spoiled: Spoiled) -> None:
    spoiled.take("second")
    place = spoiled.change(f"evidence/{DAY_1}/outcomes.jsonl", 2, upper("text"))
    assert spoiled.failing(1) == {place}


def test_1_sees_another_run_hash(spoiled: Spoiled) -> None:
    summary = changed(spoiled.copies.second.summary, run_hash="0" * 64)
    spoiled.copies = replace(spoiled.copies, second=replace(spoiled.copies.second, summary=summary))
    assert spoiled.failing(1) == {("reports/distillation/second/summary.json", 0)}


def test_1_lets_the_stamps_of_first_writing_differ(spoiled: Spoiled) -> None:
    spoiled.take("second")
    spoiled.change(f"scored-runs/{DAY_1}/outcomes.jsonl", 1, lambda row: row.update(scored_at="2030-01-01T00:00:00Z"))
    assert spoiled.failing(1) == set()


def test_2_sees_a_stamp_that_a_rerun_did_not_keep(spoiled: Spoiled) -> None:
    spoiled.take("again")
    place = spoiled.change(f"scored-runs/{DAY_1}/outcomes.jsonl", 2, lambda row: row.update(scored_at="2030-01-01"))
    assert spoiled.failing(2) == {place}


def test_2_sees_a_verdict_of_a_gate_that_was_written_anew(spoiled: Spoiled) -> None:
    lake = spoiled.take("again")
    path = lake.gate("evidence", "2026-03-03")
    path.write_bytes(path.read_bytes().replace(b"T02:00:00.000Z", b"T02:02:00.000Z", 1))
    assert {file for file, _ in spoiled.failing(2)} == {"gates/evidence/2026-03-03.json"}


def test_3_sees_lines_in_another_order(spoiled: Spoiled) -> None:
    spoiled.take("backwards")
    file = f"evidence/{DAY_1}/audits.jsonl"
    spoiled.write(file, spoiled.lines(file)[::-1])
    assert spoiled.failing(3) == {(file, 1)}


def test_4_sees_a_first_line_that_is_missing(spoiled: Spoiled) -> None:
    spoiled.take()
    spoiled.drop(f"evidence/{DAY_1}/audits.jsonl", 1)
    assert spoiled.failing(4) == {("_kb/audits.jsonl", 1)}


def test_4_sees_an_offset_0_that_was_left_out_as_if_it_were_empty(spoiled: Spoiled) -> None:
    spoiled.take()
    spoiled.change(f"evidence/{DAY_1}/audits.jsonl", 1, lambda row: row["provenance"].pop("line_offset"))
    assert spoiled.failing(4) == {("_kb/audits.jsonl", 1)}


def test_5_sees_a_duplicate_that_was_kept(spoiled: Spoiled) -> None:
    spoiled.take()
    file, _, first = spoiled.find(EVIDENCE, REVIEWS, 1)
    spoiled.append(file, {**first, "provenance": {**first["provenance"], "line_offset": 2}})
    assert spoiled.failing(5) == {(REVIEWS, 3)}


def test_5_sees_that_the_later_of_two_was_kept(spoiled: Spoiled) -> None:
    spoiled.take()
    file, line, _ = spoiled.find(EVIDENCE, REVIEWS, 1)
    spoiled.change(file, line, lambda row: row["provenance"].update(line_offset=2))
    assert spoiled.failing(5) == {(REVIEWS, 3)}


def test_5_sees_a_duplicate_that_is_not_counted(spoiled: Spoiled) -> None:
    lake = spoiled.take()
    path = lake.manifest("collect", "2026-03-02")
    path.write_bytes(path.read_bytes().replace(b'"duplicate": 1', b'"duplicate": 2'))
    assert spoiled.failing(5) == {("index/days/collect/2026-03-02.json", 0)}


def test_6_sees_a_malformed_row_that_vanished(spoiled: Spoiled) -> None:
    spoiled.take()
    file, line, _ = spoiled.find("quarantine/undated/*.jsonl", REVIEWS, 5)
    spoiled.drop(file, line)
    assert spoiled.failing(6) == {(REVIEWS, 5)}


def test_6_sees_a_neighbour_that_vanished_with_it(spoiled: Spoiled) -> None:
    spoiled.take()
    file, line, _ = spoiled.find(EVIDENCE, REVIEWS, 6)
    spoiled.drop(file, line)
    assert spoiled.failing(6) == {(REVIEWS, 6)}


def test_6_sees_a_row_quarantined_for_another_reason(spoiled: Spoiled) -> None:
    spoiled.take()
    file, line, _ = spoiled.find("quarantine/*/*/*/collect.jsonl", REVIEWS, 7)
    spoiled.change(file, line, lambda row: row.update(reason_code="bad_value"))
    assert spoiled.failing(6) == {(REVIEWS, 7)}


def test_6_sees_a_quarantined_line_that_is_not_the_raw_one(spoiled: Spoiled) -> None:
    spoiled.take()
    file, line, _ = spoiled.find("quarantine/*/*/*/collect.jsonl", REVIEWS, 7)
    spoiled.change(file, line, lambda row: row.update(raw="{}"))
    assert spoiled.failing(6) == {(file, line)}


def test_7_sees_a_late_row_that_went_to_the_day_it_arrived_on(spoiled: Spoiled) -> None:
    spoiled.take()
    file, line, _ = spoiled.find(EVIDENCE, REVIEWS, 11)
    spoiled.append("evidence/2026/03/04/scrum_reviews.jsonl", spoiled.drop(file, line))
    assert (REVIEWS, 11) in spoiled.failing(7)


def test_7_sees_a_late_row_that_was_never_taken_up(spoiled: Spoiled) -> None:
    spoiled.take("late")
    file, line, _ = spoiled.find(EVIDENCE, RUNS, 12)
    spoiled.drop(file, line)
    assert {(RUNS, 12), (file, line)} <= spoiled.failing(7)


def test_8_sees_a_signature_that_is_not_the_rows(spoiled: Spoiled) -> None:
    spoiled.take()
    file, line, _ = spoiled.find(EVIDENCE, "_kb/audits.jsonl", 2)
    spoiled.change(file, line, lambda row: row["provenance"].update(sig_hash="0" * 64))
    assert spoiled.failing(8) == {(file, line)}


def test_8_sees_a_line_that_is_not_there(spoiled: Spoiled) -> None:
    spoiled.take()
    file, line, _ = spoiled.find(EVIDENCE, "_kb/audits.jsonl", 2)
    spoiled.change(file, line, lambda row: row["provenance"].update(line_offset=99))
    assert spoiled.failing(8) == {(file, line)}


def test_8_sees_a_nanosecond_that_was_lost(spoiled: Spoiled) -> None:
    spoiled.take()
    file, line, row = spoiled.find(EVIDENCE, "_kb/audits.jsonl", 1)
    assert row["timestamp"].endswith(".123456780Z")
    spoiled.change(file, line, lambda row: row.update(timestamp="2026-03-02T08:15:30.12345678Z"))
    assert spoiled.failing(8) == {(file, line)}


def test_9_sees_evidence_without_a_verdict(spoiled: Spoiled) -> None:
    spoiled.take()
    file, line, _ = spoiled.find(SCORED, "_kb/outcomes.jsonl", 2)
    spoiled.drop(file, line)
    assert spoiled.failing(9) == {(f"evidence/{DAY_1}/outcomes.jsonl", 2)}


def test_9_sees_a_second_verdict(spoiled: Spoiled) -> None:
    spoiled.take()
    file, _, row = spoiled.find(SCORED, "_kb/outcomes.jsonl", 2)
    assert spoiled.append(file, row) in spoiled.failing(9)


def test_10_sees_a_verdict_without_a_reason(spoiled: Spoiled) -> None:
    spoiled.take()
    place = spoiled.change(f"scored-runs/{DAY_1}/outcomes.jsonl", 1, lambda row: row.update(reasons=[]))
    other = spoiled.change(f"scored-runs/{DAY_1}/audits.jsonl", 2, lambda row: row.update(reasons=[" "]))
    assert spoiled.failing(10) == {place, other}


def test_11_sees_a_scorer_that_judges_otherwise(spoiled: Spoiled, monkeypatch: pytest.MonkeyPatch) -> None:
    def all_is_well(evidence: object) -> Judgement:
        return Judgement("accepted", ["all is well"], {})

    monkeypatch.setitem(scoring.SCORERS, "audit", all_is_well)
    whys = [one.why for one in spoiled.hold(11).failures]
    assert "audits, severity high: rejected in the table, accepted by the scorer" in whys
    assert {one.file for one in spoiled.hold(11).failures} == {"lakehouse/acceptance/truth_table.jsonl"}


def test_11_sees_a_line_of_the_fixture_that_got_another_verdict(spoiled: Spoiled) -> None:
    spoiled.take()
    file, line, _ = spoiled.find(SCORED, REVIEWS, 8)
    spoiled.change(file, line, lambda row: row.update(category="accepted"))
    assert spoiled.failing(11) == {(REVIEWS, 8)}


def test_11_sees_a_persons_verdict_that_did_not_win(spoiled: Spoiled) -> None:
    spoiled.take()
    file, line, _ = spoiled.find(SCORED, "_kb/observer_reviews.jsonl", 5)
    spoiled.change(file, line, lambda row: row.update(reasons=["human_override:ada"]))
    assert spoiled.failing(11) == {(file, line)}


def test_12_sees_a_verdict_that_sql_does_not_give(spoiled: Spoiled) -> None:
    spoiled.take()
    place = spoiled.change(f"scored-runs/{DAY_1}/auto_apply.jsonl", 2, lambda row: row.update(category="accepted"))
    assert spoiled.failing(12) == {place}


def planted(spoiled: Spoiled, source: str, line: int) -> tuple[str, int]:
    """Publish a sample of a raw line as if it were accepted, in every form."""
    spoiled.take()
    _, _, run = spoiled.find(EVIDENCE, source, line)
    sample = {
        **spoiled.lines(SFT)[0],
        "response": run["text"],
        "source_run_id": run["run_id"],
        "task_id": run["task_id"],
        "provenance": run["provenance"],
    }
    for form in ("sft_messages", "sft_prompt_completion"):
        spoiled.append(f"distilled/sft/{form}.jsonl", {"prompt": [], "completion": []})
    return spoiled.append(SFT, sample)


@pytest.mark.parametrize(
    ("number", "source", "line"),
    [
        (13, REVIEWS, 4),
        (13, RUNS, 9),
        (14, "_kb/observer_reviews.jsonl", 4),
        (15, "_kb/distilled_facts.jsonl", 1),
        (17, RUNS, 6),
        (17, RUNS, 7),
    ],
    ids=["rejected", "also rejected", "waits for a person", "extraction", "held-out task", "held-out text"],
)
def test_13_14_15_17_see_a_sample_that_must_not_be_there(spoiled: Spoiled, number: int, source: str, line: int) -> None:
    place = planted(spoiled, source, line)
    assert spoiled.failing(number) == {place}


@pytest.mark.parametrize("number", [13, 14, 15, 16, 17, 18])
def test_an_export_that_is_not_there_is_no_pass(spoiled: Spoiled, number: int) -> None:
    lake = spoiled.take()
    (lake.root / SFT).unlink()
    assert spoiled.failing(number) == {(SFT, 0)}


def test_13_sees_a_form_that_holds_more_than_the_export(spoiled: Spoiled) -> None:
    spoiled.take()
    spoiled.append("distilled/sft/sft_messages.jsonl", {"messages": []})
    assert spoiled.failing(13) == {("distilled/sft/sft_messages.jsonl", 0)}


@pytest.mark.parametrize("value", ["078-05-1120", "AKIA" + "IOSFODNN7EXAMPLE", "sk-proj-" + "EXAMPLE-" * 3 + "EXAMPLE"])
def test_16_sees_a_planted_value_in_any_file_that_leaves(spoiled: Spoiled, value: str) -> None:
    spoiled.take()
    place = spoiled.append("distilled/preference/kto.jsonl", {"prompt": [{"arguments": f'{{"key": "{value}"}}'}]})
    assert spoiled.failing(16) == {place}


def test_16_looks_into_parquet(spoiled: Spoiled) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lake = spoiled.take()
    rows = pa.table({"messages": [[{"content": "clean"}], [{"content": "it is 078-05-1120"}]]})
    pq.write_table(rows, lake.sft / "data" / "train.parquet")
    assert spoiled.failing(16) == {("distilled/sft/data/train.parquet", 2)}


def test_18_sees_one_letter_of_an_instruction(spoiled: Spoiled) -> None:
    spoiled.take()
    _, line, _ = spoiled.find(SFT, REVIEWS, 6)
    place = spoiled.change(SFT, line, lambda row: row.update(instruction=row["instruction"].replace("PRD", "prd")))
    assert spoiled.failing(18) == {place}


def test_18_sees_a_context_line_that_lost_a_part(spoiled: Spoiled) -> None:
    spoiled.take()
    _, line, _ = spoiled.find(SFT, "_kb/mode_experiments.jsonl", 1)
    place = spoiled.change(SFT, line, lambda row: row.update(context="model: qwen/qwen3"))
    assert spoiled.failing(18) == {place}


def test_18_sees_a_sample_that_is_missing(spoiled: Spoiled) -> None:
    spoiled.take()
    _, line, _ = spoiled.find(SFT, "_kb/auto_apply.jsonl", 7)
    spoiled.drop(SFT, line)
    assert spoiled.failing(18) == {("_kb/auto_apply.jsonl", 7)}


def test_18_sees_a_conversation_that_goes_on_after_the_answer(spoiled: Spoiled) -> None:
    spoiled.take()
    _, line, _ = spoiled.find(SFT, RUNS, 18)
    place = spoiled.change(SFT, line, lambda row: row["messages"].append({"role": "user", "content": "Thanks!"}))
    assert spoiled.failing(18) == {place}


def test_19_sees_a_chunk_of_a_rejected_run(spoiled: Spoiled) -> None:
    spoiled.take()
    _, _, run = spoiled.find(EVIDENCE, REVIEWS, 4)
    chunk = {**spoiled.lines(RAG)[0], "id": "rag-0", "provenance": run["provenance"], "content": run["text"]}
    assert spoiled.append(RAG, {**chunk, "char_start": 0, "char_end": len(run["text"])}) in spoiled.failing(19)


def test_19_sees_a_chunk_that_is_not_its_slice(spoiled: Spoiled) -> None:
    spoiled.take()
    place = spoiled.change(RAG, 3, lambda row: row.update(content=row["content"] + "."))
    assert spoiled.failing(19) == {place}


def test_19_sees_a_text_that_is_not_whole(spoiled: Spoiled) -> None:
    spoiled.take()
    part = f"distilled/rag/parts/{DAY_1}.jsonl"
    spoiled.change(part, 1, lambda row: row.update(content=row["content"][:-9], char_end=row["char_end"] - 9))
    assert spoiled.failing(19) == {(part, 1)}


def test_20_sees_a_pair_the_wrong_way_round(spoiled: Spoiled) -> None:
    def turn(row: dict[str, Any]) -> None:
        row["provenance_chosen"], row["provenance_rejected"] = row["provenance_rejected"], row["provenance_chosen"]

    spoiled.take()
    assert spoiled.change(PAIRS, 1, turn) in spoiled.failing(20)


def test_20_sees_two_equal_answers(spoiled: Spoiled) -> None:
    spoiled.take()
    place = spoiled.change(PAIRS, 2, lambda row: row.update(rejected=row["chosen"]))
    assert spoiled.failing(20) == {place}


def test_20_sees_a_pair_that_is_missing(spoiled: Spoiled) -> None:
    spoiled.take()
    rows = spoiled.lines(PAIRS)
    spoiled.write(PAIRS, [row for row in rows if row["provenance_chosen"]["source_file"] != "_kb/outcomes.jsonl"])
    assert spoiled.failing(20) == {("_kb/outcomes.jsonl", 1)}


def test_21_sees_a_file_that_changed_after_its_receipt(spoiled: Spoiled) -> None:
    spoiled.take()
    file, _ = spoiled.change("distilled/preference/kto.jsonl", 1, lambda row: row.update(label=not row["label"]))
    assert spoiled.failing(21) == {(file, 0)}


def test_21_sees_a_receipt_that_does_not_add_up(spoiled: Spoiled) -> None:
    lake = spoiled.take()
    file = "reports/distillation/first/receipts/score.json"
    path = lake.root / file
    path.write_bytes(path.read_bytes().replace(b'"records_out": 77', b'"records_out": 76'))
    assert spoiled.failing(21) == {(file, 0)}


def test_21_sees_a_stage_without_a_receipt_and_files_that_nobody_accounts_for(spoiled: Spoiled) -> None:
    lake = spoiled.take()
    (lake.root / "reports/distillation/first/receipts/export-rag.json").unlink()
    failing = spoiled.failing(21)
    assert {("reports/distillation/first/receipts/export-rag.json", 0), (RAG, 0)} <= failing


def test_21_sees_a_row_that_was_never_read(spoiled: Spoiled) -> None:
    lake = spoiled.take()
    with (lake.root / REVIEWS).open("ab") as out:
        out.write(b'{"file":"src/new.py","accepted_on_attempt":1,"reviewed_at":"2026-03-04T09:00:00Z"}\n')
    assert spoiled.failing(21) == {("reports/distillation/first/receipts/collect.json", 0)}


def green(check: str) -> Verdict:
    return Verdict(
        check=check,
        severity="ERROR",
        passed=True,
        rows_checked=1,
        offenders=[],
        summary="all is well",
        input_sha256="",
        code_version="",
        checked_at="",
    )


@pytest.mark.parametrize(
    ("module", "name", "stub", "files"),
    [
        (gating, "look_at_export", lambda gate, *_: green(gate.name), {SFT}),
        (
            gates,
            "look",
            lambda gate, *_: green(gate.name),
            {f"scored-runs/{DAY_1}/agent_runs.jsonl", f"evidence/{DAY_1}/agent_runs.jsonl"},
        ),
        (
            invariants_receipts,
            "check_receipts",
            lambda *_: [],
            {"reports/distillation/first/receipts/collect.json"},
        ),
    ],
    ids=["firewall", "balance of days", "seals of receipts"],
)
def test_22_fails_where_a_gate_stays_green_whatever_happens(
    spoiled: Spoiled, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, stub: Any, files: set[str]
) -> None:
    monkeypatch.setattr(module, name, stub)
    assert {file for file, _ in spoiled.failing(22)} == files


def test_22_fails_where_a_gate_is_red_and_blames_another_file(
    spoiled: Spoiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = gating.look_at_export

    def vague(*given: Any) -> Verdict:
        return changed(real(*given), offenders=[{"file": "somewhere", "line": 0, "why": "something"}])

    monkeypatch.setattr(gating, "look_at_export", vague)
    found = spoiled.hold(22).failures
    assert [(one.file, one.line) for one in found] == [(SFT, 29)]
    assert "names neither the file nor its line" in found[0].why


def test_22_fails_where_a_gate_is_red_whatever_happens(spoiled: Spoiled, monkeypatch: pytest.MonkeyPatch) -> None:
    real = gating.look_at_export
    monkeypatch.setattr(gating, "look_at_export", lambda *given: changed(real(*given), passed=False))
    assert "contamination_firewall is red already" in {one.why for one in spoiled.hold(22).failures}
