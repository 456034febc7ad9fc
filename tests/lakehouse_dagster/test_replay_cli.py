"""`lakehouse replay`: what it says to people and to machines, what it leaves, and how it ends."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from assets.agents import ReplayConfig
from lakehouse.errors import LakehouseError
from lakehouse.gates.verdicts import read_verdicts
from lakehouse.lake import Lake
from lakehouse_dagster.commands import vectors
from lakehouse_dagster.running import run_replay
from tests.lakehouse.conftest import Lab
from tests.lakehouse.replay.conftest import DAYS, Bench
from tests.lakehouse_dagster.conftest import Done, Shell

NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake that is copied."""
    made = Bench(Lab(tmp_path_factory.mktemp("replayed")))
    made.fill(*DAYS)
    return made.lab.root


@pytest.fixture
def bench(pattern: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("OLLAMA_HOST", NOBODY)
    monkeypatch.setenv("LAKEHOUSE_GIT_COMMIT", "c" * 40)
    made = Bench(Lab(Path(shutil.copytree(pattern, tmp_path / "lake"))))
    made.lab.settings("workers = 1\n[chat]\ntries = 1\ntimeout = 2")
    return made


@pytest.fixture
def replay(bench: Bench, shell: Shell) -> Shell:
    """Type `lakehouse replay …` of that lake."""
    return shell.of("replay", "--lake", str(bench.lake.root), "--reports", str(bench.reports))


def failure(done: Done) -> dict[str, Any]:
    """Give the error that a machine reads; the command ended with its exit code."""
    error: dict[str, Any] = done.json["error"]
    assert error["exit_code"] == done.code
    return error


def test_the_newest_tasks_are_done_again_offline_with_what_the_lake_holds(bench: Bench, replay: Shell) -> None:
    done = replay()
    assert done.code == 0, done
    assert "6 of 6 tasks answered, 6 of the answers valid" in done.out
    (page,) = (bench.reports / "replay").glob("*.html")
    assert str(page) in done.out
    assert "No model was asked" not in done.out
    rows = bench.log()
    assert {(row["provider"], row["model"]) for row in rows} == {("extractive", "rag")}
    assert {one["corpus"] for row in rows for one in row["retrieved"]} == {"rag_export"}
    assert read_verdicts(bench.lake, "replay_report")["replays_hold"].passed


def test_a_second_run_asks_nothing_and_anew_asks_all(bench: Bench, replay: Shell) -> None:
    assert "6 asked now, 0 stood" in replay().out
    assert "0 asked now, 6 stood" in replay().out
    assert "2 asked now, 0 stood" in replay("--tasks", "2", "--anew").out
    assert len(bench.log()) == 8


def test_a_machine_gets_the_report_and_the_verdict(bench: Bench, replay: Shell) -> None:
    told = replay("--tasks", "1", "--json").json
    assert told["report"]["rows"][0]["task_id"] == "scrum_review:b03.rs"
    assert told["failed_checks"] == []
    assert json.loads(Path(told["page"]).with_suffix(".json").read_text()) == told["report"]


def test_the_settings_say_what_the_options_do_not(bench: Bench, replay: Shell) -> None:
    bench.lab.settings("workers = 1\n[replay]\ntasks = 2\npassages = 1")
    replay()
    assert [len(row["retrieved"]) for row in bench.log()] == [1, 1]
    replay("--passages", "2", "--tasks", "1")
    assert len(bench.log()[-1]["retrieved"]) == 2


def test_one_task_is_shown_beside_what_was_accepted_and_makes_no_report(bench: Bench, replay: Shell) -> None:
    done = replay("--task-id", "scrum_review:a01.rs")
    assert done.code == 0, done
    assert "Review the file 'a01.rs' against the PRD." in done.out
    assert "Similarity to what was accepted on 2026-05-01 (valid then)" in done.out
    assert not (bench.reports / "replay").exists()
    assert "as it stood in the log" in replay("--task-id", "scrum_review:a01.rs").out
    assert len(bench.log()) == 1


def test_a_task_in_words_has_nothing_to_be_compared_with(bench: Bench, replay: Shell) -> None:
    done = replay("--text", "what was verified on 2026-05-02?", "--json")
    (row,) = bench.log()
    assert done.json["replay"]["run"] == row
    assert "source_run_id" not in row
    assert "similarity" not in done.json["replay"]


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
def test_wrong_usage_ends_with_2_and_asks_nobody(
    bench: Bench, replay: Shell, options: tuple[str, ...], why: str
) -> None:
    error = failure(replay(*options, "--json"))
    assert (error["exit_code"], why in error["message"]) == (2, True), error
    assert not bench.lake.replays.exists()


def test_a_lake_without_an_export_says_what_to_do(bench: Bench, replay: Shell) -> None:
    (bench.lake.root / "distilled" / "rag" / "rag_export.jsonl").unlink()
    done = replay()
    assert (done.code, "run `lakehouse distill` first" in done.err) == (2, True), done


@pytest.mark.parametrize("option", ["--model", "--stronger"])
def test_a_provider_without_its_key_ends_with_3_before_anybody_is_asked(
    bench: Bench, replay: Shell, option: str
) -> None:
    error = failure(replay(option, "openrouter/vendor/model", "--json"))
    assert error["exit_code"] == 3
    assert error["where"].startswith("openrouter")
    assert error["mend"]
    said = "the stronger model openrouter/vendor/model cannot be asked: " in error["message"]
    assert said is (option == "--stronger")
    assert not bench.lake.replays.exists()


def test_a_try_of_another_model_is_told_apart_and_warns_of_nothing(bench: Bench, replay: Shell) -> None:
    first = replay("--json").json
    assert (first["compared"], first["report"]["settings"]) == (None, "extractive/rag, stronger none, 6 passages")
    done = replay("--passages", "1")
    assert "the gate replays_hold does not judge this report" in done.out
    assert "Similarity: no report of 5 tasks or more before it to compare with." in done.out
    assert "warning" not in done.out
    done = replay("--tasks", "5", "--model", "extractive/rag")
    assert "does not judge" not in done.out
    assert "Similarity: over the 5 tasks that the report of " in done.out
    compared = replay("--tasks", "5", "--json").json["compared"]
    assert (compared["run_id"], compared["tasks"]) == (first["report"]["run_id"], 5)
    assert compared["mean_then"] == compared["mean_now"]


def test_the_environments_model_of_a_tier_is_the_lakes_own_setting(
    bench: Bench, replay: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.lab.settings("workers = 1\n[replay]\nmodel = 'local_fast'")
    monkeypatch.setenv("LAKEHOUSE_MODEL_LOCAL_FAST", "extractive/rag")
    done = replay()
    assert "does not judge" not in done.out
    assert "warning" not in done.out


def test_lines_of_the_log_that_cannot_be_read_are_told_of_with_what_to_do(bench: Bench, replay: Shell) -> None:
    bench.lake.replays.write_bytes(b'{"schema":"replay_run.v1","producer":"go"}\nno json\n')
    done = replay("--tasks", "1")
    assert "passed over 1 line of the log: _kb/replay_runs.jsonl:2: this is no replay (" in done.out
    assert "move the line out of the log" in done.out
    bench.lake.replays.write_bytes(b'{"schema":"replay_run.v1"}\nno json\n[]\ntorn')
    assert "passed over 2 lines of the log, the first _kb/replay_runs.jsonl:2: this" in replay("--tasks", "1").out
    # What was torn got its end by the answer that was appended, and is a line now.
    assert "passed over 3 lines of the log, the first _kb/replay_runs.jsonl:2: this" in replay("--tasks", "1").out
    assert "passed over 3 lines" in replay("--text", "what was verified?").out
    lines = bench.lake.replays.read_bytes().splitlines(keepends=True)
    bench.lake.replays.write_bytes(lines[0] + b"".join(lines[4:]))
    assert "passed over" not in replay("--tasks", "1").out


@pytest.mark.parametrize("asked", [{"tasks": 0}, {"tasks": -5}, {"tasks": 10_001}, {"passages": 0}, {"passages": 101}])
def test_the_launchpad_has_the_bounds_of_the_options(bench: Bench, asked: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        ReplayConfig(**asked)
    with pytest.raises(LakehouseError):
        run_replay(bench.lake.root, bench.reports, asked)
    assert not bench.lake.replays.exists()
    assert not (bench.reports / "distillation").exists() or not list((bench.reports).rglob("replay.json"))


def test_the_launchpads_yaml_of_the_docs_runs(bench: Bench) -> None:
    page = Path(__file__).parents[2] / "docs" / "replay.md"
    (told,) = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    config = yaml.safe_load(told)["ops"]["replay_report"]["config"]
    assert set(config) == set(ReplayConfig.model_fields)
    assert ReplayConfig(**config).tasks == 50


def test_a_server_that_is_not_there_ends_with_3_says_which_and_keeps_the_report(bench: Bench, replay: Shell) -> None:
    pytest.importorskip("ollama", reason="the extra chat is not installed")
    replay("--tasks", "1")
    done = replay("--model", "qwen2.5")
    assert done.code == 3
    where, _, what = done.err.splitlines()[-1].partition(": ")
    assert "127.0.0.1:1" in where
    assert "6 of 6 tasks have no answer). To mend it: " in what
    done = replay("--model", "qwen2.5", "--json")
    assert done.code == 3
    told = done.json
    assert (told["report"]["no_answer"][0]["kind"], told["report"]["not_asked"]) == ("unreachable", 5)
    assert told["failed_checks"] == []
    assert len(bench.log()) == 1
    bench.lab.settings("workers = 1\n[chat]\ntries = 1\ntimeout = 2\n[replay]\nmodel = 'qwen2.5'")
    assert [one["check"] for one in replay("--json").json["failed_checks"]] == ["replays_hold"]


def test_a_warning_of_the_gate_holds_nothing_back(bench: Bench, replay: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any, **__: Any) -> list[Any]:
        return [{"Policy": {"reason": "planted"}}]

    monkeypatch.setattr("lakehouse.replay.replaying.faults", nothing)
    done = replay()
    assert done.code == 0
    assert "warning replays_hold: not valid: scrum_review:" in done.out
    assert "Policy: planted" in replay("--task-id", "scrum_review:a01.rs").out


def test_with_vectors_passages_come_from_them(bench: Bench, replay: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lancedb", reason="the extra retrieval is not installed")
    from tests.lakehouse.corpora.conftest import Room

    room = Room(bench.lake.root)
    room.build("rag")

    @contextmanager
    def embedder(_: Lake) -> Iterator[Any]:
        yield room.embedder

    monkeypatch.setattr(vectors, "embedder", embedder)
    done = replay("--task-id", "scrum_review:a01.rs", "--json")
    (row,) = bench.log()
    assert done.json["replay"]["similarity"] <= 1
    assert {one["corpus"] for one in row["retrieved"]} == {"rag"}
    own = {one["source_run_id"]: one["id"] for one in bench.lab.published_chunks()}
    assert own[row["source_run_id"]] not in {one["id"] for one in row["retrieved"]}
