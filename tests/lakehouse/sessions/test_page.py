"""The page of the sessions."""

from __future__ import annotations

import json
from pathlib import Path

from lakehouse.jsonl import encode
from lakehouse.sessions.page import MOST_REFUSED, write_page
from tests.lakehouse.sessions.conftest import Book, session

NOW = "2026-05-10T12:00:00.000Z"
BAD, OUT = "validation_failed", "infra_error"


def test_it_shows_shots_days_rejections_and_what_is_not_counted(book: Book, tmp_path: Path) -> None:
    book.write(
        session(), session(BAD, "accepted"), session(OUT), session(BAD, BAD, BAD, session_id="s-rejected"), b"no json"
    )
    path, report = write_page(book.lake, tmp_path, NOW)
    text = path.read_text()
    assert path == tmp_path / "sessions" / "index.html"
    assert "2 of 4 sessions accepted" in text
    assert "33.3%" in text
    assert "s-rejected" in text.replace("<wbr>", "")
    assert "wrong 2" in text
    assert "line 5" in text
    assert report.counts.sessions == 4
    data = json.loads((tmp_path / "sessions" / "sessions.json").read_bytes())
    assert data["counts"]["first_shots"][0]["judged"] == 3
    assert data["refused"][0]["line"] == 5


def test_the_same_log_gives_the_same_bytes(book: Book, tmp_path: Path) -> None:
    book.write(*(session(model=f"m{number % 3}", session_id=f"s{number}") for number in range(20)))
    folders = [tmp_path / "one", tmp_path / "two"]
    pages = [write_page(book.lake, folder, NOW)[0].read_bytes() for folder in folders]
    assert pages[0] == pages[1]


def test_without_sessions_it_says_how_to_make_one(book: Book, tmp_path: Path) -> None:
    path, _ = write_page(book.lake, tmp_path, NOW)
    assert "No session is recorded" in path.read_text()


def test_nothing_that_a_log_holds_becomes_markup(book: Book, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    book.write(
        session(BAD, BAD, BAD, model=evil, kind=evil, session_id=evil, provider=evil, daemon=evil),
        encode(session()).replace(b'"fill"', b'["<script>"]'),
    )
    path, _ = write_page(book.lake, tmp_path, NOW)
    assert "<script" not in path.read_text()
    assert "&lt;script&gt;" in path.read_text()


def test_of_very_many_refused_lines_the_first_are_shown(book: Book, tmp_path: Path) -> None:
    book.write(*[b"no json"] * (MOST_REFUSED + 7))
    path, report = write_page(book.lake, tmp_path, NOW)
    assert (len(report.refused), report.refused_in_all) == (MOST_REFUSED, MOST_REFUSED + 7)
    assert f"{MOST_REFUSED + 7} lines" in path.read_text()
