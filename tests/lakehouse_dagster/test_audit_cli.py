"""`lakehouse audit`: what it says to people and to machines, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from lakehouse.errors import OutsideFailure
from lakehouse_dagster.commands.audit import audit


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAKEHOUSE_GIT_COMMIT", "c" * 40)
    (tmp_path / "lake" / "_kb").mkdir(parents=True)
    return tmp_path / "lake"


def run(lake: Path, *options: str) -> Result:
    app = typer.Typer()
    app.command()(audit)
    return CliRunner().invoke(app, ["--lake", str(lake), "--reports", str(lake.parent / "reports"), *options])


def test_a_lake_without_faults_passes_and_says_what_was_skipped(lake: Path) -> None:
    done = run(lake)
    assert done.exit_code == 0, done.output
    assert "passed its audit" in done.output
    assert "skipped phase 7, replay_log_valid: _kb/replay_runs.jsonl is not there" in done.output
    (page,) = (lake.parent / "reports" / "audit").glob("*.md")
    assert str(page) in done.output


def test_a_fault_is_named_by_file_and_line_and_ends_with_1(lake: Path) -> None:
    (lake / "_kb" / "replay_runs.jsonl").write_text('{"schema":"replay_run.v1"}\nno json\n')
    done = run(lake)
    assert done.exit_code == 1
    assert "_kb/replay_runs.jsonl:2: the line is no JSON" in done.output
    assert "failed its audit" in done.output


def test_a_lake_that_cannot_be_written_to_is_no_damage_and_ends_with_3(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, data: bytes) -> None:
        raise OutsideFailure("it cannot be written (Read-only file system)", where=str(path))

    monkeypatch.setattr("lakehouse.audit.reach.write_whole", refuse)
    done = run(lake)
    assert isinstance(done.exception, OutsideFailure)
    assert done.exception.exit_code == 3
    assert done.exception.where == str(lake)
    assert "index/ cannot be written to: it cannot be written (Read-only file system)" in done.exception.what


def test_a_machine_gets_the_report(lake: Path) -> None:
    (lake / "_kb" / "replay_runs.jsonl").write_text("no json\n")
    done = run(lake, "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["report"]["passed"] is False
    assert [one["phase"] for one in told["report"]["phases"]] == list(range(8))
    assert Path(told["page"]).exists()
