"""Reports of parity: a page per probe that a person can read, and the count over all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lakehouse.errors import RecordError
from lakehouse.parity.peers import Golden
from lakehouse.parity.report import write_reports
from lakehouse.parity.run import Result, compare
from tests.lakehouse.parity.conftest import doubling

NOW, LATER = "2026-05-10T02:00:00.000Z", "2026-05-11T02:00:00.000Z"


def test_a_page_shows_every_fixture_with_both_answers_and_the_verdict(tmp_path: Path) -> None:
    probe = doubling(ours=lambda q: {"double": q["number"] * 2 + (q["number"] == 3)})
    paths = write_reports(tmp_path, [probe], compare(probe, [Golden()]), NOW)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "parity/doubling.md",
        "parity/README.md",
        "parity/parity.json",
    ]
    page = paths[0].read_text()
    assert "2 of 3 match, 1 differ." in page
    assert '| number 1 | `{"double": 2}` | `{"double": 2}` | match |  |' in page
    assert '| number 3 | `{"double": 7}` | `{"double": 6}` | differ | $.double is 7 in ours, 6 in theirs |' in page


def test_the_count_is_over_all_probes_each_as_last_run(tmp_path: Path) -> None:
    first, second = doubling(), doubling(name="again")
    write_reports(tmp_path, [first], compare(first, [Golden()]), NOW)
    write_reports(tmp_path, [second], compare(second, [Golden(), Golden("twin")]), LATER)
    page = (tmp_path / "parity/README.md").read_text()
    assert "9 of 9 match. Over 2 probes" in page
    assert f"| [doubling](doubling.md) | 3 | golden | 3 | 0 | 0 | 0 | {NOW} |" in page
    assert f"| [again](again.md) | 3 | twin | 3 | 0 | 0 | 0 | {LATER} |" in page
    write_reports(tmp_path, [first], [], LATER)
    state = json.loads((tmp_path / "parity/parity.json").read_text())
    assert list(state) == ["again", "doubling"]
    assert state["again"]["peers"]["twin"] == {"match": 3, "differ": 0, "invalid": 0, "unavailable": 0}
    assert state["doubling"] == {"checked_at": LATER, "fixtures": 3, "peers": {}}


def test_a_value_cannot_break_its_table(tmp_path: Path) -> None:
    text = "a|b `code` ```` \n| x |" + "y" * 5000
    result = Result("doubling", "command:a|b", "number 1", "differ", "x | <b>\n`y", text, None)
    page = write_reports(tmp_path, [doubling()], [result], NOW)[0].read_text()
    row = next(line for line in page.splitlines() if line.startswith("| number 1"))
    assert row.replace("\\|", "").count("|") == 6
    assert len(row) < 400
    assert "<b>" not in row.replace("\\<b\\>", "")
    assert "| — |" in row


def test_a_count_that_is_none_is_an_error_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "parity" / "parity.json"
    path.parent.mkdir()
    for text in ("{", "[]", '{"x": 1}', '{"x": {"peers": {"golden": 3}}}'):
        path.write_text(text)
        with pytest.raises(RecordError, match="delete it"):
            write_reports(tmp_path, [], [], NOW)
        assert path.read_text() == text
