"""The gates on the log of sessions: each is shown what it must catch."""

from __future__ import annotations

import json
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.files import sha256_of
from lakehouse.gates.sessions import SESSION_GATES, accepted_fills_grounded, input_of, sessions_readable
from lakehouse.jsonl import encode
from lakehouse.records import SessionRecord
from lakehouse.sessions.page import write_page
from tests.lakehouse.sessions.conftest import Book, session

NOW = "2026-05-10T12:00:00.000Z"
BAD, PROSE, GOOD, OUT = "validation_failed", "no_json", "accepted", "infra_error"


def loose(**changes: Any) -> bytes:
    """A line of another runtime, with what the types of ours would not take."""
    return msgspec.json.encode({**msgspec.to_builtins(session(daemon="gateway")), **changes})


class TestGrounded:
    @pytest.mark.parametrize(
        ("line", "says"),
        [
            (session(grounded_in_roster=False), "grounded_in_roster is false"),
            (session(grounded_in_roster=None), "grounded_in_roster is absent"),
            (session(grounded_in_roster=None, daemon="gateway"), "of gateway: grounded_in_roster is absent"),
            (loose(grounded_in_roster=None), "grounded_in_roster is null"),
            (loose(grounded_in_roster="true"), "grounded_in_roster is true"),
            (loose(grounded_in_roster=1), "grounded_in_roster is 1"),
            (loose(grounded_in_roster=False, duration_ms="long", attempts={}, schema="x"), "is false"),
            (loose(grounded_in_roster=False, kind="Fill", verdict=" ACCEPTED"), "is false"),
            (loose(grounded_in_roster=False, session_id=None), "session null"),
            (loose(grounded_in_roster=False).replace(b"two welders", rb"half \ud83d"), "is false"),
            (loose(grounded_in_roster=False).replace(b'"duration_ms":9', b'"duration_ms":NaN'), "is false"),
            (loose(grounded_in_roster=False).replace(b"two welders", b"\x00\xff"), "is false"),
            (loose(grounded_in_roster=[rb"x"]).replace(b'"eA=="', rb'"\udc00"'), r'is ["\udc00"]'),
            (loose(grounded_in_roster=False).replace(b'"session_id":"', rb'"session_id":"\ud800'), "session ?18ab"),
        ],
    )
    def test_an_accepted_fill_that_is_not_grounded_is_red_and_named(
        self, book: Book, line: SessionRecord | bytes, says: str
    ) -> None:
        book.write(session(), line, session())
        found = accepted_fills_grounded(book.lake, NOW)
        assert (found.passed, found.severity, found.rows_checked) == (False, "ERROR", 3)
        assert [(one["file"], one["line"]) for one in found.offenders] == [("_kb/sessions.jsonl", 2)]
        assert says in found.offenders[0]["why"]

    def test_grounded_ones_and_those_that_are_no_accepted_fills_pass(self, book: Book) -> None:
        book.write(
            session(), session(kind="sms"), session(BAD), session(OUT, grounded_in_roster=False), session(PROSE, GOOD)
        )
        found = accepted_fills_grounded(book.lake, NOW)
        assert (found.passed, found.rows_checked, found.offenders) == (True, 2, [])

    def test_with_nothing_to_look_at_it_says_so(self, book: Book) -> None:
        for _ in range(2):
            found = accepted_fills_grounded(book.lake, NOW)
            assert (found.passed, found.rows_checked) == (True, 0)
            assert "nothing to look at" in found.summary
            book.write(session(kind="sms"))

    def test_a_line_that_cannot_be_looked_at_is_said(self, book: Book) -> None:
        book.write(session(), b"no json")
        assert "1 lines are no JSON" in accepted_fills_grounded(book.lake, NOW).summary

    def test_a_torn_last_line_is_not_there_yet(self, book: Book) -> None:
        book.write(session(), session(grounded_in_roster=False), end=b"")
        assert accepted_fills_grounded(book.lake, NOW).passed

    def test_of_very_many_offenders_a_hundred_are_named_and_all_are_counted(self, book: Book) -> None:
        book.write(*[session(grounded_in_roster=False)] * 150)
        found = accepted_fills_grounded(book.lake, NOW)
        assert (len(found.offenders), found.rows_checked) == (100, 150)
        assert found.summary.startswith("150 of 150")


class TestReadable:
    @pytest.mark.parametrize(
        ("line", "says"),
        [
            (b"no json", "this is no session record"),
            (b"[1]", "this is no session record"),
            (session(session_id=""), "session_id is empty"),
            (loose(session_id=" "), "session_id is empty"),
            (loose(session_id=None, duration_ms="x"), "session_id is empty or absent"),
            (loose(schema="session.iterate.v9"), "the schema is session.iterate.v9"),
            (loose(daemon="lakehouse", duration_ms="long"), "$.duration_ms"),
            (loose(daemon="", duration_ms="long"), "$.duration_ms"),
            (loose(daemon=None), "$.daemon"),
            (session(iterations=2), "iterations is 2, and there are 1 attempts"),
            (session(daemon="gateway", iterations=0), "iterations is 0"),
            (session(BAD, verdict="accepted", artifact={}), "the verdict is accepted, and that of the last attempt"),
            (session(verdict="max_iter_exhausted"), "the verdict is max_iter_exhausted"),
            (session(verdict="infra_error"), "the verdict is infra_error"),
            (session(BAD, verdict="infra_error"), "that of the last attempt validation_failed"),
            (session(BAD, BAD, max_iterations=3), "max_iter_exhausted after 2 of 3"),
            (session(OUT, verdict="max_iter_exhausted", max_iterations=1), "the last infra_error"),
            (session(BAD, GOOD, max_iterations=1), "2 attempts, and at most 1 were allowed"),
            (session(GOOD, GOOD), "it went on after an accepted attempt"),
            (session(OUT, GOOD), "it went on after a failure outside"),
            (session(artifact=None), "accepted without an artifact"),
            (
                session(attempts=[{"iteration": 1, "verdict": GOOD, "latency_ms": 1}]),
                "the attempts are not counted from 0",
            ),
            (session(timestamp="soon"), "timestamp: 'soon'"),
        ],
    )
    def test_a_line_that_is_no_session_or_contradicts_itself_is_a_warning_with_its_place(
        self, book: Book, line: SessionRecord | bytes, says: str
    ) -> None:
        book.write(session(), line)
        found = sessions_readable(book.lake, NOW)
        assert (found.passed, found.severity, found.rows_checked) == (False, "WARN", 2)
        assert [one["line"] for one in found.offenders] == [2]
        assert says in found.offenders[0]["why"]

    def test_sessions_of_every_kind_of_end_pass(self, book: Book) -> None:
        book.write(session(), session(BAD, PROSE, GOOD), session(BAD, BAD), session(OUT), session(BAD, OUT))
        found = sessions_readable(book.lake, NOW)
        assert (found.passed, found.rows_checked) == (True, 5)

    def test_a_line_of_another_daemon_may_have_types_of_its_own(self, book: Book) -> None:
        book.write(loose(duration_ms=1.5, attempts=None))
        found = sessions_readable(book.lake, NOW)
        assert found.passed
        assert "1 of other daemons have fields of other types" in found.summary

    def test_without_a_log_there_is_nothing_to_look_at(self, book: Book) -> None:
        found = sessions_readable(book.lake, NOW)
        assert (found.passed, found.rows_checked, "nothing to look at" in found.summary) == (True, 0, True)


@pytest.mark.parametrize("gate", SESSION_GATES, ids=lambda gate: gate.name)
def test_a_verdict_names_the_bytes_that_were_looked_at(book: Book, gate: Any) -> None:
    assert gate.look(book.lake, NOW).input_sha256 == input_of(book.lake, gate.name) == sha256(b"").hexdigest()
    book.write(session(), b"", encode(session())[:20], end=b"")
    found = gate.look(book.lake, NOW)
    assert (found.check, found.input_sha256) == (gate.name, sha256_of(book.path))
    assert input_of(book.lake, gate.name) == found.input_sha256


FIELD = st.sampled_from(["schema", "session_id", "daemon", "kind", "verdict", "grounded_in_roster", "attempts", "x"])
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
LINE = st.one_of(
    st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b"")),
    st.dictionaries(FIELD, VALUE).map(lambda changes: json.dumps(msgspec.to_builtins(session()) | changes).encode()),
)


@given(st.lists(LINE, max_size=6))
def test_whatever_a_log_holds_every_look_gives_a_verdict_that_can_be_written(raw: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        book = Book(Path(folder) / "lake")
        book.write(*raw)
        for gate in SESSION_GATES:
            found = gate.look(book.lake, NOW)
            assert msgspec.json.encode(found)
            assert found.passed is not bool(found.offenders)
        write_page(book.lake, Path(folder), NOW)


def test_what_blocks_is_an_error_and_what_does_not_warns(book: Book) -> None:
    assert {gate.name: (gate.blocks, gate.look(book.lake, NOW).severity) for gate in SESSION_GATES} == {
        "accepted_fills_grounded": (True, "ERROR"),
        "accepted_fills_known": (False, "WARN"),
        "sessions_readable": (False, "WARN"),
    }
