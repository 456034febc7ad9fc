"""`lakehouse gates`: what is not green is listed, and a person's word on it is written down."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse.gates.verdicts import read_verdicts, record, why_held
from lakehouse_dagster import cli
from tests.lakehouse.conftest import Lab
from tests.lakehouse.releasing import publish_all

DAY = "2026-05-01"
CHECK = "provenance_resolves"
Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = Lab(tmp_path_factory.mktemp("published"))
    rows = [{"run_id": f"r{n}", "task_id": "t", "prompt": "p", "response": f"a{n}", "passed": n == 1} for n in (1, 2)]
    found.write("agent_runs", *({**row, "ts": f"{DAY}T10:00:00Z"} for row in rows))
    publish_all(found)
    return found.root


@pytest.fixture
def lab(tmp_path: Path, published: Path) -> Lab:
    """A copy of that lake in ./data, one gate of it red."""
    shutil.copytree(published, tmp_path / "data")
    found = Lab(tmp_path / "data")
    one = read_verdicts(found.lake, "evidence", DAY)[CHECK]
    one.passed, one.summary = False, "1 of 2 records do not resolve to their row"
    one.offenders = [{"file": f"evidence/{DAY}/agent_runs.jsonl", "line": 2, "why": "the row hashes to something else"}]
    record(found.lake, "evidence", DAY, one)
    return found


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAKEHOUSE_ROOT", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lakehouse", "gates", *arguments])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def listed(shell: Shell, *options: str) -> dict[str, Any]:
    code, out, _ = shell("list", "--json", *options)
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_red_gate_is_listed_with_its_first_row(lab: Lab, shell: Shell) -> None:
    code, out, _ = shell("list")
    assert code == 0
    assert f"evidence/{DAY}/agent_runs.jsonl:2" in out.replace("\n", "")
    (row,) = listed(shell, "--day", DAY)["gates"]
    assert (row["state"], row["day"], row["gate"]) == ("red", DAY, f"evidence/{CHECK}")
    assert len(listed(shell, "--all")["gates"]) == sum(listed(shell)["counts"].values())


def test_a_waiver_is_written_down_and_shown(lab: Lab, shell: Shell) -> None:
    code, out, _ = shell("waive", CHECK, "--day", DAY, "--reason", "a test client", "--by", "ann")
    assert code == 0
    assert "waived, says ann: a test client" in out
    assert "lakehouse distill" in out
    (row,) = listed(shell, "--day", DAY)["gates"]
    assert (row["state"], row["waiver"]["by"], row["waiver"]["reason"]) == ("waived", "ann", "a test client")
    assert why_held(lab.lake, DAY) is None


def test_a_waiver_is_taken_back(lab: Lab, shell: Shell) -> None:
    shell("waive", CHECK, "--day", DAY, "--reason", "a test client")
    assert shell("withdraw", CHECK, "--day", DAY, "--reason", "it was real")[0] == 0
    assert why_held(lab.lake, DAY) is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("waive", "receipt_balances", "--day", DAY, "--reason", "x"), "is green"),
        (("waive", "no_such_gate", "--day", DAY, "--reason", "x"), "lakehouse gates list --all"),
        (("waive", CHECK, "--day", "2026-06-01", "--reason", "x"), "has looked at 2026-06-01"),
        (("waive", CHECK, "--day", "yesterday", "--reason", "x"), "is no day"),
        (("waive", CHECK, "--day", DAY, "--reason", " "), "who gives it and why"),
        (("withdraw", CHECK, "--day", DAY, "--reason", "x"), "no waiver"),
    ],
)
def test_what_cannot_be_done_says_why(lab: Lab, shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = shell(*arguments)
    assert code == 2
    assert said in err.replace("\n", "")
    assert why_held(lab.lake, DAY) is not None
