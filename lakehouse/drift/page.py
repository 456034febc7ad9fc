"""The drift page: whether the newest day looks like those before it, and where it does not.

Here: the headline and the order of the sections, and writing the page with its `drift.json`. Not here: where the numbers
come from (`gather.py`), what stands in a section (`sections.py`), the frame of a page (`lakehouse.report.frame`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lakehouse.drift import sections
from lakehouse.drift.gather import DayDrift, DriftReport, ScorerDriftSeen, gather
from lakehouse.files import write_whole
from lakehouse.jsonl import write_json
from lakehouse.lake import Lake
from lakehouse.report.charts import chip, count, number
from lakehouse.report.frame import document, stylesheet
from lakehouse.report.markup import Html, el

PAGE, DATA = "index.html", "drift.json"


def write_drift_page(
    lake: Lake, reports: Path, days: Sequence[str], now: str, scorer: ScorerDriftSeen | None = None
) -> tuple[Path, DriftReport]:
    """Write `drift/index.html` and `drift/drift.json` below `reports`; give the path of the page, and what it shows.

    `days` are compared each with its window; the headline is about the last of them. `scorer` is what scoring again
    found (`gather.scorer_seen`), `None` where it was not measured. Raises `OutsideFailure` where the disk takes no file.
    """
    report = gather(lake, days, now, scorer)
    folder = reports / "drift"
    write_json(folder / DATA, report)
    write_whole(folder / PAGE, render(report))
    return folder / PAGE, report


def render(report: DriftReport) -> bytes:
    """Give the page: UTF-8, self-contained HTML; the same report, the same bytes."""
    parts = [
        ("distributions", "Categories and scores", sections.distributions(report)),
        ("days", "Day by day", sections.days(report)),
        ("streams", "Categories within each stream", sections.streams(report)),
        ("metrics", "Metrics from baseline to baseline", sections.metrics(report)),
        ("scorer", "What scoring again would change", sections.scorer(report)),
    ]
    words = sections.headline_of(report.newest)[0]
    return document(f"Drift: {words}", _headline(report), parts, _footer(), stylesheet("lakehouse.drift", "drift.css"))


def _headline(report: DriftReport) -> Html:
    newest = report.newest
    words, style = sections.headline_of(newest)
    title = el("h1", newest.day if newest else "No day", chip(words, style))
    return el("header", el("p", "Drift", class_="kind"), title, _said(newest), _notes(report.notes), _facts(report))


def _said(newest: DayDrift | None) -> Html:
    if newest is None:
        return el("p", "There is no scored day to compare. Make one with `lakehouse distill`.")
    words = f"{newest.summary[:1].upper()}{newest.summary[1:]}."
    if newest.verdict in ("minor", "major"):
        return el("div", el("p", words), class_=f"box {'bad' if newest.blocks else 'warn'}")
    return el("p", words)


def _notes(notes: Sequence[str]) -> Html | None:
    if not notes:
        return None
    return el("div", el("h2", "What could not be compared"), el("ul", *(el("li", n) for n in notes)), class_="box warn")


def _facts(report: DriftReport) -> Html:
    newest = report.newest
    facts = [("Made", report.made_at)]
    if newest is not None:
        before = newest.reference_days
        span = " to ".join(dict.fromkeys((before[0], before[-1]))) if before else "none"
        facts = [
            ("Rows of the day", number(newest.rows)),
            ("Rows to compare with", number(newest.reference_rows)),
            ("Days to compare with", f"{span}, {count(len(before), 'day')}" if before else span),
            *facts,
        ]
    facts.append(("Metrics", report.metrics.summary))
    return el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in facts), class_="facts")


def _footer() -> Html:
    return el(
        "footer",
        el("p", "The same for machines: ", el("a", DATA, href=DATA), "."),
        el(
            "p",
            "PSI is the population stability index: stable below 0.10, minor below 0.25, major from there on. Numbers are "
            "compared over ten equal widths and over the deciles of the days before; the worse of the two counts.",
        ),
    )
