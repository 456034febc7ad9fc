"""`lakehouse accept`: 22 lines, a report, and exit code 1 where an invariant fails."""

import json
from pathlib import Path

import pytest

from lakehouse.acceptance import runner
from lakehouse.acceptance.registry import INVARIANTS
from lakehouse.acceptance.runner import AcceptanceReport, FailureRecord, InvariantReport
from tests.lakehouse_dagster.conftest import Shell


def report(*failures: FailureRecord) -> AcceptanceReport:
    """A report in which the last invariant found failures."""
    found = [
        InvariantReport(number=one.number, name=one.name, status="holds", rows=7, failed=0, failures=[])
        for one in INVARIANTS
    ]
    if failures:
        found[-1].status, found[-1].failed, found[-1].failures = "failed", len(failures), list(failures)
    return AcceptanceReport(
        schema_version=1,
        stamp="2026-05-10T02:00:00.000Z",
        lake="the fixture lake",
        now="2026-05-10T02:00:00.000Z",
        passed=not failures,
        days=["2026-05-09"],
        held_days={},
        invariants=found,
    )


def test_without_a_lake_it_is_the_fixture_and_every_invariant_has_its_line(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAKEHOUSE_ROOT", str(tmp_path / "a lake of the user, which is not looked at"))
    monkeypatch.setattr(runner, "accept_fixture", lambda *_: report())
    done = shell("accept", "--reports", str(tmp_path))
    assert done.code == 0
    assert all(one.name in done.out for one in INVARIANTS)
    assert "22 of 22 invariants hold" in done.out
    assert sorted(path.suffix for path in (tmp_path / "acceptance").iterdir()) == [".json", ".md"]


def test_a_failure_is_shown_with_its_place_and_the_exit_code_is_1(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failure = FailureRecord(file="distilled/sft/sft_export.jsonl", line=29, why="the gate stayed green")
    monkeypatch.setattr(runner, "accept_fixture", lambda *_: report(failure))
    done = shell("accept", "--reports", str(tmp_path))
    assert done.code == 1
    assert "FAILS" in done.out
    assert "sft_export.jsonl:29" in done.out.replace("\n", "")
    assert "22 failed" in done.out


def test_a_lake_is_looked_at_as_a_copy_and_answers_in_json(shell: Shell, tmp_path: Path) -> None:
    row = {"file": "a.rs", "accepted_on_attempt": 1, "suggestions": "all five names are kept, and the sixth is new"}
    row["reviewed_at"] = "2026-05-09T08:00:00Z"
    lake = tmp_path / "lake"
    (lake / "_kb").mkdir(parents=True)
    (lake / "_kb" / "scrum_reviews.jsonl").write_text(json.dumps(row) + "\n")
    done = shell("accept", "--lake", str(lake), "--reports", str(tmp_path / "reports"), "--json")
    assert done.code == 0, done
    answer = done.json
    assert (answer["lake"], answer["passed"], len(answer["invariants"])) == (str(lake), True, 22)
    assert Path(answer["report"]).is_file()
    assert [path.name for path in lake.iterdir()] == ["_kb"]


def test_a_folder_that_is_no_lake_is_refused(shell: Shell, tmp_path: Path) -> None:
    done = shell("accept", "--lake", str(tmp_path), "--reports", str(tmp_path))
    assert (done.code, "there is no lake here" in done.err) == (2, True)
