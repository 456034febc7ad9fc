"""`lakehouse gates`: what is not green is listed, and a person's word on it is written down."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lakehouse.gates.replays import replays_hold
from lakehouse.gates.sessions import SESSION_GATES
from lakehouse.gates.subjects import chains_verify
from lakehouse.gates.verdicts import MISSING, REQUIRED, STALE, read_verdicts, record, why_held
from lakehouse.subjects.keys import new_key
from lakehouse.subjects.places import create, open_subjects
from tests.lakehouse.conftest import Lab
from tests.lakehouse.releasing import publish_all
from tests.lakehouse_dagster.conftest import Shell

DAY = "2026-05-01"
CHECK = "provenance_resolves"
ALARM = "accepted_fills_grounded"
GOOD: dict[str, Any] = {
    "schema": "session.iterate.v1",
    "session_id": "s",
    "daemon": "gateway",
    "kind": "fill",
    "verdict": "accepted",
}
GOOD |= {"grounded_in_roster": True, "artifact": {"fills": [{"worker_id": "w-1"}]}}
BAD = {**GOOD, "session_id": "t", "grounded_in_roster": False}


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


def look_at_sessions(lab: Lab) -> None:
    """What `lakehouse audit` does of it."""
    (lab.lake.raw / "workers.csv").write_text("id,name,role,city,state\nw-1,Ann,Welder,Flint,MI\n")
    for gate in SESSION_GATES:
        record(lab.lake, "session_audit", None, gate.look(lab.lake, "2026-05-10T12:00:00.000Z"))


def of_the_lake(shell: Shell, asset: str = "session_audit") -> dict[str, str]:
    rows = listed(shell, "--all")["gates"]
    return {row["gate"].partition("/")[2]: row["state"] for row in rows if row["gate"].startswith(asset)}


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
        (("waive", CHECK, "--reason", "x"), "there is no day"),
        (("waive", CHECK, "--line", "2", "--reason", "x"), "looks at days, and at no line"),
        (("waive", CHECK, "--line", "2", "--day", DAY, "--reason", "x"), "looks at days, and at no line"),
        (("waive", ALARM, "--day", DAY, "--reason", "x"), "at no day"),
        (("waive", ALARM, "--reason", "x"), "gates waive accepted_fills_grounded --line"),
        (("waive", ALARM, "--line", "1", "--reason", "x"), "does not go off over this line"),
        (("waive", "accepted_fills_known", "--line", "1", "--reason", "x"), "only warns, it holds nothing back"),
        (("withdraw", ALARM, "--line", "2", "--reason", "x"), "no waiver"),
        (("withdraw", ALARM, "--day", DAY, "--reason", "x"), "at no day"),
        (("list", "--day", "2026-13-01"), "is no day"),
    ],
)
def test_what_cannot_be_done_says_why(lab: Lab, shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    lab.write("sessions", GOOD)
    look_at_sessions(lab)
    code, _, err = shell(*arguments)
    assert code == 2
    assert said in err.replace("\n", "")
    assert why_held(lab.lake, DAY) is not None


def test_a_line_over_which_the_alarm_goes_off_is_waived_and_the_gate_looks_again(lab: Lab, shell: Shell) -> None:
    lab.write("sessions", GOOD, BAD)
    look_at_sessions(lab)
    assert of_the_lake(shell)[ALARM] == "red"
    assert "docs/gates.md" in shell("list")[1]
    code, out, _ = shell("waive", ALARM, "--line", "2", "--reason", "looked up by hand", "--by", "ann")
    assert code == 0
    assert "of line 2 waived, says ann: looked up by hand" in out
    assert "looked again and is green: 0 of 2 accepted fills are not grounded in the roster; 1 waived by ann" in out
    states = of_the_lake(shell)
    assert (states[ALARM], states["accepted_fills_known"], states["sessions_readable"]) == ("waived", "green", "green")
    assert "line 2 by ann: looked up by hand" in shell("list")[1]
    (row,) = (row for row in listed(shell)["gates"] if row["gate"].endswith(ALARM))
    assert [(one["line"], one["session_id"], one["by"]) for one in row["waived_lines"]] == [(2, "t", "ann")]


def test_another_line_stays_red_and_a_withdrawn_one_is_red_again(lab: Lab, shell: Shell) -> None:
    lab.write("sessions", BAD, BAD)
    look_at_sessions(lab)
    done = shell("waive", ALARM, "--line", "1", "--reason", "x", "--json")
    assert (done.code, done.json["waiver"]["partition"], done.json["verdict"]["passed"]) == (0, "line 1", False)
    assert [one["line"] for one in done.json["verdict"]["offenders"]] == [2]
    done = shell("withdraw", ALARM, "--line", "1", "--reason", "y")
    assert (done.code, "looked again and is red: 2 of 2" in done.out) == (0, True)


def test_verdicts_on_a_log_of_sessions_that_grew_are_stale_until_an_audit(lab: Lab, shell: Shell) -> None:
    lab.write("sessions", GOOD)
    look_at_sessions(lab)
    assert set(of_the_lake(shell).values()) == {"green"}
    lab.write("sessions", {**GOOD, "session_id": "u"})
    assert set(of_the_lake(shell).values()) == {"stale"}
    out = shell("list")[1]
    assert "`lakehouse audit` looks again" in out
    assert "publishes anew" not in out
    look_at_sessions(lab)
    assert set(of_the_lake(shell).values()) == {"green"}


def test_a_red_verdict_on_a_log_that_changed_stays_red_and_says_so(lab: Lab, shell: Shell) -> None:
    path = lab.write("sessions", BAD)
    look_at_sessions(lab)
    path.unlink()
    (row,) = (row for row in listed(shell)["gates"] if row["gate"].endswith(ALARM))
    assert (row["state"], row["what"].endswith(STALE)) == ("red", True)


def test_verdicts_on_logs_of_subjects_are_stale_where_one_ends_otherwise(lab: Lab, shell: Shell) -> None:
    subjects = open_subjects(lab.lake, lab.root.parent / "keys", lab.root.parent / "anchors")
    new_key(subjects.keys.folder, "k1", bytes)
    more: dict[str, Any] = {
        "kind": "worker",
        "retention": "P7Y",
        "key_id": "k1",
        "datasets": ["workers"],
        "now": f"{DAY}T10:00:00.000Z",
    }
    create(subjects, "WORKER-1", **more)
    found = chains_verify(lab.lake, more["now"], subjects.keys.folder, subjects.anchors)
    record(lab.lake, "subject_audit", None, found)
    assert of_the_lake(shell, "subject_audit") == {"chains_verify": "green"}
    create(subjects, "WORKER-2", **more)
    assert of_the_lake(shell, "subject_audit") == {"chains_verify": "stale"}


def test_who_leaves_the_roster_makes_the_look_at_it_stale(lab: Lab, shell: Shell) -> None:
    lab.write("sessions", GOOD)
    look_at_sessions(lab)
    (lab.lake.raw / "workers.csv").unlink()
    states = of_the_lake(shell)
    assert (states["accepted_fills_known"], states[ALARM]) == ("stale", "green")


def test_a_log_that_cannot_be_read_makes_its_verdicts_stale(lab: Lab, shell: Shell) -> None:
    look_at_sessions(lab)
    lab.lake.sessions.mkdir()
    assert set(of_the_lake(shell).values()) == {"stale"}


def test_a_verdict_on_replays_that_were_made_anew_is_stale(lab: Lab, shell: Shell) -> None:
    found = replays_hold(lab.lake, "2026-05-10T12:00:00.000Z")
    record(lab.lake, "replay_report", None, found)
    assert of_the_lake(shell, "replay_report") == {"replays_hold": "warning"}
    (lab.lake.root / "index" / "replays.json").write_text("{}")
    assert of_the_lake(shell, "replay_report") == {"replays_hold": "stale"}
    assert "`lakehouse replay` looks again" in shell("list")[1]


@pytest.mark.parametrize(("bad", "more"), [(5, ""), (7, "and 2 more"), (150, "and at least 95 more")])
def test_five_rows_that_offend_are_named_and_how_many_more_there_are(
    lab: Lab, shell: Shell, bad: int, more: str
) -> None:
    lab.write("sessions", *[BAD] * bad)
    look_at_sessions(lab)
    out = shell("list")[1]
    assert [number for number in range(1, 9) if f"sessions.jsonl:{number} " in out] == [1, 2, 3, 4, 5]
    assert (more in out, "more" in out) == (True, bool(more))
    (row,) = (row for row in listed(shell)["gates"] if row["gate"].endswith(ALARM))
    assert len(row["offenders"]) == min(bad, 100)
