"""The nightly job on a real instance: one night twice, a red night, a red day among green ones."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.distillation import DAILY, Daily
from lakehouse.gates.code_gates import CODE_GATES
from lakehouse.gates.replays import REPLAY_GATES
from lakehouse.gates.sessions import SESSION_GATES
from lakehouse.gates.subjects import SUBJECT_GATES
from lakehouse.gates.verdicts import REQUIRED, REQUIRED_OF_EXPORTS, read_verdicts
from lakehouse.lake import Lake
from lakehouse.records import DayManifest
from tests.conftest import FIRST, SECOND, THIRD, TinyLake, evaluations, review

CHECKS = {
    ("line_index", "streams_append_only"),
    *((asset, check) for asset, checks in {**REQUIRED, **REQUIRED_OF_EXPORTS}.items() for check in checks),
    *(("session_audit", gate.name) for gate in SESSION_GATES),
    *(("subject_audit", gate.name) for gate in SUBJECT_GATES),
    *(("replay_report", gate.name) for gate in REPLAY_GATES),
    *(("audit_baseline", check) for check in ("audit_full", "metric_drift", *CODE_GATES)),
}


def edited(*bad_days: str) -> list[Daily]:
    """The chain with a `collect` that changes the text of a record and the signature it names on some days."""

    def collect(lake: Lake, days: Any, now: str) -> list[DayManifest]:
        manifests = DAILY[0].step(lake, days, now)
        for day in set(bad_days) & set(days):
            path = lake.evidence(day, "scrum_reviews")
            first, rest = path.read_text().split("\n", 1)
            record = json.loads(first)
            record["provenance"]["sig_hash"] = "0" * 64
            path.write_text(json.dumps(record, separators=(",", ":")) + "\n" + rest)
        return manifests

    return [replace(DAILY[0], step=collect), *DAILY[1:]]


def test_a_night_turns_rows_into_a_gated_export(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    result = tiny.run(FIRST)
    assert result.success
    found = evaluations(result)
    assert {(asset, check) for asset, check, _ in found} == CHECKS
    # Nothing is held out, and two accepted runs of one day have no other run to read from.
    warned = [("sft_export", "no_holdout_overlap", None), ("replay_report", "replays_hold", None)]
    assert [name for name, one in found.items() if not one.passed] == warned
    assert found["sft_export", "no_holdout_overlap", None].severity is dg.AssetCheckSeverity.WARN
    assert [sample["category"] for sample in tiny.published()] == ["accepted", "accepted"]


def test_a_day_without_rows_is_made_and_green(tiny: TinyLake) -> None:
    result = tiny.run(FIRST)
    assert result.success
    assert tiny.published() == []
    assert tiny.summary(result.run_id).status == "ok"


@pytest.mark.parametrize("days", [(FIRST,), (FIRST, SECOND, THIRD), (FIRST, THIRD)])
def test_running_days_twice_changes_no_byte_of_the_lake(tiny: TinyLake, days: tuple[str, ...]) -> None:
    tiny.fill(FIRST, SECOND, THIRD)
    first = tiny.run(*days)
    before = tiny.tree()
    second = tiny.run(*days)
    assert (first.success, second.success) == (True, True)
    assert tiny.tree() == before
    assert tiny.summary(first.run_id).run_hash == tiny.summary(second.run_id).run_hash


def test_backfilling_anew_gives_the_same_run_hash(tiny: TinyLake, tmp_path: Path) -> None:
    tiny.fill(FIRST, SECOND)
    first = tiny.run(FIRST, SECOND)
    tiny.root.rename(tmp_path / "old")
    (tiny.root / "_kb").mkdir(parents=True)
    tiny.fill(FIRST, SECOND)
    second = tiny.run(FIRST, SECOND)
    assert tiny.summary(first.run_id).run_hash == tiny.summary(second.run_id).run_hash


def test_each_run_leaves_the_receipts_of_its_stages(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    result = tiny.run(FIRST)
    folder = tiny.reports / "distillation" / result.run_id / "receipts"
    receipts = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    assert set(receipts) == {"collect", "score", "export-sft", "export-rag", "export-preference", "replay"}
    assert {receipt["run_id"] for receipt in receipts.values()} == {result.run_id}
    assert {receipt["git_commit"] for receipt in receipts.values()} == {"c" * 40}
    paths = [ref["path"] for ref in receipts["export-sft"]["outputs"]]
    assert "distilled/sft/parts/2026/05/01.jsonl" in paths
    assert "distilled/sft/sft_export.jsonl" in paths


def test_partially_accepted_runs_are_exported_only_when_asked_for(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    asked = tiny.run(FIRST, config={"ops": {"sft_export": {"config": {"include_partial": True}}}})
    assert asked.success
    assert [sample["category"] for sample in tiny.published()].count("partially_accepted") == 1
    tiny.run(FIRST)
    assert [sample["category"] for sample in tiny.published()].count("partially_accepted") == 0


def test_a_red_night_fails_and_leaves_the_export_untouched(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    tiny.run(FIRST)
    before = (tiny.lake.sft / "sft_export.jsonl").read_bytes()
    tiny.fill(SECOND)
    result = tiny.run(SECOND, daily=edited(SECOND))
    assert not result.success
    assert not evaluations(result)["evidence", "provenance_resolves", SECOND].passed
    started = {event.step_key for event in result.all_events if event.is_step_start}
    # What agents leave beside the streams depends on no day.
    of_logs = {step for step in started if step.startswith(("session_audit", "subject_audit"))}
    assert {"session_audit", "subject_audit"} < of_logs
    assert started - of_logs == {
        "line_index",
        "line_index_streams_append_only",
        "evidence",
        "evidence_provenance_resolves",
        "evidence_receipt_balances",
        "evidence_contract",
        "evidence_quarantine_rate",
    }
    assert (tiny.lake.sft / "sft_export.jsonl").read_bytes() == before


def test_a_red_day_is_held_back_while_the_others_of_its_run_are_published(tiny: TinyLake) -> None:
    tiny.fill(FIRST, SECOND, THIRD)
    result = tiny.run(FIRST, SECOND, THIRD, daily=edited(SECOND))
    found = evaluations(result)
    whole = found["evidence", "receipt_balances", None]
    assert result.success
    assert (whole.passed, whole.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert [found["evidence", "receipt_balances", day].passed for day in (FIRST, SECOND, THIRD)] == [True, False, True]
    assert [SECOND in sample["response"] for sample in tiny.published()] == [False] * 4
    summary = tiny.summary(result.run_id)
    assert list(summary.held_days) == [SECOND]
    assert f"evidence/{SECOND}/receipt_balances" in summary.failed_gates


def test_a_run_whose_days_are_all_red_is_stopped(tiny: TinyLake) -> None:
    tiny.fill(FIRST, SECOND)
    result = tiny.run(FIRST, SECOND, daily=edited(FIRST, SECOND))
    assert not result.success
    assert evaluations(result)["evidence", "receipt_balances", None].severity is dg.AssetCheckSeverity.ERROR
    assert tiny.published() == []


def test_a_later_run_does_not_slip_past_a_red_gate(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    tiny.run(FIRST, daily=edited(FIRST))
    tiny.fill(SECOND)
    result = tiny.run(SECOND)
    assert result.success
    assert {SECOND in sample["response"] or "p02" in sample["task_id"] for sample in tiny.published()} == {True}
    assert FIRST in tiny.summary(result.run_id).held_days


def test_days_in_the_gaps_of_a_run_are_left_as_they_are(tiny: TinyLake, instance: dg.DagsterInstance) -> None:
    tiny.fill(FIRST, SECOND, THIRD)
    result = tiny.run(FIRST, THIRD, instance=instance)
    assert result.success
    assert not tiny.lake.evidence(SECOND).exists()
    events = result.asset_materializations_for_node("evidence")
    told = {event.partition: "left_as_it_was" in event.metadata for event in events}
    assert told == {FIRST: False, SECOND: True, THIRD: False}


def test_a_rewritten_stream_turns_its_check_red_and_stops_no_other(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    tiny.run(FIRST)
    path = tiny.root / "_kb" / "audits.jsonl"
    path.write_text(path.read_text().replace("low", "med"))
    tiny.append("scrum_reviews", review("new.rs", SECOND))
    result = tiny.run(SECOND)
    assert result.success
    check = evaluations(result)["line_index", "streams_append_only", None]
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.ERROR, False)
    assert "_kb/audits.jsonl" in (check.description or "")
    assert "lakehouse streams rebuild audits" in (check.description or "")
    assert any("new.rs" in sample["response"] for sample in tiny.published())


def test_a_day_whose_row_was_rewritten_is_red(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    tiny.run(FIRST)
    path = tiny.root / "_kb" / "audits.jsonl"
    path.write_text(path.read_text().replace("low", "med"))
    result = tiny.run(FIRST)
    assert not result.success
    assert not evaluations(result)["evidence", "provenance_resolves", FIRST].passed


def test_verdicts_are_kept_per_day_in_the_history_of_a_check(tiny: TinyLake, instance: dg.DagsterInstance) -> None:
    tiny.fill(FIRST, SECOND)
    tiny.run(FIRST, instance=instance)
    tiny.run(FIRST, SECOND, instance=instance, daily=edited(SECOND))
    key = dg.AssetCheckKey(dg.AssetKey("evidence"), "receipt_balances")
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
    assert sorted((record.partition or "", record.status.value) for record in history) == [
        ("", "FAILED"),
        (FIRST, "SUCCEEDED"),
        (FIRST, "SUCCEEDED"),
        (SECOND, "FAILED"),
    ]
    assert read_verdicts(tiny.lake, "evidence", FIRST)["receipt_balances"].passed


def test_streams_are_observed_whenever_the_index_is_brought_up_to_date(
    tiny: TinyLake, instance: dg.DagsterInstance
) -> None:
    tiny.fill(FIRST)
    tiny.run(FIRST, instance=instance)
    event = instance.get_latest_data_version_record(dg.AssetKey(["kb", "audits"]))
    assert event is not None
    observation = event.event_log_entry.asset_observation
    assert observation is not None
    assert observation.metadata["dagster/row_count"].value == 1
    assert "dagster/last_updated_timestamp" in observation.metadata
