"""`lakehouse parity`: what it says to people and to machines, and how it ends."""

import sys
from pathlib import Path

import pytest

from lakehouse.parity.probes.embed import can_run
from tests.lakehouse_dagster.conftest import Shell


@pytest.fixture
def here(tmp_path: Path, shell: Shell) -> Path:
    return tmp_path


@pytest.fixture
def parity(shell: Shell) -> Shell:
    """Type `lakehouse parity …`."""
    return shell.of("parity")


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


def test_every_probe_against_the_pinned_answers(here: Path, parity: Shell) -> None:
    done = parity()
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
        "session_log.md",
        "subject_audit.md",
        "validator.md",
    ]
    assert str(here / "reports" / "parity" / "README.md") in done.out


def test_a_peer_that_answers_alike(here: Path, parity: Shell) -> None:
    done = parity("extract_json", "--peer", peer(here, ""), "--peer", "golden", "--reports", "there", "--json")
    assert done.code == 0
    assert [(row["fixtures"], row["match"]) for row in done.json["counts"]] == [(12, 12), (12, 12)]
    assert (here / "there" / "parity" / "extract_json.md").exists()


def test_a_difference_ends_with_one_and_is_named(here: Path, parity: Shell) -> None:
    done = parity(
        "extract_json", "--peer", peer(here, "if 'think' in question['input']['text']: answer['value']['a'] = 2")
    )
    assert done.code == 1
    assert "bare with prose" in done.out
    assert "$.value.a is 1 in ours, 2 in theirs" in done.out
    assert "$.value.a is 1 in ours, 2 in theirs" in (here / "reports" / "parity" / "extract_json.md").read_text()


def test_a_peer_that_finds_nothing_ends_with_one(here: Path, parity: Shell) -> None:
    done = parity("extract_json", "--peer", peer(here, "answer = {'matched': False, 'value': None}"), "--json")
    assert done.code == 1
    assert (done.json["total"]["invalid"], done.json["total"]["match"]) == (10, 2)


@pytest.mark.parametrize(
    ("text", "name"), [("command:/no/such/program", "command:program"), ("http://127.0.0.1:1", "http://127.0.0.1:1")]
)
def test_a_peer_that_cannot_be_reached_ends_with_three(parity: Shell, text: str, name: str) -> None:
    done = parity("extract_json", "--peer", text)
    assert done.code == 3
    assert "Not answered" in done.out
    assert parity("extract_json", "--peer", text, "--peer", "golden", "--json").json["unreached"].keys() == {name}


def test_a_peer_that_answers_no_question_ends_with_three(here: Path, parity: Shell) -> None:
    done = parity("extract_json", "--peer", peer(here, 'print(\'{"unsupported": "none"}\'); sys.exit()'))
    assert done.code == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("retrieve",), "there is no probe 'retrieve'"),
        (("--peer", "silver"), "this is no peer"),
        (("--peer", "command:node a/x.mjs", "--peer", "command:node b/x.mjs"), "two peers have one name"),
    ],
)
def test_an_unknown_probe_or_peer_is_refused(parity: Shell, arguments: tuple[str, ...], says: str) -> None:
    done = parity(*arguments)
    assert (done.code, done.out, says in done.err) == (2, "", True), done.err
