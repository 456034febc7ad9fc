"""The audit, drift of metrics, acceptance and parity as checks: seen green, and red with the cause in their metadata."""

import json
from typing import Any

import dagster as dg
import pytest

from lakehouse.errors import GateFailed
from lakehouse.gates.verdicts import read_verdicts, waiver_of
from lakehouse.gates.waivers import waive
from lakehouse.parity.probes.embed import can_run
from lakehouse.release import grounds
from lakehouse.sql import connect
from lakehouse_dagster.jobs import ACCEPTANCE_JOB, AUDIT_JOB, NIGHTLY, PARITY_JOB
from lakehouse_dagster.running import run_release
from tests.assets.test_checks import shown
from tests.conftest import FIRST, QUIET, SECOND, TinyLake, evaluations

WHOLE = "audit_baseline"

PROBES_WITHOUT_PACKAGES = (
    "extract_json",
    "canonical_json",
    "materializer",
    "audit_baseline",
    "validator",
    "session_log",
    "subject_audit",
)


def run(tiny: TinyLake, job: str) -> dg.ExecuteInProcessResult:
    return tiny.definitions().resolve_job_def(job).execute_in_process(raise_on_error=False, run_config=QUIET)


@pytest.fixture
def finished(tiny: TinyLake) -> TinyLake:
    """A lake after a night."""
    tiny.fill(FIRST)
    assert tiny.run(FIRST).success
    return tiny


def test_a_night_ends_with_its_audit_and_a_baseline_that_knows_it(finished: TinyLake) -> None:
    (line,) = (finished.root / "_kb/audit_baselines.jsonl").read_text().splitlines()
    baseline = json.loads(line)
    assert baseline["partition"] == FIRST
    assert "p2_evidence_rows" in baseline["metrics"]
    verdicts = read_verdicts(finished.lake, WHOLE)
    assert {"audit_full", "metric_drift", "acceptance"} <= set(verdicts)
    assert verdicts["audit_full"].passed
    assert len(list((finished.reports / "audit").glob("*.md"))) == 1
    assert (finished.reports / "drift" / "index.html").exists()


def test_the_job_audit_names_a_changed_byte_by_file_and_line(finished: TinyLake) -> None:
    path = finished.lake.evidence(FIRST, "scrum_reviews")
    data = bytearray(path.read_bytes())
    data[data.rindex(b"verified")] ^= 1
    path.write_bytes(data)
    result = run(finished, AUDIT_JOB)
    assert not result.success
    check = evaluations(result)[WHOLE, "audit_full", None]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    (place,) = [row for row in shown(check, "offenders") if "receipts_valid" in str(row["why"])]
    assert (place["file"], place["line"]) == (finished.lake.relative(path), 3)
    assert "receipts_valid failed" in (check.description or "")


def test_a_red_audit_refuses_a_release_until_it_is_green(finished: TinyLake) -> None:
    path = finished.lake.evidence(FIRST, "audits")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"phase p01", b"phase p02"))
    run(finished, AUDIT_JOB)
    path.write_bytes(whole)
    with connect(finished.lake) as connection:
        why = [str(one) for one in grounds.grounds(finished.lake, connection).reasons]
    assert any("audit_full is red" in one for one in why), why
    assert run(finished, AUDIT_JOB).success
    with connect(finished.lake) as connection:
        assert grounds.grounds(finished.lake, connection).reasons == []


def test_metrics_that_moved_are_a_warning_with_their_numbers(finished: TinyLake) -> None:
    finished.fill(SECOND)
    result = finished.run(SECOND)
    check = evaluations(result)[WHOLE, "metric_drift", None]
    assert result.success
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    rows = {row["metric"]: row for row in shown(check, "drift")}
    assert (rows["p2_evidence_rows"]["prior"], rows["p2_evidence_rows"]["current"]) == (4, 8)


@pytest.mark.code_gates
@pytest.mark.slow
def test_acceptance_holds_as_a_job_of_its_own(tiny: TinyLake) -> None:
    result = run(tiny, ACCEPTANCE_JOB)
    check = evaluations(result)[WHOLE, "acceptance", None]
    assert (result.success, check.passed) == (True, True)
    assert [row["verdict"] for row in shown(check, "invariants")] == ["holds"] * 22


@pytest.mark.code_gates
def test_parity_holds_as_a_job_of_its_own(tiny: TinyLake) -> None:
    result = run(tiny, PARITY_JOB)
    found = {name: check for (_, name, _), check in evaluations(result).items()}
    names = [*PROBES_WITHOUT_PACKAGES, *(["embed"] if can_run() else [])]
    assert set(found) == {f"parity_{name}" for name in names}
    assert all(check.passed for check in found.values())
    assert all(shown(check, "peers") for check in found.values())


def turn_red(tiny: TinyLake, day: str) -> None:
    """A day of which a third cannot be used."""
    bad: dict[str, Any] = {"file": {"no": "name"}, "model": "x", "suggestions": "?", "reviewed_at": f"{day}T12:00:00Z"}
    tiny.append("scrum_reviews", bad, {**bad, "suggestions": "!"})


def test_a_red_day_is_waived_by_a_person_and_goes_on_as_a_warning(finished: TinyLake) -> None:
    finished.fill(SECOND)
    turn_red(finished, SECOND)
    held = finished.run(SECOND)
    assert not held.success
    assert not evaluations(held)["evidence", "quarantine_rate", SECOND].passed
    assert {row["source_run_id"] for row in finished.published()}
    before = len(finished.published())
    red = read_verdicts(finished.lake, "evidence", SECOND)["quarantine_rate"]
    waive(finished.lake, "evidence", SECOND, red, by="ann", reason="a test client", at="2026-05-10T12:00:00.000Z")
    result = finished.run(SECOND)
    check = evaluations(result)["evidence", "quarantine_rate", SECOND]
    assert result.success
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "waived by ann: a test client" in (check.description or "")
    assert len(finished.published()) > before
    assert waiver_of(finished.lake, "evidence", SECOND, red) is not None
    assert finished.definitions().resolve_job_def(NIGHTLY) is not None


def test_a_release_refuses_the_red_day_and_takes_the_waived_one(finished: TinyLake) -> None:
    finished.fill(SECOND)
    turn_red(finished, SECOND)
    finished.run(SECOND)
    with pytest.raises(GateFailed, match="quarantine_rate"):
        run_release(finished.root, finished.reports, "ann")
    red = read_verdicts(finished.lake, "evidence", SECOND)["quarantine_rate"]
    waive(finished.lake, "evidence", SECOND, red, by="ann", reason="a test client", at="2026-05-10T12:00:00.000Z")
    assert finished.run(SECOND).success
    made = run_release(finished.root, finished.reports, "ann")
    signed = json.loads((finished.root / "distilled/releases" / made / "verdicts.json").read_text())
    assert [one["waiver"]["by"] for one in signed["verdicts"] if "waiver" in one] == ["ann"]
