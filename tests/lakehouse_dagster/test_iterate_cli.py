"""`lakehouse iterate`: exit codes, what it prints, what it leaves in the log. The model is scripted, or nobody is there."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lakehouse.chat.answer import ChatAnswer
from lakehouse.chat.tiers import Resolved
from lakehouse.lake import Lake
from lakehouse_dagster.commands import iterate
from tests.lakehouse_dagster.conftest import Shell

FILL = {
    "contract_id": "C-12",
    "role": "Welder",
    "city": "Flint",
    "state": "MI",
    "start": "06:00",
    "count": 1,
    "fills": [{"worker_id": "w-1", "name": "Ann Ortiz"}],
}
GOOD = json.dumps(FILL)
PHANTOM = json.dumps({**FILL, "fills": [{"worker_id": "w-9001"}]})
ROSTER = "id,name,role,city,state,available\nw-1,Ann Ortiz,Welder,Flint,MI,yes\n"


class Scripted:
    """A chat that gives its answers in turn."""

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.prompts: list[str] = []

    def resolve(self, asked: str | None = None, tier: str = "default") -> Resolved:
        return Resolved(asked or "qwen2.5:latest", "as a test says")

    def __call__(self, messages: Any, model: str, **_: Any) -> ChatAnswer:
        self.prompts.append(messages[1]["content"])
        said = {"model": model, "provider": "ollama", "finish_reason": "stop", "latency_ms": 5}
        return ChatAnswer(content=self._answers.pop(0), **said)  # type: ignore[arg-type]


class Desk:
    """Types `lakehouse iterate …` in a folder with a lake in ./data, which has one worker."""

    def __init__(self, folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lake = Lake(folder / "data")
        self.lake.raw.mkdir(parents=True)
        (self.lake.raw / "workers.csv").write_text(ROSTER)
        self.run = shell.of("iterate")
        self._patch = monkeypatch

    def script(self, *answers: str) -> Scripted:
        chat = Scripted(answers)

        @contextmanager
        def chatter(lake: Lake) -> Iterator[Scripted]:
            assert lake.root == self.lake.root.resolve()
            yield chat

        self._patch.setattr(iterate, "chatter", chatter)
        return chat

    @property
    def log(self) -> list[dict[str, Any]]:
        path = self.lake.sessions
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def desk(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, shell, monkeypatch)


def test_an_accepted_fill_ends_with_0_is_shown_and_logged(desk: Desk) -> None:
    desk.script(PHANTOM, GOOD)
    done = desk.run("fill", "--prompt", "a welder")
    assert done.code == 0, done.err
    assert '"worker_id": "w-1"' in done.out
    assert "Attempt 1: not valid" in done.out
    (line,) = desk.log
    assert (line["verdict"], line["grounded_in_roster"], line["iterations"]) == ("accepted", True, 2)
    assert (line["prompt"], line["daemon"], line["kind"]) == ("a welder", "lakehouse", "fill")


def test_a_phantom_worker_is_never_accepted(desk: Desk) -> None:
    desk.script(*[PHANTOM] * 3)
    done = desk.run("fill", "--prompt", "a welder", "--json")
    assert done.code == 1
    assert (done.json["verdict"], done.json["artifact"]) == ("max_iter_exhausted", None)
    assert done.json["errors"] == [{"Consistency": {"reason": "fills[0] (w-9001): the roster has no such worker"}}]
    assert desk.log[0]["verdict"] == "max_iter_exhausted"


def test_what_a_broken_validator_lets_through_is_not_to_be_used(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iterate, "validate", lambda kind, payload, roster: [])
    desk.script(PHANTOM)
    done = desk.run("fill", "--prompt", "a welder")
    assert (done.code, "Do not use it" in done.out) == (1, True)
    assert (desk.log[0]["verdict"], desk.log[0]["grounded_in_roster"]) == ("accepted", False)


@pytest.mark.parametrize("as_json", [False, True])
def test_where_nobody_answers_it_ends_with_3_and_says_who_was_asked_and_how_to_start_it(
    desk: Desk, as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ollama")
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    (desk.lake.toml).write_text("[chat]\ntries = 1\n")
    done = desk.run("fill", "--prompt", "a welder", *(["--json"] if as_json else []))
    assert done.code == 3, done.err
    told = json.dumps(done.json["error"]) if as_json else done.err
    assert "ollama at http://127.0.0.1:9" in told
    assert "ollama serve" in told
    (line,) = desk.log
    assert (line["verdict"], line["provider"], line["model"]) == ("infra_error", "ollama", "qwen2.5:latest")
    assert line["attempts"][0]["error"].startswith("unreachable: ollama at http://127.0.0.1:9")


def test_a_provider_without_its_key_is_named_and_no_other_is_asked(desk: Desk) -> None:
    done = desk.run("fill", "--prompt", "a welder", "--model", "openrouter/x-ai/grok", "--json")
    assert (done.code, done.json["error"]["kind"]) == (3, "provider_not_configured")
    assert desk.log[0]["provider"] == "openrouter"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["permit", "--prompt", "p"], "is no kind of payload"),
        (["fill"], "there is no prompt"),
        (["fill", "--prompt", "p", "--prompt-file", "f"], "both --prompt and --prompt-file"),
        (["fill", "--prompt", "  "], "the prompt is empty"),
        (["fill", "--prompt-file", "none.txt"], "cannot be read"),
        (["fill", "--prompt-file", "latin.txt"], "not UTF-8"),
        (["fill", "--prompt", "p", "--max-iterations", "0"], "outside 1 to 20"),
        (["fill", "--prompt", "p", "--trace-id", "x" * 300], "trace_id"),
        (["fill", "--prompt", "p", "--lake", "nowhere"], "there is no lake here"),
    ],
)
def test_wrong_usage_ends_with_2_and_asks_nobody(desk: Desk, arguments: list[str], says: str) -> None:
    Path("latin.txt").write_bytes(b"caf\xe9")
    chat = desk.script(GOOD)
    done = desk.run(*arguments)
    assert (done.code, says in done.err, chat.prompts, desk.log) == (2, True, [], []), done.err
    assert "Asking" not in done.out


def test_a_roster_that_cannot_be_read_ends_with_2_before_anybody_is_asked(desk: Desk) -> None:
    (desk.lake.raw / "workers.parquet").write_bytes(b"no parquet")
    chat = desk.script(GOOD)
    done = desk.run("fill", "--prompt", "p")
    assert (done.code, "workers.parquet and workers.csv" in done.err, chat.prompts, desk.log) == (2, True, [], [])
    assert "Asking" not in done.out


def test_the_help_names_the_bounds_of_max_iterations(desk: Desk) -> None:
    assert "at most, 1 to 20." in re.sub(r"[│\s]+", " ", desk.run("--help").out)


def test_the_prompt_may_come_from_a_file_or_from_standard_input(desk: Desk) -> None:
    Path("ask.txt").write_text("zwei Schweißer", encoding="utf-8")
    chat = desk.script(GOOD, GOOD)
    assert desk.run("fill", "--prompt-file", "ask.txt").code == 0
    assert desk.run("fill", "--prompt-file", "-", stdin=b"two welders").code == 0
    assert chat.prompts == ["zwei Schweißer", "two welders"]


def test_the_id_is_the_callers_or_one_in_the_usual_form(desk: Desk) -> None:
    desk.script(GOOD, GOOD)
    assert desk.run("fill", "--prompt", "p", "--trace-id", "trace-7", "--json").json["trace_id"] == "trace-7"
    desk.run("fill", "--prompt", "p")
    first, second = (line["session_id"] for line in desk.log)
    assert first == "trace-7"
    assert [len(part) for part in second.split("-")] == [16, 8]


def test_a_trace_id_that_is_given_twice_names_two_lines(desk: Desk) -> None:
    desk.script(GOOD, GOOD)
    assert [desk.run("fill", "--prompt", "p", "--trace-id", "t").code for _ in range(2)] == [0, 0]
    assert [line["session_id"] for line in desk.log] == ["t", "t"]


def test_without_a_log_nothing_is_left(desk: Desk) -> None:
    desk.script(GOOD)
    done = desk.run("fill", "--prompt", "p", "--no-log", "--json")
    assert (done.code, done.json["logged"], desk.log) == (0, None, [])


def test_a_log_that_cannot_be_written_fails_nothing(desk: Desk) -> None:
    desk.lake.sessions.mkdir()
    desk.script(GOOD)
    done = desk.run("fill", "--prompt", "p", "--json")
    assert (done.code, done.json["logged"]) == (0, False)


def test_a_number_beyond_64_bits_is_shown(desk: Desk) -> None:
    odd = json.dumps({**FILL, "fills": [{"worker_id": "w-1", "score": 10**30}]})
    desk.script(odd, odd)
    assert "1" + "0" * 30 in desk.run("fill", "--prompt", "p").out
    assert desk.run("fill", "--prompt", "p", "--json").json["artifact"]["fills"][0]["score"] == str(10**30)


def test_brackets_of_a_model_are_shown_as_they_are(desk: Desk) -> None:
    text = {"body": "[red]Hi[/red] Ann [/]", "worker_id": "w-1"}
    desk.script(json.dumps(text))
    done = desk.run("sms", "--prompt", "p")
    assert (done.code, "[red]Hi[/red] Ann [/]" in done.out) == (0, True), done.err
