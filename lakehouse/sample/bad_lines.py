"""Traps for the line index and for `collect`: lines that are broken, undated, late, too early, or refused.

Here: one function per trap, behind one registry. Not here: rows that are hard but good (`hard_rows.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from lakehouse.sample.trap import Expected, MakeTrap, Planted, Site, dated, day_of, encoded, undated
from lakehouse.timestamps import written

HUGE: Final = (16 << 20) + 1
"""Bytes of a line that is too long by one."""


def not_json(site: Site) -> Iterator[Planted]:
    """A line that was cut in the middle and ended all the same."""
    moment = site.at(0.3)
    line = encoded(site.row("scrum_reviews", "accepted", moment))
    yield undated("not_json", "scrum_reviews", line[: len(line) // 2], moment, "not_json", "half a row, then a newline")


def not_object(site: Site) -> Iterator[Planted]:
    """JSON that is a list."""
    line = encoded({"x": [site.draw.fill("{function}"), 3]})[5:-1]
    yield undated("not_object", "audits", line, site.at(0.6), "not_object", "a JSON list where a row should be")


def not_utf8(site: Site) -> Iterator[Planted]:
    """A text in Latin-1."""
    moment = site.at(0.4)
    row = {**site.row("observer_reviews", "accepted", moment), "notes": "the caf@ in Toledo is closed"}
    line = encoded(row).replace(b"caf@", b"caf\xe9")
    yield undated("not_utf8", "observer_reviews", line, moment, "not_utf8", "a Latin-1 é in the notes")


def no_timestamp(site: Site) -> Iterator[Planted]:
    """A row without a time."""
    moment = site.at(0.5)
    row = site.row("contract_analyses", "accepted", moment)
    del row["ts"]
    yield undated("no_timestamp", "contract_analyses", encoded(row), moment, "no_timestamp", "a row without any time")


def bad_timestamp(site: Site) -> Iterator[Planted]:
    """A time in words."""
    moment = site.at(0.5)
    row = {**site.row("outcomes", "accepted", moment), "ts": "last Tuesday, after lunch"}
    yield undated("bad_timestamp", "outcomes", encoded(row), moment, "bad_timestamp", "a time in words")


def before_first_day(site: Site) -> Iterator[Planted]:
    """A row from long before the lake begins."""
    moment = site.at(0.5)
    old = moment - timedelta(days=(site.last_day - site.first_day).days + 400)
    line = encoded({**site.row("auto_apply", "accepted", moment), "ts": written(old)})
    text = f"dated {day_of(old)}, before the lake's first day"
    yield undated("before_first_day", "auto_apply", line, moment, "before_first_day", text)


def huge_line(site: Site) -> Iterator[Planted]:
    """A line over 16 MiB, where it was asked for."""
    if not site.huge_line:
        return
    moment = site.at(0.5)
    row = site.row("mode_experiments", "accepted", moment)
    room = HUGE - len(encoded({**row, "response": ""}))
    padded = encoded({**row, "response": ("ha " * (room // 3 + 1))[:room]})
    yield undated("huge_line", "mode_experiments", padded, moment, "too_long", "a line of one byte more than 16 MiB")


def blank_line(site: Site) -> Iterator[Planted]:
    """A line of spaces."""
    expected = Expected(stage="index", outcome="ignored")
    yield Planted("blank_line", "distilled_facts", b"   ", site.at(0.5), None, expected, "a blank line is no row")


def lone_surrogate(site: Site) -> Iterator[Planted]:
    """Half of a surrogate pair, for which UTF-8 has no bytes."""
    moment = site.at(0.6)
    row = {**site.row("audits", "accepted", moment), "reasoning": "the emoji was cut @ in half"}
    line = encoded(row).replace(b"cut @", b"cut \\ud83d")
    yield undated("lone_surrogate", "audits", line, moment, "not_json", "an escape for half an emoji")


def infinite_number(site: Site) -> Iterator[Planted]:
    """A number that is larger than any float, in a field that says nothing of the time."""
    moment = site.at(0.6)
    line = encoded(site.row("scrum_reviews", "accepted", moment))
    expected = Expected(stage="collect", outcome="quarantined", reason_code="decode_error")
    text = "a number too large for any reader of floats"
    yield dated("infinite_number", "scrum_reviews", line[:-1] + b',"effort":1e999}', moment, expected, text)


def missing_field(site: Site) -> Iterator[Planted]:
    """A row without a field that its stream needs."""
    moment = site.at(0.7)
    row = site.row("observer_escalations", "accepted", moment)
    del row["cluster_id"]
    expected = Expected(stage="collect", outcome="quarantined", reason_code="missing_field")
    yield dated("missing_field", "observer_escalations", row, moment, expected, "an escalation without cluster_id")


def bad_value(site: Site) -> Iterator[Planted]:
    """A word where a number should be."""
    moment = site.at(0.7)
    row = {**site.row("auto_apply", "accepted", moment), "patches_applied": "three"}
    expected = Expected(stage="collect", outcome="quarantined", reason_code="bad_value")
    yield dated("bad_value", "auto_apply", row, moment, expected, "patches_applied is the word three")


def duplicate_row(site: Site) -> Iterator[Planted]:
    """One row delivered twice on one day."""
    moment = site.at(0.4)
    row = site.row("scrum_reviews", "accepted", moment)
    kept = Expected(stage="collect", outcome="evidence")
    skipped = Expected(stage="collect", outcome="skipped", reason_code="duplicate")
    again = dict(reversed(row.items()))
    yield dated("duplicate_row/first", "scrum_reviews", row, moment, kept, "the first delivery is kept")
    yield dated(
        "duplicate_row/again", "scrum_reviews", again, moment, skipped, "delivered again, keys in another order"
    )


def late_row(site: Site) -> Iterator[Planted]:
    """A row of the first day that arrives after all others."""
    moment = site.at(0)
    line = encoded(site.row("observer_reviews", "accepted", moment))
    expected = Expected(stage="collect", outcome="evidence")
    text = "belongs to the first day and stands at the end of the file"
    yield Planted("late_row", "observer_reviews", line, None, day_of(moment), expected, text)


def waiting_future(site: Site) -> Iterator[Planted]:
    """A row whose clock is far ahead: its day is to come, whenever the sample is looked at."""
    moment = datetime(2999, 1, 1, 12, tzinfo=UTC)
    line = encoded(site.row("contract_analyses", "accepted", moment))
    expected = Expected(stage="index", outcome="waiting", reason_code="waiting_future")
    text = "waits for its day, which is to come"
    yield Planted("waiting_future", "contract_analyses", line, None, day_of(moment), expected, text)


def torn_last_line(site: Site) -> Iterator[Planted]:
    """A last line whose writer was killed."""
    line = encoded(site.row("distilled_config_hints", "accepted", site.at(1)))
    expected = Expected(stage="index", outcome="not_yet")
    text = "a last line without its end is not there yet"
    cut = line[: len(line) * 2 // 3]
    yield Planted("torn_last_line", "distilled_config_hints", cut, None, None, expected, text, newline=False)


BAD_LINES: Final[dict[str, MakeTrap]] = {
    trap.__name__: trap
    for trap in (
        not_json,
        not_object,
        not_utf8,
        no_timestamp,
        bad_timestamp,
        before_first_day,
        huge_line,
        blank_line,
        lone_surrogate,
        infinite_number,
        missing_field,
        bad_value,
        duplicate_row,
        late_row,
        waiting_future,
        torn_last_line,
    )
}
