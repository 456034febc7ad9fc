"""`lakehouse audit`: what it says to people and to machines, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.errors import OutsideFailure
from tests.lakehouse_dagster.conftest import Shell


@pytest.fixture
def lake(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAKEHOUSE_GIT_COMMIT", "c" * 40)
    (tmp_path / "lake" / "_kb").mkdir(parents=True)
    return tmp_path / "lake"


@pytest.fixture
def audit(lake: Path, shell: Shell) -> Shell:
    """Type `lakehouse audit …` of that lake."""
    return shell.of("audit", "--lake", str(lake), "--reports", str(lake.parent / "reports"))


def test_a_lake_without_faults_passes_and_says_what_was_skipped(lake: Path, audit: Shell) -> None:
    done = audit()
    assert done.code == 0, done
    assert "passed its audit" in done.out
    assert "skipped phase 7, replay_log_valid: _kb/replay_runs.jsonl is not there" in done.out
    (page,) = (lake.parent / "reports" / "audit").glob("*.md")
    assert str(page) in done.out


def test_a_fault_is_named_by_file_and_line_and_ends_with_1(lake: Path, audit: Shell) -> None:
    (lake / "_kb" / "replay_runs.jsonl").write_text('{"schema":"replay_run.v1"}\nno json\n')
    done = audit()
    assert done.code == 1
    assert "_kb/replay_runs.jsonl:2: the line is no JSON" in done.out
    assert "failed its audit" in done.out


def test_a_lake_that_cannot_be_written_to_is_no_damage_and_ends_with_3(
    lake: Path, audit: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, data: bytes) -> None:
        raise OutsideFailure("it cannot be written (Read-only file system)", where=str(path))

    monkeypatch.setattr("lakehouse.audit.reach.write_whole", refuse)
    done = audit()
    assert done.code == 3
    where, _, what = done.err.splitlines()[-1].partition(": ")
    assert where == f"error {lake}"
    assert "index/ cannot be written to: it cannot be written (Read-only file system)" in what


def test_a_machine_gets_the_report(lake: Path, audit: Shell) -> None:
    (lake / "_kb" / "replay_runs.jsonl").write_text("no json\n")
    done = audit("--json")
    assert done.code == 1
    told = done.json
    assert told["report"]["passed"] is False
    assert [one["phase"] for one in told["report"]["phases"]] == list(range(8))
    assert Path(told["page"]).exists()
