"""`lakehouse replay`: what it says to people and to machines, what it leaves, and how it ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from lakehouse.errors import LakehouseError
from lakehouse.gates.verdicts import read_verdicts
from lakehouse.lake import Lake
from lakehouse_dagster.commands import vectors
from lakehouse_dagster.commands.replay import replay
from tests.lakehouse.conftest import Lab
from tests.lakehouse.replay.conftest import DAYS, Bench

NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake that is copied."""
    made = Bench(Lab(tmp_path_factory.mktemp("replayed")))
    made.fill(*DAYS)
    return made.lab.root


@pytest.fixture
def bench(pattern: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    for name in ("LAKEHOUSE_EMBEDDER", "LAKEHOUSE_MODEL", "LAKEHOUSE_ENV_FILE", "OPENROUTER_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_HOST", NOBODY)
    monkeypatch.setenv("LAKEHOUSE_GIT_COMMIT", "c" * 40)
    monkeypatch.chdir(tmp_path)
    made = Bench(Lab(Path(shutil.copytree(pattern, tmp_path / "lake"))))
    made.lab.settings("workers = 1\n[chat]\ntries = 1\ntimeout = 2")
    return made


def run(bench: Bench, *options: str) -> Result:
    app = typer.Typer()
    app.command()(replay)
    return CliRunner().invoke(app, ["--lake", str(bench.lake.root), "--reports", str(bench.reports), *options])


def failure(done: Result) -> LakehouseError:
    assert isinstance(done.exception, LakehouseError), done.output
    return done.exception


def test_the_newest_tasks_are_done_again_offline_with_what_the_lake_holds(bench: Bench) -> None:
    done = run(bench)
    assert done.exit_code == 0, done.output
    assert "6 of 6 tasks answered, 6 of the answers valid" in done.output
    (page,) = (bench.reports / "replay").glob("*.html")
    assert str(page) in done.output
    assert "No model was asked" not in done.output
    rows = bench.log()
    assert {(row["provider"], row["model"]) for row in rows} == {("extractive", "rag")}
    assert {one["corpus"] for row in rows for one in row["retrieved"]} == {"rag_export"}
    assert read_verdicts(bench.lake, "replay_report")["replays_hold"].passed


def test_a_second_run_asks_nothing_and_anew_asks_all(bench: Bench) -> None:
    assert "6 asked now, 0 stood" in run(bench).output
    assert "0 asked now, 6 stood" in run(bench).output
    assert "2 asked now, 0 stood" in run(bench, "--tasks", "2", "--anew").output
    assert len(bench.log()) == 8


def test_a_machine_gets_the_report_and_the_verdict(bench: Bench) -> None:
    told = json.loads(run(bench, "--tasks", "1", "--json").stdout)
    assert told["report"]["rows"][0]["task_id"] == "scrum_review:b03.rs"
    assert told["failed_checks"] == []
    assert json.loads(Path(told["page"]).with_suffix(".json").read_text()) == told["report"]


def test_the_settings_say_what_the_options_do_not(bench: Bench) -> None:
    bench.lab.settings("workers = 1\n[replay]\ntasks = 2\npassages = 1")
    run(bench)
    assert [len(row["retrieved"]) for row in bench.log()] == [1, 1]
    run(bench, "--passages", "2", "--tasks", "1")
    assert len(bench.log()[-1]["retrieved"]) == 2


def test_one_task_is_shown_beside_what_was_accepted_and_makes_no_report(bench: Bench) -> None:
    done = run(bench, "--task-id", "scrum_review:a01.rs")
    assert done.exit_code == 0, done.output
    assert "Review the file 'a01.rs' against the PRD." in done.output
    assert "Similarity to what was accepted on 2026-05-01 (valid then)" in done.output
    assert not (bench.reports / "replay").exists()
    assert "as it stood in the log" in run(bench, "--task-id", "scrum_review:a01.rs").output
    assert len(bench.log()) == 1


def test_a_task_in_words_has_nothing_to_be_compared_with(bench: Bench) -> None:
    done = run(bench, "--text", "what was verified on 2026-05-02?", "--json")
    (row,) = bench.log()
    assert json.loads(done.stdout)["replay"]["run"] == row
    assert "source_run_id" not in row
    assert "similarity" not in json.loads(done.stdout)["replay"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--task-id", "t", "--text", "x"), "--task-id and --text are given"),
        (("--tasks", "3", "--text", "x"), "--tasks and --text are given"),
        (("--text", "  "), "the task is empty"),
        (("--text", "who has ssn 219-09-9999"), "must not go into a log"),
        (("--task-id", "nowhere"), "no accepted run of task 'nowhere'"),
    ],
)
def test_wrong_usage_ends_with_2_and_asks_nobody(bench: Bench, options: tuple[str, ...], why: str) -> None:
    error = failure(run(bench, *options))
    assert (error.exit_code, why in error.what) == (2, True), error
    assert not bench.lake.replays.exists()


def test_a_lake_without_an_export_says_what_to_do(bench: Bench) -> None:
    (bench.lake.root / "distilled" / "rag" / "rag_export.jsonl").unlink()
    error = failure(run(bench))
    assert (error.exit_code, "run `lakehouse distill` first" in str(error)) == (2, True), error


@pytest.mark.parametrize("option", ["--model", "--stronger"])
def test_a_provider_without_its_key_ends_with_3_before_anybody_is_asked(bench: Bench, option: str) -> None:
    error = failure(run(bench, option, "openrouter/vendor/model"))
    assert error.exit_code == 3
    assert error.where.startswith("openrouter")
    assert error.mend
    assert not bench.lake.replays.exists()


def test_a_server_that_is_not_there_ends_with_3_says_which_and_keeps_the_report(bench: Bench) -> None:
    pytest.importorskip("ollama", reason="the extra chat is not installed")
    run(bench, "--tasks", "1")
    error = failure(run(bench, "--model", "qwen2.5"))
    assert error.exit_code == 3
    assert "127.0.0.1:1" in error.where
    assert "6 of 6 tasks have no answer" in error.what
    assert error.mend
    done = run(bench, "--model", "qwen2.5", "--json")
    assert done.exit_code == 3
    told = json.loads(done.stdout)
    assert (told["report"]["no_answer"][0]["kind"], told["report"]["not_asked"]) == ("unreachable", 5)
    assert [one["check"] for one in told["failed_checks"]] == ["replays_hold"]
    assert len(bench.log()) == 1


def test_a_warning_of_the_gate_holds_nothing_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any, **__: Any) -> list[Any]:
        return [{"Policy": {"reason": "planted"}}]

    monkeypatch.setattr("lakehouse.replay.replaying.faults", nothing)
    done = run(bench)
    assert done.exit_code == 0
    assert "warning replays_hold: not valid: scrum_review:" in done.output
    assert "Policy: planted" in run(bench, "--task-id", "scrum_review:a01.rs").output


def test_with_vectors_passages_come_from_them(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lancedb", reason="the extra retrieval is not installed")
    from tests.lakehouse.corpora.conftest import Room

    room = Room(bench.lake.root)
    room.build("rag")

    @contextmanager
    def embedder(_: Lake) -> Iterator[Any]:
        yield room.embedder

    monkeypatch.setattr(vectors, "embedder", embedder)
    done = run(bench, "--task-id", "scrum_review:a01.rs", "--json")
    (row,) = bench.log()
    assert json.loads(done.stdout)["replay"]["similarity"] <= 1
    assert {one["corpus"] for one in row["retrieved"]} == {"rag"}
    own = {one["source_run_id"]: one["id"] for one in bench.lab.published_chunks()}
    assert own[row["source_run_id"]] not in {one["id"] for one in row["retrieved"]}
