"""The sections of the drift page, one function each.

Here: what stands in a section, in which words, and what is said where there is nothing to show. Not here: the frame
(`page.py`), where the numbers come from (`gather.py`), the pictures (`plots.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lakehouse.drift.gather import DayDrift, DriftReport, ScorerDriftSeen, ordered
from lakehouse.drift.plots import histogram, over_time
from lakehouse.drift.psi import Psi, PsiVerdict
from lakehouse.report.charts import chip, count, note, number, row, some, table
from lakehouse.report.markup import Html, breakable, el, join
from lakehouse.report.words import CATEGORIES

_CHIPS: Mapping[PsiVerdict, tuple[str, str]] = {
    "stable": ("stable", "good"),
    "minor": ("minor drift", "warn"),
    "major": ("major drift", "bad"),
    "insufficient_data": ("nothing to compare with", "skipped"),
}
_CHANCE = ("moved by chance", "skipped")
_FLAGS = {"ok": ("ok", "good"), "warn": ("moved", "warn"), "first_run": ("first time", "skipped")}


def headline_of(newest: DayDrift | None) -> tuple[str, str]:
    """Name a day's verdict in words, with the style of its chip."""
    if newest is None:
        return _CHIPS["insufficient_data"]
    words, style = _CHIPS[newest.verdict]
    if newest.verdict == "major":
        return (f"{words}, holds the day back", style) if newest.blocks else (f"{words}, of few rows", "warn")
    return words, style


def distributions(report: DriftReport) -> Html:
    """Show two histograms for each thing of the newest day."""
    if report.newest is None or not report.things:
        return note("There is no scored day to show.")
    legend = el(
        "p",
        el("span", "the days before", class_="key reference"),
        el("span", f"{report.newest.day}", class_="key current"),
        class_="legend",
    )
    names, by_chance = [name for name in ordered(report) if name in report.things], report.newest.by_chance
    remark = note(
        "Each pair of bars is to one scale within its table. Buckets that are empty on both sides are left out."
    )
    things = (_thing(name, report.things[name], by_chance=name in by_chance) for name in names)
    return join(legend, remark, el("div", *things, class_="pair"))


def _thing(name: str, psi: Psi, *, by_chance: bool) -> Html:
    parts = [] if psi.psi is None else [f"PSI {psi.psi:.3f}"]
    if psi.decile_psi is not None:
        parts.append(f"{psi.decile_psi:.3f} over deciles")
    parts.append(f"{number(psi.reference_rows)} rows before, {number(psi.current_rows)} on this day")
    remark = ", ".join(parts) + (f" ({psi.note})" if psi.note else "") + "."
    if psi.telling is not psi.buckets:
        remark += " Shown over deciles: equal widths do not see it."
    if by_chance:
        remark += " Chance alone moves so few rows as far."
    heading = el("h3", breakable(name), chip(*(_CHANCE if by_chance else _CHIPS[psi.verdict])))
    return el("div", heading, note(remark), histogram(name, psi.telling), class_="thing")


def days(report: DriftReport) -> Html:
    """Show the index of each thing over the days."""
    if not report.days:
        return note("There is no scored day to show.")
    key = el(
        "p",
        *(el("span", words, class_=f"key {style}") for style, words in _KEY),
        class_="legend",
    )
    first, last = report.days[0].day, report.days[-1].day
    rows = []
    for name in ordered(report):
        points = [(one.day, one.psi.get(name)) for one in report.days]
        known = [value for _, value in points if value is not None]
        span = el("span", el("span", first), el("span", last) if last != first else None, class_="span")
        newest, by_chance = points[-1][1], {one.day for one in report.days if name in one.by_chance}
        numbers = ("" if newest is None else f"{newest:.3f}", f"{max(known):.3f}" if known else "")
        rows.append(row(breakable(name), numbers, chart=join(over_time(name, points, by_chance), span)))
    remark = note("One dot a day, each against the days before it. A dot at the top edge may lie higher still.")
    return join(key, remark, table("PSI by day", ("What", "newest", "highest"), rows), _each_day(report))


_KEY = (
    ("stable", "stable"),
    ("minor", "minor, from 0.10"),
    ("major", "major, from 0.25"),
    ("chance", "by chance, of few rows"),
)


def _each_day(report: DriftReport) -> Html:
    rows = [
        row(
            join(one.day, chip(*headline_of(one)), el("span", one.summary, class_="means")),
            (number(one.rows), number(one.reference_rows)),
        )
        for one in reversed(report.days)
    ]
    return join(el("h3", "What each day says"), table("Days", ("Day", "rows", "before"), rows))


def streams(report: DriftReport) -> Html:
    """Show which stream's categories moved: for finding out, not for judging."""
    if not report.by_stream:
        return note("There is no scored day to show.")
    rows = []
    for name, psi in sorted(report.by_stream.items(), key=lambda item: (-item[1].worst, item[0])):
        numbers = (
            number(psi.reference_rows),
            number(psi.current_rows),
            "" if psi.psi is None else f"{psi.psi:.3f}",
        )
        rows.append(row(join(breakable(name), el("span", _moved(psi), class_="means")), numbers))
    remark = note("Where a drift comes from. These numbers hold nothing back: small streams move by chance.")
    return join(remark, table("Categories by stream", ("Stream", "before", "this day", "PSI"), rows))


def _moved(psi: Psi) -> str:
    """Tell of the category whose share moved most."""
    if psi.psi is None:
        return psi.note or ""
    if not psi.buckets:
        return ""
    most = max(psi.buckets, key=lambda one: abs(one.current_share - one.reference_share))
    name = CATEGORIES.get(most.bucket, most.bucket)
    return f"{name}: {most.reference_share:.1%} before, {most.current_share:.1%} on this day"


def metrics(report: DriftReport) -> Html:
    """Show how the metrics of the newest baseline moved."""
    seen = report.metrics
    style = "bad" if not seen.passed and seen.severity == "ERROR" else "warn"
    said = note(f"{seen.summary}.") if seen.passed else el("div", el("p", seen.summary), class_=f"box {style}")
    if not seen.rows:
        return said
    rows = [
        row(
            join(breakable(one["metric"]), chip(*_FLAGS[one["flag"]])),
            (_plain(one["prior"]), _plain(one["current"]), _change(one["pct_change"])),
        )
        for one in seen.rows
    ]
    return join(said, table("Metrics", ("Metric", "prior", "current", "change"), rows))


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:,}"


def _change(percent: float | None) -> str:
    return "" if percent is None else f"{percent:+,.1f}%"


def scorer(report: DriftReport) -> Html:
    """Show the verdicts as stored against those that the rules of now give, a matrix for each scorer version."""
    seen = report.scorer
    if seen is None:
        return note("Not measured.")
    if not seen.rows:
        return note("There was no scored run to score again.")
    total = sum(one["rows"] for one in seen.rows)
    said = f"{number(seen.changed)} of {number(total)} verdicts of {some(seen.days, 5, 'day')} would be others now."
    faults = note(f"{count(seen.faults, 'line')} could not be scored again.") if seen.faults else None
    return join(note(said), faults, *_matrices(seen))


def _matrices(seen: ScorerDriftSeen) -> Iterator[Html]:
    for version in sorted({one["scorer_version"] for one in seen.rows}):
        cells = {(one["stored"], one["now"]): one["rows"] for one in seen.rows if one["scorer_version"] == version}
        found = {name for cell in cells for name in cell}
        names = [*(name for name in CATEGORIES if name in found), *sorted(found - set(CATEGORIES))]
        rows = [
            row(CATEGORIES.get(stored, stored), [_cell(cells.get((stored, now), 0), stored != now) for now in names])
            for stored in names
        ]
        columns = (f"Stored by {version} · now →", *(CATEGORIES.get(name, name) for name in names))
        yield table(f"Verdicts stored by {version} and those of now", columns, rows, style="plain matrix")


def _cell(rows: int, changed: bool) -> str:
    if not rows:
        return "0"
    return chip(number(rows), "bad") if changed else number(rows)
