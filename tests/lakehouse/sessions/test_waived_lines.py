"""A person lets single lines of the log pass: those and no others, as long as they are as they were."""

from __future__ import annotations

import json
import re
from hashlib import sha256

import pytest

from lakehouse.errors import UsageError
from lakehouse.gates.session_waivers import waive_line, withdraw_line
from lakehouse.gates.sessions import accepted_fills_grounded, input_of
from lakehouse.gates.verdicts import read_verdicts
from lakehouse.gates.waivers import log_path, read_waivers
from lakehouse.jsonl import encode
from lakehouse.records import GateWaiver, Verdict
from tests.lakehouse.sessions.conftest import Book, session

NOW = "2026-05-10T12:00:00.000Z"
BAD = session(session_id="s-bad", grounded_in_roster=False, daemon="gateway")


def waive(book: Book, line: int, by: str = "ann", reason: str = "looked up by hand") -> Verdict:
    return waive_line(book.lake, line, by=by, reason=reason, at=NOW)[1]


def withdraw(book: Book, line: int) -> Verdict:
    return withdraw_line(book.lake, line, by="bob", reason="it was wrong", at=NOW)[1]


def lines(found: Verdict) -> list[int]:
    return [one["line"] for one in found.offenders]


def test_a_waived_line_is_no_alarm_and_is_counted_with_who_let_it_pass(book: Book) -> None:
    book.write(session(), BAD, session())
    assert not accepted_fills_grounded(book.lake, NOW).passed
    found = waive(book, 2)
    assert (found.passed, found.rows_checked, found.offenders) == (True, 3, [])
    assert found.summary.endswith("; 1 waived by ann")
    assert found.tables == {
        "waived": [
            {
                "line": 2,
                "session_id": "s-bad",
                "why": "grounded_in_roster is false",
                "by": "ann",
                "reason": "looked up by hand",
                "at": NOW,
            }
        ]
    }


def test_the_verdict_after_it_is_kept_at_once(book: Book) -> None:
    book.write(BAD)
    for change in (waive, withdraw):
        found = change(book, 1)
        assert read_verdicts(book.lake, "session_audit") == {"accepted_fills_grounded": found}


def test_the_waiver_names_the_line_and_the_hash_of_its_bytes(book: Book) -> None:
    book.write(session(), BAD)
    row, _ = waive_line(book.lake, 2, by="ann", reason="by hand", at=NOW)
    assert row == GateWaiver(
        asset="session_audit",
        partition="line 2",
        check="accepted_fills_grounded",
        input_sha256=sha256(encode(BAD) + b"\n").hexdigest(),
        by="ann",
        reason="by hand",
        at=NOW,
        withdrawn=False,
    )
    assert [json.loads(line) for line in log_path(book.lake).read_bytes().splitlines()] == [json.loads(encode(row))]


def test_every_other_line_still_alarms_one_with_the_same_bytes_too(book: Book) -> None:
    book.write(BAD, session(), BAD, session(session_id="s-bad", grounded_in_roster=None))
    found = waive(book, 1)
    assert (found.passed, lines(found)) == (False, [3, 4])
    assert found.summary == "2 of 4 accepted fills are not grounded in the roster; 1 waived by ann"
    assert lines(waive(book, 4, by="bob")) == [3]
    found = waive(book, 3)
    assert (found.passed, found.summary[-22:]) == (True, "; 3 waived by ann, bob")


def test_a_line_that_comes_later_alarms(book: Book) -> None:
    book.write(BAD)
    waive(book, 1)
    book.write(BAD)
    assert lines(accepted_fills_grounded(book.lake, NOW)) == [2]


def test_a_waived_line_that_was_changed_alarms_again(book: Book) -> None:
    book.write(BAD)
    waive(book, 1)
    book.path.write_bytes(book.path.read_bytes().replace(b"two welders", b"ten welders"))
    assert lines(accepted_fills_grounded(book.lake, NOW)) == [1]


def test_a_line_after_an_empty_one_has_the_number_that_the_alarm_names(book: Book) -> None:
    book.write(b"", BAD)
    assert lines(accepted_fills_grounded(book.lake, NOW)) == [2]
    assert waive(book, 2).passed


def test_a_waiver_is_taken_back_and_the_line_alarms_again(book: Book) -> None:
    book.write(BAD)
    waive(book, 1)
    found = withdraw(book, 1)
    assert (found.passed, lines(found), found.tables) == (False, [1], None)
    with pytest.raises(UsageError, match="no waiver of accepted_fills_grounded of line 1 stands"):
        withdraw(book, 1)
    assert waive(book, 1).passed


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 99])
def test_only_a_line_that_alarms_can_be_waived(book: Book, number: int) -> None:
    book.write(session(), session(kind="sms"), b"no json", b"", session("validation_failed"))
    book.write(BAD, end=b"")
    with pytest.raises(UsageError, match="does not go off over this line") as refused:
        waive(book, number)
    assert refused.value.where == f"_kb/sessions.jsonl:{number}"
    assert not log_path(book.lake).exists()


@pytest.mark.parametrize(("by", "reason"), [(" ", "x"), ("ann", "")])
def test_a_waiver_says_who_and_why(book: Book, by: str, reason: str) -> None:
    book.write(BAD)
    with pytest.raises(UsageError, match="who gives it and why"):
        waive(book, 1, by, reason)
    assert not log_path(book.lake).exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"check": "sessions_readable"},
        {"asset": "evidence"},
        {"partition": "line 01"},
        {"partition": "line"},
        {"partition": "s-bad"},
        {"input_sha256": ""},
        {"withdrawn": True},
    ],
)
def test_a_word_on_something_else_lets_no_line_pass(book: Book, changes: dict[str, object]) -> None:
    book.write(BAD)
    waive(book, 1)
    row = json.loads(log_path(book.lake).read_bytes())
    log_path(book.lake).write_text(json.dumps({**row, **changes}) + "\n")
    assert read_waivers(book.lake)[1] == []
    assert not accepted_fills_grounded(book.lake, NOW).passed


def test_what_the_alarm_looked_at_is_the_log_and_the_waivers_that_stand(book: Book) -> None:
    book.write(BAD)
    seen = [input_of(book.lake)]
    for change in (waive, withdraw, waive):
        found = change(book, 1)
        seen.append(found.input_sha256)
        assert found.input_sha256 == input_of(book.lake)
    assert (seen[0], seen[1]) == (seen[2], seen[3])
    assert seen[0] != seen[1]
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in seen)
