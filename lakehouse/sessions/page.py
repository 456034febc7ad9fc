"""The page of the sessions: which model needs how many shots, what was rejected, what failed outside.

Here: gathering the log into a report, and the page with its `sessions.json`. Not here: counting (`counts.py`), the frame of a
page (`lakehouse.report.frame`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from lakehouse.files import write_whole
from lakehouse.jsonl import write_json
from lakehouse.lake import Lake
from lakehouse.report.charts import MOST_ROWS, bar, chip, note, number, row, share, table
from lakehouse.report.charts import count as counted
from lakehouse.report.frame import document
from lakehouse.report.markup import Html, breakable, el, join
from lakehouse.sessions.counts import RUNNING, FirstShot, SessionCounts, count
from lakehouse.sessions.reading import Refused, sessions

PAGE, DATA = "index.html", "sessions.json"
MOST_REFUSED: Final = 100
MOST_DAY_ROWS: Final = 200
_MOST_ERROR: Final = 300


class RefusedLine(msgspec.Struct, frozen=True):
    """A line that is not counted, and why."""

    line: int
    reason: str


class SessionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows. `log` is relative to the lake; `refused` are the first 100 of `refused_in_all`."""

    made_at: str
    log: str
    counts: SessionCounts
    refused: list[RefusedLine]
    refused_in_all: int


def write_page(lake: Lake, reports: Path, now: str) -> tuple[Path, SessionReport]:
    """Write `sessions/index.html` and `sessions/sessions.json` below `reports`; give the page's path, and what it shows.

    The same log and time give the same bytes. Raises `OutsideFailure` where the disk takes no file.
    """
    report = gather(lake, now)
    folder = reports / "sessions"
    write_json(folder / DATA, report)
    write_whole(folder / PAGE, render(report))
    return folder / PAGE, report


def gather(lake: Lake, now: str) -> SessionReport:
    """Read and count the log of a lake."""
    refused: list[RefusedLine] = []
    refused_in_all = 0

    def refuse(line: Refused) -> None:
        nonlocal refused_in_all
        refused_in_all += 1
        if len(refused) < MOST_REFUSED:
            refused.append(RefusedLine(*line))

    counts = count(sessions(lake.sessions, refuse))
    return SessionReport(
        made_at=now,
        log=lake.relative(lake.sessions),
        counts=counts,
        refused=refused,
        refused_in_all=refused_in_all,
    )


def render(report: SessionReport) -> bytes:
    """Give the page: UTF-8, self-contained HTML; the same report, the same bytes."""
    parts = [
        ("first-shot", "First shot by model", _first_shots(report.counts)),
        ("rejected", "Rejected three times running", _rejected(report.counts)),
        ("days", "Verdicts by day, kind and model", _days(report.counts)),
        ("refused", "Lines that are not counted", _refused(report)),
    ]
    return document(f"Sessions: {_headline(report.counts)}", _header(report), parts, _footer())


def _headline(counts: SessionCounts) -> str:
    if not counts.sessions:
        return "none yet"
    accepted = counts.verdicts["accepted"]
    return f"{number(accepted)} of {counted(counts.sessions, 'session')} accepted"


def _header(report: SessionReport) -> Html:
    counts = report.counts
    words = (
        f"{_headline(counts)}."
        if counts.sessions
        else "No session is recorded. Make one with `lakehouse iterate fill`."
    )
    daemons = ", ".join(f"{name} {number(rows)}" for name, rows in counts.daemons.items())
    facts = [
        ("Sessions", number(counts.sessions)),
        ("Accepted", number(counts.verdicts["accepted"])),
        ("Out of attempts", number(counts.verdicts["max_iter_exhausted"])),
        ("Failed outside", number(counts.verdicts["infra_error"])),
        ("Written by", daemons or "nobody"),
        ("Log", report.log),
        ("Made", report.made_at),
    ]
    listed = el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in facts), class_="facts")
    return el("header", el("p", "Sessions", class_="kind"), el("h1", "What models proposed"), el("p", words), listed)


def _first_shots(counts: SessionCounts) -> Html:
    if not counts.first_shots:
        return note("There is no session to count.")
    best_first = sorted(counts.first_shots, key=lambda one: (-(one.rate or 0), -one.judged, one.provider, one.model))
    rows = [_first_shot(one) for one in best_first]
    remark = note(
        "First shot: accepted at the first attempt, of all sessions that were judged. Sessions that failed outside say "
        "nothing about a model and are left out of the share."
    )
    return join(
        remark, table("First shot", ("Model", "sessions", "failed outside", "accepted", "first shot", "share"), rows)
    )


_KEY = (
    ("accepted", "accepted at the first attempt"),
    ("partially_accepted", "accepted later"),
    ("rejected", "never accepted"),
)


def _first_shot(one: FirstShot) -> Html:
    later = one.accepted - one.first_shot
    chart = bar(
        [("accepted", one.first_shot), ("partially_accepted", later), ("rejected", one.judged - one.accepted)],
        one.judged,
    )
    name = join(breakable(one.model), el("span", one.provider, class_="means") if one.provider else None)
    numbers = (
        number(one.sessions),
        number(one.infra_errors),
        number(one.accepted),
        number(one.first_shot),
        share(one.first_shot, one.judged),
    )
    return row(name, numbers, chart=chart)


def _rejected(counts: SessionCounts) -> Html:
    if not counts.rejected_in_all:
        return note(f"No session was rejected {RUNNING} times running.")
    rows = [
        row(
            join(
                el("code", breakable(one.session_id)),
                chip(one.verdict, "good" if one.verdict == "accepted" else "bad"),
                el("span", _cut(one.error or ""), class_="means"),
            ),
            (one.day, one.kind, one.model, number(one.running)),
        )
        for one in counts.rejected[:MOST_ROWS]
    ]
    said = f"{counted(counts.rejected_in_all, 'session')}; the newest {len(rows)} are shown, with the last errors."
    return join(note(said), table("Rejected", ("Session", "day", "kind", "model", "times"), rows))


def _days(counts: SessionCounts) -> Html:
    if not counts.by_day:
        return note("There is no session to count.")
    newest = counts.by_day[-MOST_DAY_ROWS:]
    rows = [
        row(
            join(one.day, " ", one.kind, el("span", breakable(one.model), class_="means")),
            (number(one.accepted), number(one.max_iter_exhausted), number(one.infra_error)),
        )
        for one in reversed(newest)
    ]
    left = len(counts.by_day) - len(newest)
    older = note(f"{counted(left, 'older row')} not shown.") if left else None
    return join(
        table("Verdicts", ("Day, kind and model", "accepted", "out of attempts", "failed outside"), rows), older
    )


def _refused(report: SessionReport) -> Html:
    if not report.refused_in_all:
        return note("Every line is counted.")
    rows = [row(f"line {one.line}", (), chart=el("span", _cut(one.reason), class_="means")) for one in report.refused]
    said = (
        f"{counted(report.refused_in_all, 'line')} of {report.log}; the first {len(rows)} are shown. They stay there."
    )
    return join(el("div", el("p", said), class_="box warn"), table("Lines", ("Line and why",), rows))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_ERROR else f"{text[: _MOST_ERROR - 1]}…"


def _footer() -> Html:
    return el(
        "footer",
        el("p", "The same for machines: ", el("a", DATA, href=DATA), "."),
        el("p", "Days are UTC, by when a session began. What the fields mean stands in docs/iterate.md."),
    )
