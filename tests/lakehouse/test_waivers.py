"""A person may let a red day go on: for the data as it is, on record, and not past every gate."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from lakehouse.errors import GateFailed, UsageError
from lakehouse.gates.verdicts import REQUIRED_OF_EXPORTS, read_verdicts, record, why_held
from lakehouse.gates.waivers import WAIVABLE, log_path, read_waivers, waive, withdraw
from lakehouse.publish.exports import SFT
from lakehouse.publish.sft import asked
from lakehouse.publish.state import due
from lakehouse.records import Verdict
from lakehouse.release import store
from lakehouse.release.make import unnamed_waivers
from lakehouse.summary import summarize
from tests.lakehouse.releasing import publish_all, release

DAY, NEXT = "2026-05-01", "2026-05-02"
NOW = "2026-05-10T02:00:00.000Z"
CHECK = "provenance_resolves"


def run(n: int, day: str = DAY, **more: Any) -> dict[str, Any]:
    base = {"run_id": f"r{n}", "task_id": "t", "prompt": "p", "response": f"a{n}", "passed": True}
    return {**base, "ts": f"{day}T10:00:00Z", **more}


@pytest.fixture
def lab(lab: Any) -> Any:
    """A lake of two published days."""
    lab.write("agent_runs", run(1), run(2, passed=False), run(3, NEXT))
    publish_all(lab)
    return lab


def turn_red(lab: Any, check: str = CHECK, asset: str = "evidence") -> Verdict:
    one = read_verdicts(lab.lake, asset, NEXT)[check]
    one.passed, one.severity, one.summary = False, "ERROR", "a row is wrong"
    return record(lab.lake, asset, NEXT, one)


def waived(lab: Any, one: Verdict, **more: Any) -> Any:
    return waive(lab.lake, "evidence", NEXT, one, **{"by": "ann", "reason": "a test client", "at": NOW, **more})


def test_a_waived_day_is_held_no_more_and_published(lab: Any) -> None:
    one = turn_red(lab)
    assert "red" in (why_held(lab.lake, NEXT) or "")
    assert NEXT in lab.publish().held_days
    waived(lab, one)
    assert why_held(lab.lake, NEXT) is None
    assert lab.publish().held_days == {}
    assert {row["source_run_id"] for row in lab.published()} == {"r1", "r3"}


def test_a_waiver_speaks_of_the_data_as_it_was(lab: Any) -> None:
    one = turn_red(lab)
    waived(lab, one)
    one.input_sha256 = "f" * 64
    record(lab.lake, "evidence", NEXT, one)
    assert why_held(lab.lake, NEXT) is not None


def test_a_waiver_is_taken_back(lab: Any) -> None:
    one = turn_red(lab)
    waived(lab, one)
    withdraw(lab.lake, "evidence", NEXT, one, by="bob", reason="the client was real", at=NOW)
    assert "red" in (why_held(lab.lake, NEXT) or "")
    assert [json.loads(line)["withdrawn"] for line in log_path(lab.lake).read_bytes().splitlines()] == [False, True]


def test_a_waiver_that_does_not_stand_cannot_be_taken_back(lab: Any) -> None:
    with pytest.raises(UsageError, match="no waiver of evidence/provenance_resolves"):
        withdraw(lab.lake, "evidence", NEXT, turn_red(lab), by="bob", reason="why not", at=NOW)


@pytest.mark.parametrize(
    ("check", "asset"),
    [("receipt_balances", "evidence"), ("one_verdict_each", "scored_runs"), ("receipt_balances", "sft_samples")],
)
def test_that_bytes_are_what_was_written_nobody_waives(lab: Any, check: str, asset: str) -> None:
    one = turn_red(lab, check, asset)
    with pytest.raises(UsageError, match=f"{check} cannot be waived"):
        waive(lab.lake, asset, NEXT, one, by="ann", reason="in a hurry", at=NOW)
    # Nor by a line written by hand.
    row = {
        "asset": asset,
        "partition": NEXT,
        "check": check,
        "input_sha256": one.input_sha256,
        "by": "x",
        "reason": "y",
    }
    lab.write("gate_waivers", {**row, "at": NOW, "withdrawn": False})
    assert why_held(lab.lake, NEXT) is not None


def test_what_guards_an_export_cannot_be_waived() -> None:
    guards = {check for checks in REQUIRED_OF_EXPORTS.values() for check in checks}
    assert not WAIVABLE & (guards - {"contract"})


@pytest.mark.parametrize(("field", "value"), [("by", " "), ("reason", "")])
def test_a_waiver_says_who_and_why(lab: Any, field: str, value: str) -> None:
    with pytest.raises(UsageError, match="who gives it and why"):
        waived(lab, turn_red(lab), **{field: value})
    assert not log_path(lab.lake).exists()


def test_a_green_gate_needs_no_waiver(lab: Any) -> None:
    with pytest.raises(UsageError, match="is green"):
        waived(lab, read_verdicts(lab.lake, "evidence", NEXT)[CHECK])


def test_a_damaged_line_lets_nothing_through_and_is_named(lab: Any) -> None:
    one = turn_red(lab)
    lab.write("gate_waivers", b"{not json", b'{"asset": 3}')
    assert read_waivers(lab.lake) == ({}, [1, 2])
    assert why_held(lab.lake, NEXT) is not None
    waived(lab, one)
    lab.write("gate_waivers", b'{"asset": "evi', end=b"")
    assert why_held(lab.lake, NEXT) is None
    assert read_waivers(lab.lake)[1] == [1, 2, 4]


def test_a_waiver_after_a_torn_line_is_a_line_of_its_own(lab: Any) -> None:
    one = turn_red(lab)
    lab.write("gate_waivers", b'{"asset": "evi', end=b"")
    assert read_waivers(lab.lake) == ({}, [1])
    waived(lab, one)
    assert why_held(lab.lake, NEXT) is None
    assert read_waivers(lab.lake)[1] == [1]


def test_a_gate_that_only_warns_needs_no_waiver(lab: Any) -> None:
    one = read_verdicts(lab.lake, "evidence", NEXT)[CHECK]
    one.passed, one.severity = False, "WARN"
    with pytest.raises(UsageError, match="only warns, it holds nothing back"):
        waived(lab, record(lab.lake, "evidence", NEXT, one))


def test_a_gate_that_could_not_look_has_no_data_to_waive(lab: Any) -> None:
    one = turn_red(lab)
    one.input_sha256 = ""
    with pytest.raises(UsageError, match="could not look"):
        waived(lab, record(lab.lake, "evidence", NEXT, one))
    assert "red, a row is wrong" in (why_held(lab.lake, NEXT) or "")


def due_days(lab: Any) -> list[str]:
    return list(due(lab.lake, SFT, NEXT, asked(lab.lake, False)))


def test_a_day_that_no_gate_holds_stands_for_the_publication_of_a_waived_one(lab: Any) -> None:
    """The run of a held day stops at its gate before anything is published."""
    for day in (DAY, NEXT):
        one = read_verdicts(lab.lake, "evidence", day)[CHECK]
        record(lab.lake, "evidence", day, msgspec.structs.replace(one, passed=False, summary="a row is wrong"))
    lab.publish()
    assert due_days(lab) == []
    waive(lab.lake, "evidence", DAY, read_verdicts(lab.lake, "evidence", DAY)[CHECK], by="a", reason="b", at=NOW)
    assert due_days(lab) == [DAY]
    lab.publish()
    assert due_days(lab) == []
    # Nobody is left whose run would get as far: the newest is tried.
    withdraw(lab.lake, "evidence", DAY, read_verdicts(lab.lake, "evidence", DAY)[CHECK], by="a", reason="b", at=NOW)
    assert due_days(lab) == [NEXT]


def test_a_withdrawn_day_is_taken_out_by_the_run_of_another(lab: Any) -> None:
    one = turn_red(lab)
    waived(lab, one)
    lab.publish()
    withdraw(lab.lake, "evidence", NEXT, one, by="bob", reason="it was real", at=NOW)
    assert due_days(lab) == [DAY]


def test_a_day_that_a_gate_cannot_look_at_is_tried_again_and_keeps_no_other_back(lab: Any) -> None:
    one = turn_red(lab)
    one.input_sha256 = ""
    record(lab.lake, "evidence", NEXT, one)
    assert due_days(lab) == [DAY, NEXT]
    lab.publish()
    assert due_days(lab) == [NEXT]


def test_a_release_of_equal_data_says_which_waivers_it_does_not_name(lab: Any) -> None:
    made = release(lab)
    assert unnamed_waivers(lab.lake, made) == []
    row = waived(lab, turn_red(lab))
    lab.publish()
    assert release(lab).release_hash == made.release_hash
    assert unnamed_waivers(lab.lake, made) == [row]


def test_a_release_refuses_until_the_red_day_is_waived_and_names_who_did(lab: Any) -> None:
    one = turn_red(lab)
    with pytest.raises(GateFailed) as refused:
        release(lab)
    assert f"lakehouse gates waive {CHECK} --day {NEXT}" in str(refused.value)
    waived(lab, one)
    made = release(lab)
    signed = store.read_signed(lab.lake, made.release_hash)
    assert signed is not None
    on_record = [found.waiver for found in signed.verdicts if found.waiver is not None]
    assert [(row.by, row.reason, row.check, row.partition) for row in on_record] == [
        ("ann", "a test client", CHECK, NEXT)
    ]


def test_the_summary_of_a_run_counts_a_waived_gate_as_a_warning(lab: Any) -> None:
    one = turn_red(lab)
    red = summarize(lab.lake, lab.run("red"), [NEXT])
    assert red.failed_gates == [f"evidence/{NEXT}/{CHECK}"]
    assert NEXT in red.held_days
    waived(lab, one)
    found = summarize(lab.lake, lab.run("waived"), [NEXT])
    assert (found.failed_gates, found.checks.failed, found.checks.warned) == ([], 0, red.checks.warned + 1)
    assert found.held_days == {}
