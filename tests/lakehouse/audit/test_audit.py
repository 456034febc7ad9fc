"""The audit as a whole: what it opens, what it says to people, its verdict, and what the baseline gets of it."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakehouse.audit.model import AuditReport, audit_verdict
from lakehouse.audit.newest import find_summaries, newest_summary
from lakehouse.audit.page import page
from lakehouse.audit.registry import PHASES
from lakehouse.audit.run import audit, audit_once, report_path, write_report
from lakehouse.baseline import append_baseline, log_path, read_baselines
from lakehouse.lake import Lake
from lakehouse.records import RunSummary
from lakehouse.run import Run

NOW = "2026-05-10T02:00:00.000Z"
SCORED = "scored-runs/2026/05/02/scrum_reviews.jsonl"
HEARD: list[list[str]] = []
"""What listens to files being opened: the last list. A hook of the interpreter cannot be taken away again."""


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if HEARD and event == "open" and isinstance(arguments[0], str):
        HEARD[-1].append(arguments[0])


sys.addaudithook(_hear)


def opened(act: Any) -> list[str]:
    """Give every path that is opened while something is done; DuckDB and Arrow open behind Python's back."""
    HEARD.append([])
    try:
        act()
    finally:
        found = HEARD.pop()
    return found


def old(paths: list[str]) -> list[str]:
    """Give the data files of the two oldest days among paths."""
    return [
        path for path in paths if path.endswith(("/01.jsonl", "/02.jsonl")) or "/05/01/" in path or "/05/02/" in path
    ]


def test_each_night_no_file_of_an_older_day_is_opened(finished: Any) -> None:
    assert old(opened(lambda: finished.audit(deep=False))) == []
    assert old(opened(lambda: finished.audit(deep=True))) != []


def test_each_night_damage_in_older_days_is_left_to_the_deep_audit(finished: Any) -> None:
    finished.flip(SCORED, 1, '"category":"')
    assert finished.audit(deep=False).passed
    assert not finished.audit(deep=True).passed


def test_each_night_looks_at_the_days_of_the_newest_run_though_they_are_old(finished: Any) -> None:
    row = {"file": "late", "verdict": "accept", "notes": "late words", "ts": "2026-05-01T23:00:00Z"}
    finished.append("2026-05-01", {"observer_reviews": [row]})
    finished.night("third", ["2026-05-01"])
    report = finished.audit(deep=False)
    assert report.audited_run_id == "third"
    assert report.days == ["2026-05-01", "2026-05-03", "2026-05-04", "2026-05-05"]


def test_an_empty_lake_fails_nothing_and_says_what_could_not_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "lake" / "_kb").mkdir(parents=True)
    run = Run("audit", lambda: datetime(2026, 5, 10, 2, tzinfo=UTC), "c" * 40, tmp_path / "reports")
    report = audit(Lake(tmp_path / "lake"), run, deep=True)
    assert report.passed
    skipped = {check.check: check.why for check in report.checks if check.status == "skipped"}
    assert set(skipped) >= {name for phase in PHASES[2:] for name in phase.required} | {"files_decode"}
    assert all(len(why) > 15 for why in skipped.values())
    assert [phase.status for phase in report.phases] == ["passed", "passed", *["skipped"] * 6]


def test_what_a_phase_cannot_read_fails_its_checks_and_the_others_go_on(finished: Any, helpers: Any) -> None:
    one, places = helpers.one, helpers.places
    (finished.root / "index/lines/scrum_reviews.parquet").write_bytes(b"no index")
    report = finished.audit()
    found = one(report, "evidence_present")
    assert (found.status, places(found)) == ("failed", [("index/lines/scrum_reviews.parquet", 0)])
    assert one(report, "every_evidence_scored").status == "passed"
    assert not report.passed


def test_a_damaged_manifest_fails_the_audit_by_name(finished: Any, helpers: Any) -> None:
    one, places = helpers.one, helpers.places
    (finished.root / "index/days/collect/2026-05-04.json").write_bytes(b"{")
    report = finished.audit()
    assert not report.passed
    assert ("index/days/collect/2026-05-04.json", 1) in places(one(report, "files_decode"))
    assert all(check.status != "passed" for check in report.checks if check.check == "receipts_valid")


def test_phases_are_told_of_as_they_begin_and_end(finished: Any) -> None:
    heard: list[tuple[str, str]] = []
    finished.audit(listen=lambda phase, state: heard.append((phase, state)))
    assert heard[:2] == [("lake and checkout", "started"), ("lake and checkout", "passed")]
    assert [phase for phase, state in heard if state == "started"] == [phase.name for phase in PHASES]
    assert heard[-1] == ("replays", "skipped")


def test_a_phase_says_how_long_it_took(finished: Any) -> None:
    ticks = iter(range(1000))
    run = Run(
        "audit", lambda: datetime(2026, 5, 10, tzinfo=UTC) + timedelta(seconds=next(ticks)), "c" * 40, finished.reports
    )
    report = audit(finished.lake, run, deep=False)
    assert all(phase.seconds == 1 for phase in report.phases)


def test_the_same_lake_gives_the_same_report(finished: Any) -> None:
    finished.flip(SCORED, 1, '"category":"')
    assert msgspec.json.encode(finished.audit()) == msgspec.json.encode(finished.audit())


def test_the_page_shows_the_cause_by_file_and_line(finished: Any) -> None:
    finished.flip(SCORED, 1, '"category":"')
    text = page(finished.audit())
    assert text.startswith("# Audit audit: FAILED")
    head = text[: text.index("## Phases")]
    assert "receipts_valid" in head
    assert f"| {SCORED} | 1 |" in head
    for words in (
        "invariants_hold",
        "no acceptance gate was given",
        "| p2_evidence_rows | 41 |",
        "| 5 | runs and receipts",
    ):
        assert words in text


def test_the_page_of_a_good_lake_has_no_failures(finished: Any) -> None:
    text = page(finished.audit())
    assert "FAILED" not in text
    assert text.startswith("# Audit audit: passed")


def test_a_report_comes_back_as_it_was_written(finished: Any) -> None:
    finished.flip(SCORED, 1, '"category":"')
    report, run = finished.audit(), finished.run("audit")
    path = write_report(run, report)
    assert path == report_path(run) == finished.reports / "audit" / "audit.md"
    assert path.read_text() == page(report)
    assert msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=AuditReport) == report


def test_a_run_audits_once_and_asset_and_check_share_it(finished: Any) -> None:
    run = finished.run("night")
    first = audit_once(finished.lake, run, deep=False)
    finished.flip(SCORED, 1, '"category":"')
    assert audit_once(finished.lake, run, deep=False) == first
    assert not audit_once(finished.lake, run, deep=True).passed
    assert not audit_once(finished.lake, finished.run("other"), deep=True).passed


def test_the_verdict_names_phase_and_check_with_each_offender(finished: Any) -> None:
    finished.flip(SCORED, 1, '"category":"')
    report = finished.audit()
    found = audit_verdict(report, NOW)
    assert (found.check, found.passed, found.severity) == ("audit_full", False, "ERROR")
    assert found.input_sha256 == report.audited_run_hash
    assert any((one["file"], one["line"]) == (SCORED, 1) for one in found.offenders)
    assert any(one["why"].startswith("phase 5, receipts_valid: ") for one in found.offenders)
    assert found.tables is not None
    assert [row["check"] for row in found.tables["phases"]] == [one.check for one in report.checks]
    assert {"metric": "p2_evidence_rows", "value": 41} in found.tables["metrics"]
    assert "receipts_valid" in found.summary


def test_the_verdict_on_a_good_lake_is_green(finished: Any) -> None:
    found = audit_verdict(finished.audit(), NOW)
    assert (found.passed, found.offenders) == (True, [])
    assert found.rows_checked == sum(one.status != "skipped" for one in finished.audit().checks)


def test_what_an_audit_observed_goes_into_the_baseline(finished: Any) -> None:
    log_path(finished.lake).unlink(missing_ok=True)
    (finished.root / "_kb" / "replay_runs.jsonl").write_bytes(b'{"schema":"replay_run.v1"}\n' * 2)
    report, summary = finished.audit(), newest_summary(finished.reports)
    assert summary is not None
    baseline = append_baseline(finished.lake, summary, NOW, observed=report.observed)
    assert baseline is not None
    assert baseline.metrics["p7_replays"] == 2
    assert "p6_invariants_passed" not in baseline.metrics
    assert append_baseline(finished.lake, summary, NOW, observed=report.observed) is None
    assert len(read_baselines(log_path(finished.lake))) == 1


def test_the_newest_run_is_the_one_that_finished_last(finished: Any) -> None:
    folder = finished.reports / "distillation"
    held = json.loads((folder / "second" / "summary.json").read_bytes())
    for name, at, status in (("a", "2026-05-12", "ok"), ("z", "2026-05-11", "ok"), ("b", "2026-05-13", "stopped")):
        (folder / name).mkdir()
        made = {**held, "run_id": name, "finished_at": f"{at}T00:00:00.000Z", "status": status}
        (folder / name / "summary.json").write_bytes(msgspec.json.encode(made))
    (folder / "c").mkdir()
    (folder / "c" / "summary.json").write_bytes(b"{}")
    found = find_summaries(finished.reports)
    assert found.newest is not None
    assert found.newest[1].run_id == "a"
    assert [one.run_id for one in found.stopped_since] == ["b"]
    assert list(found.unreadable) == [folder / "c" / "summary.json"]


def test_without_reports_there_is_no_newest_run(tmp_path: Path) -> None:
    assert newest_summary(tmp_path) is None


def test_a_summary_seals_every_receipt_of_its_run(finished: Any) -> None:
    path = finished.reports / "distillation" / "second"
    summary = msgspec.json.decode((path / "summary.json").read_bytes(), type=RunSummary)
    assert summary.receipts is not None
    assert list(summary.receipts) == summary.stages
    for stage, sealed in summary.receipts.items():
        lines = io.BytesIO((path / "receipts" / f"{stage}.json").read_bytes()).readlines()
        assert len(sealed.line_crc32) == 8 * (len(lines) + 1)  # what follows the last newline is empty


@pytest.mark.parametrize("deep", [True, False])
def test_no_phase_tells_what_stands_in_a_row(finished: Any, deep: bool) -> None:
    finished.change("evidence/2026/05/05/agent_runs.jsonl", 1, text="PRIVATE 219-09-9999", success_markers="PRIVATE")
    finished.change("scored-runs/2026/05/05/agent_runs.jsonl", 1, reasons="PRIVATE", evidence_task_id="PRIVATE")
    report = finished.audit(deep=deep)
    assert not report.passed
    assert b"PRIVATE" not in msgspec.json.encode(report)
