"""`lakehouse parity`: what it says to people and to machines, and how it ends."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lakehouse.errors import UsageError
from lakehouse.parity.probes.embed import can_run
from lakehouse_dagster.commands.parity import parity

app = typer.Typer()
app.command()(parity)


class Done:
    """How the command ended and what it printed."""

    def __init__(self, *arguments: str) -> None:
        found = CliRunner().invoke(app, arguments)
        self.code, self.out, self.error = found.exit_code, found.output, found.exception

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAKEHOUSE_REPORTS", raising=False)
    return tmp_path


def peer(here: Path, text: str) -> str:
    """Write a peer that answers extract_json as pinned, but for what `text` does to `answer`."""
    fixtures = Path(__file__).parents[2] / "lakehouse" / "parity" / "fixtures" / "extract_json.json"
    program = here / "peer.py"
    program.write_text(
        f"import json, sys\nquestion = json.load(sys.stdin)\nfixtures = json.load(open({str(fixtures)!r}))\n"
        "answer = next(f['expected'] for f in fixtures if f['input'] == question['input'])\n"
        f"{text}\nprint(json.dumps({{'answer': answer}}))\n"
    )
    return f"command:{sys.executable} -S {program}"


def test_every_probe_against_the_pinned_answers(here: Path) -> None:
    done = Done()
    assert done.code == 0
    assert f"In all: {48 + 8 * can_run()} match, 0 differ, 0 invalid, 0 unavailable." in done.out
    assert sorted(path.name for path in (here / "reports" / "parity").iterdir()) == [
        "README.md",
        "audit_baseline.md",
        "canonical_json.md",
        *(["embed.md"] if can_run() else []),
        "extract_json.md",
        "materializer.md",
        "parity.json",
    ]
    assert str(here / "reports" / "parity" / "README.md") in done.out


def test_a_peer_that_answers_alike(here: Path) -> None:
    done = Done("extract_json", "--peer", peer(here, ""), "--peer", "golden", "--reports", "there", "--json")
    assert done.code == 0
    assert [(row["fixtures"], row["match"]) for row in done.json["counts"]] == [(12, 12), (12, 12)]
    assert (here / "there" / "parity" / "extract_json.md").exists()


def test_a_difference_ends_with_one_and_is_named(here: Path) -> None:
    done = Done(
        "extract_json", "--peer", peer(here, "if 'think' in question['input']['text']: answer['value']['a'] = 2")
    )
    assert done.code == 1
    assert "bare with prose" in done.out
    assert "$.value.a is 1 in ours, 2 in theirs" in done.out
    assert "$.value.a is 1 in ours, 2 in theirs" in (here / "reports" / "parity" / "extract_json.md").read_text()


def test_a_peer_that_finds_nothing_ends_with_one(here: Path) -> None:
    done = Done("extract_json", "--peer", peer(here, "answer = {'matched': False, 'value': None}"), "--json")
    assert done.code == 1
    assert (done.json["total"]["invalid"], done.json["total"]["match"]) == (10, 2)


@pytest.mark.parametrize(
    ("text", "name"), [("command:/no/such/program", "command:program"), ("http://127.0.0.1:1", "http://127.0.0.1:1")]
)
def test_a_peer_that_cannot_be_reached_ends_with_three(text: str, name: str) -> None:
    done = Done("extract_json", "--peer", text)
    assert done.code == 3
    assert "Not answered" in done.out
    assert Done("extract_json", "--peer", text, "--peer", "golden", "--json").json["unreached"].keys() == {name}


def test_a_peer_that_answers_no_question_ends_with_three(here: Path) -> None:
    done = Done("extract_json", "--peer", peer(here, 'print(\'{"unsupported": "none"}\'); sys.exit()'))
    assert done.code == 3


@pytest.mark.parametrize(
    "arguments",
    [("retrieve",), ("--peer", "silver"), ("--peer", "command:node a/x.mjs", "--peer", "command:node b/x.mjs")],
)
def test_an_unknown_probe_or_peer_is_refused(arguments: tuple[str, ...]) -> None:
    done = Done(*arguments)
    assert isinstance(done.error, UsageError)
    assert done.error.exit_code == 2
