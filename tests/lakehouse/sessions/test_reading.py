"""Reading the log: usable lines, refused ones by line and reason, what other runtimes write."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.errors import OutsideFailure
from lakehouse.jsonl import encode
from lakehouse.sessions import Refused, sessions
from tests.lakehouse.sessions.conftest import Book, session


def test_lines_come_in_order_with_their_numbers(book: Book) -> None:
    book.write(session(session_id="a"), b"", session(session_id="b"))
    assert [(one.line, one.record.session_id) for one in sessions(book.path, pytest.fail)] == [(1, "a"), (3, "b")]


def test_without_a_file_there_is_no_session(tmp_path: Path) -> None:
    assert list(sessions(tmp_path / "none.jsonl", pytest.fail)) == []


def test_further_keys_of_other_runtimes_are_left_aside_and_left_alone(book: Book) -> None:
    line = encode(session(daemon="gateway"))[:-1] + b',"runtime":{"v":1}}'
    book.write(line)
    (one,) = sessions(book.path, pytest.fail)
    assert one.record == session(daemon="gateway")
    assert book.path.read_bytes() == line + b"\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"no json", "this is no session record"),
        (b"[]", "this is no session record"),
        (b"\xff\xfe", "this is no session record"),
        (b"[" * 100_000, "this is no session record"),
        (encode(session()).replace(b"session.iterate.v1", b"session.iterate.v2"), "Invalid enum value"),
        (encode(session()).replace(b'"iterations":1', b'"iterations":"1"'), "$.iterations"),
        (encode(session(session_id="")), "session_id is empty"),
        (encode(session(timestamp="soon")), "timestamp: 'soon' is no RFC 3339 time"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_and_its_neighbours_go_on(book: Book, line: bytes, says: str) -> None:
    book.write(session(session_id="a"), line, session(session_id="b"))
    refused: list[Refused] = []
    assert [one.record.session_id for one in sessions(book.path, refused.append)] == ["a", "b"]
    assert [one.line for one in refused] == [2]
    assert says in refused[0].reason


@pytest.mark.parametrize("stamp", ["2026-05-02T23:30:00-02:00", "2026-05-03T01:30:00.123456789Z"])
def test_stamps_of_any_offset_and_precision_have_their_day_in_utc(book: Book, stamp: str) -> None:
    book.write(session(timestamp=stamp))
    (one,) = sessions(book.path, pytest.fail)
    assert (one.moment.day, one.record.timestamp) == ("2026-05-03", stamp)


def test_something_else_in_its_place_is_said(book: Book) -> None:
    book.path.mkdir()
    with pytest.raises(OutsideFailure, match=r"sessions\.jsonl: cannot read"):
        list(sessions(book.path, pytest.fail))
