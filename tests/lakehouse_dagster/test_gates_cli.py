"""`lakehouse gates`: what is not green is listed, and a person's word on it is written down."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lakehouse.gates.verdicts import MISSING, REQUIRED, read_verdicts, record, why_held
from tests.lakehouse.conftest import Lab
from tests.lakehouse.releasing import publish_all
from tests.lakehouse_dagster.conftest import Shell

DAY = "2026-05-01"
CHECK = "provenance_resolves"


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
def shell(shell: Shell) -> Shell:
    """Type `lakehouse gates …`."""
    return shell.of("gates")


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
    assert f"Next: lakehouse distill --lake data --day {DAY}" in out
    (row,) = listed(shell, "--day", DAY)["gates"]
    assert (row["state"], row["waiver"]["by"], row["waiver"]["reason"]) == ("waived", "ann", "a test client")
    assert why_held(lab.lake, DAY) is None


def test_a_verdict_that_was_turned_green_by_hand_is_listed_as_missing(lab: Lab, shell: Shell) -> None:
    path = lab.lake.gate("evidence", DAY)
    path.write_text(path.read_text().replace('"passed": false', '"passed": true'))
    found = {row["gate"]: row for row in listed(shell, "--day", DAY)["gates"]}
    assert set(found) == {f"evidence/{check}" for check in REQUIRED["evidence"]}
    assert (found[f"evidence/{CHECK}"]["state"], found[f"evidence/{CHECK}"]["what"]) == ("missing", MISSING)
    assert "lets the gates look again" in shell("list")[1]


@pytest.mark.parametrize("asset", ["sft_export", "audit_baseline"])
def test_a_damaged_file_of_verdicts_is_listed_and_stops_nothing(lab: Lab, shell: Shell, asset: str) -> None:
    lab.lake.gate(asset).write_text("{")
    rows = [row for row in listed(shell)["gates"] if row["gate"].startswith(asset)]
    assert {row["state"] for row in rows} == {"missing"}


def test_a_verdict_on_other_data_is_listed_as_stale(lab: Lab, shell: Shell) -> None:
    one = read_verdicts(lab.lake, "scored_runs", DAY)["one_verdict_each"]
    one.input_sha256 = "0" * 64
    record(lab.lake, "scored_runs", DAY, one)
    assert ("stale", "scored_runs/one_verdict_each") in {
        (row["state"], row["gate"]) for row in listed(shell, "--day", DAY)["gates"]
    }


def test_a_published_file_that_changed_makes_its_gates_stale(lab: Lab, shell: Shell) -> None:
    path = lab.lake.sft / "sft_export.jsonl"
    path.write_bytes(path.read_bytes().replace(b"a1", b"a2"))
    states = {row["gate"]: row["state"] for row in listed(shell, "--all")["gates"] if row["gate"].startswith("sft")}
    assert states["sft_export/contamination_firewall"] == states["sft_export/contract"] == "stale"
    assert "lakehouse distill --day" in shell("list")[1]


def test_a_torn_line_of_the_log_of_waivers_is_told(lab: Lab, shell: Shell) -> None:
    lab.write("gate_waivers", b'{"asset": "evi', end=b"")
    assert "line 1 of " in shell("list")[1]
    assert listed(shell)["waiver_lines_refused"] == [1]


def test_a_waiver_is_taken_back(lab: Lab, shell: Shell) -> None:
    shell("waive", CHECK, "--day", DAY, "--reason", "a test client")
    code, out, _ = shell("withdraw", CHECK, "--day", DAY, "--reason", "it was real")
    assert code == 0
    # A run of the day itself would stop at its gate, before what is published is made anew.
    assert "Next: lakehouse distill --lake data\n" in out
    assert why_held(lab.lake, DAY) is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("waive", "receipt_balances", "--day", DAY, "--reason", "x"), "is green"),
        (("waive", "no_such_gate", "--day", DAY, "--reason", "x"), "lakehouse gates list --all"),
        (("waive", CHECK, "--day", "2026-06-01", "--reason", "x"), "has looked at 2026-06-01"),
        (("waive", CHECK, "--day", "yesterday", "--reason", "x"), "is no day"),
        (("waive", CHECK, "--day", DAY, "--reason", " "), "who gives it and why"),
        (("waive", CHECK, "--day", "2026-02-30", "--reason", "x"), "is no day"),
        (("waive", CHECK, "--day", "20260501", "--reason", "x"), "is no day"),
        (("waive", "contamination_firewall", "--day", DAY, "--reason", "x"), "nobody can waive it"),
        (("waive", "verdict_balance", "--day", DAY, "--reason", "x"), "only warns, it holds nothing back"),
        (("withdraw", CHECK, "--day", DAY, "--reason", "x"), "no waiver"),
        (("withdraw", CHECK, "--day", "yesterday", "--reason", "x"), "is no day"),
        (("withdraw", "contamination_firewall", "--day", DAY, "--reason", "x"), "nobody can waive it"),
        (("list", "--day", "2026-13-01"), "is no day"),
    ],
)
def test_what_cannot_be_done_says_why(lab: Lab, shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = shell(*arguments)
    assert code == 2
    assert said in err.replace("\n", "")
    assert why_held(lab.lake, DAY) is not None
