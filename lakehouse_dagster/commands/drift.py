"""`lakehouse drift`: whether the newest day looks like those before it, in tables and on a page."""

from typing import Annotated

import typer
from rich.markup import escape

from lakehouse.chain.manifests import manifest_days
from lakehouse.drift.gather import DriftReport, ordered, scorer_seen
from lakehouse.drift.page import write_drift_page
from lakehouse.drift.rescoring import rescore
from lakehouse.errors import UsageError
from lakehouse.timestamps import days_between, written
from lakehouse_dagster.commands.shell import (
    DEFAULT_LAKE,
    DEFAULT_REPORTS,
    JsonOption,
    LakeOption,
    Out,
    ReportsOption,
    open_lake,
)
from resources.lake import utc_now

DAYS = 30
RESCORED = 2


def drift(
    lake: LakeOption = DEFAULT_LAKE,
    reports: ReportsOption = DEFAULT_REPORTS,
    day: Annotated[str | None, typer.Option(help="The day to judge; default: the newest scored day.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Compare and score again every day, not the newest 30 and 2.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare a day with those before it, the newest baseline with its predecessor, and stored verdicts with the rules.

    Example: lakehouse drift --day 2026-05-07
    """
    out = Out(as_json)
    opened = open_lake(lake)
    if day is not None:
        try:
            (day,) = days_between(day, day)
        except ValueError:
            raise UsageError(f"{day!r} is no day", where="--day", mend="write it as YYYY-MM-DD") from None
    days = [one for one in manifest_days(opened, "score") if day is None or one <= day]
    if day is not None and day not in days:
        raise UsageError(
            f"{day} is not scored in this lake",
            where=str(opened.root),
            mend=f"score it with `lakehouse distill --day {day}`, or name another day",
        )
    again = days if every else days[-RESCORED:]
    with out.progress("Scoring again", None):
        scorer = scorer_seen(again, rescore(opened, again))
    with out.progress("Comparing days", None):
        page, report = write_drift_page(
            opened, reports.resolve(), days if every else days[-DAYS:], written(utc_now()), scorer
        )
    _tell(out, report)
    out.say(f"Page: {page}")
    out.answer(page=str(page), **{name: getattr(report, name) for name in report.__struct_fields__})
    out.close()
    if report.red:
        raise typer.Exit(1)


def _tell(out: Out, report: DriftReport) -> None:
    newest = report.newest
    out.say(escape(newest.summary) if newest else "There is no scored day to compare. Make one with: lakehouse distill")
    for note in report.notes:
        out.say(f"[red]not compared[/red] {escape(note)}")
    names = [name for name in ordered(report) if name in report.things]
    things = [(name, report.things[name]) for name in names]
    out.table(
        f"PSI on {newest.day}" if newest else "PSI",
        ["what", "psi", "over deciles", "verdict", "rows before", "rows"],
        [
            (name, _index(x.psi), _index(x.decile_psi), _verdict(report, name), x.reference_rows, x.current_rows)
            for name, x in things
        ],
    )
    out.say(f"Metrics: {escape(report.metrics.summary)}.")
    out.table(
        "Metrics from baseline to baseline",
        ["metric", "prior", "current", "change", "flag"],
        [
            (x["metric"], _plain(x["prior"]), _plain(x["current"]), _percent(x["pct_change"]), x["flag"])
            for x in report.metrics.rows
        ],
    )
    if report.scorer is not None:
        out.table(
            f"Verdicts stored and those of now, {len(report.scorer.days)} days",
            ["stored", "now", "scorer version", "rows"],
            [(x["stored"], x["now"], x["scorer_version"], x["rows"]) for x in report.scorer.rows],
        )


def _verdict(report: DriftReport, name: str) -> str:
    by_chance = report.newest is not None and name in report.newest.by_chance
    return report.things[name].verdict + (", by chance" if by_chance else "")


def _index(psi: float | None) -> str:
    return "" if psi is None else f"{psi:.3f}"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:,}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+,.1f} %"
