"""Traps that are good rows: times in every form, numbers and characters that a careless reader spoils.

Here: one function per trap, behind one registry. Not here: rows that must be refused (`bad_lines.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from lakehouse.sample.trap import Expected, MakeTrap, Planted, Site, dated, encoded

_EVIDENCE: Final = Expected(stage="collect", outcome="evidence")


def epochs(site: Site) -> Iterator[Planted]:
    """Numeric epochs in four units."""
    for unit, per_second in (("s", 1), ("ms", 1_000), ("us", 1_000_000), ("ns", 1_000_000_000)):
        moment = site.at(0.5)
        row: dict[str, Any] = site.row("mode_experiments", "accepted", moment)
        row["ts"] = int(moment.timestamp()) * per_second
        yield dated(f"epochs/{unit}", "mode_experiments", row, moment, _EVIDENCE, f"the time is an epoch in {unit}")


def stamp_without_offset(site: Site) -> Iterator[Planted]:
    """A time without offset."""
    moment = site.at(0.8)
    row = {**site.row("outcomes", "accepted", moment), "ts": moment.strftime("%Y-%m-%dT%H:%M:%S")}
    text = "a time without offset is taken as UTC and marked timestamp_assumed_utc"
    yield dated("stamp_without_offset", "outcomes", row, moment, _EVIDENCE, text)


def offset_day_before(site: Site) -> Iterator[Planted]:
    """A time that lies on the next day where it was written, and on this day in UTC."""
    moment = site.at(0.4).replace(hour=22, minute=30, second=0)
    local = (moment + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00")
    row = {**site.row("audits", "accepted", moment), "ts": local}
    yield dated(
        "offset_day_before", "audits", row, moment, _EVIDENCE, f"written {local}, which is the day before in UTC"
    )


def nanoseconds(site: Site) -> Iterator[Planted]:
    """A time with nine digits, the last a zero."""
    moment = site.at(0.6)
    row = {**site.row("observer_reviews", "accepted", moment), "ts": moment.strftime("%Y-%m-%dT%H:%M:%S.123456780Z")}
    text = "a nanosecond stamp that ends in 0 keeps all its digits"
    yield dated("nanoseconds", "observer_reviews", row, moment, _EVIDENCE, text)


def duplicate_keys(site: Site) -> Iterator[Planted]:
    """One key twice in a row."""
    moment = site.at(0.5)
    line = encoded(site.row("audits", "accepted", moment))
    text = "the key phase stands twice: the last wins and metadata.duplicate_keys says so"
    yield dated("duplicate_keys", "audits", b'{"phase":"not this one",' + line[1:], moment, _EVIDENCE, text)


def big_integer(site: Site) -> Iterator[Planted]:
    """Integers that a float cannot hold."""
    moment = site.at(0.7)
    row = site.row("agent_runs", "accepted", moment)
    row["metadata"] = {**row["metadata"], "span": 2**53 + 1, "trace": 2**63 - 1}
    text = "integers beyond 2^53 come out as they went in (metadata.span, metadata.trace)"
    yield dated("big_integer", "agent_runs", row, moment, _EVIDENCE, text)


def unicode_text(site: Site) -> Iterator[Planted]:
    """Accents, CJK, emoji, and a letter beyond the basic plane."""
    moment = site.at(0.7)
    row = site.row("scrum_reviews", "accepted", moment)
    row["suggestions"] = (
        f"Café résumé ⭐ 你好 \U0001d518 👩🏽‍🔧: {site.draw.fill('in `{function}` {defect}; {remedy}.')}"
    )
    yield dated("unicode_text", "scrum_reviews", row, moment, _EVIDENCE, "every character survives")


HARD_ROWS: Final[dict[str, MakeTrap]] = {
    trap.__name__: trap
    for trap in (
        epochs,
        stamp_without_offset,
        offset_day_before,
        nanoseconds,
        duplicate_keys,
        big_integer,
        unicode_text,
    )
}
