"""`lakehouse distill`: bring days up to date through the same Dagster job that runs at night."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lakehouse import index
from lakehouse.chain.manifests import STAGES, Staleness, read_manifest
from lakehouse.dry_run import count as count_dry
from lakehouse.dry_run import shadow
from lakehouse.errors import UsageError
from lakehouse.gates.verdicts import OF_THE_LAKE, is_red, read_verdicts
from lakehouse.jsonl import read_json
from lakehouse.lake import Lake
from lakehouse.publish import preference, rag, sft
from lakehouse.publish.companions import cards_due
from lakehouse.publish.exports import PREFERENCE, RAG, SFT
from lakehouse.publish.sft import LEFT_OUT
from lakehouse.publish.state import due, read_publication
from lakehouse.records import Receipt
from lakehouse.summary import held_days
from lakehouse.timestamps import days_between
from lakehouse_dagster.commands.shell import (
    DEFAULT_LAKE,
    DEFAULT_REPORTS,
    JsonOption,
    LakeOption,
    Out,
    ReportsOption,
    open_lake,
    today,
)
from lakehouse_dagster.running import RunResult, run_days

SHOWN_DAYS = 31
SHOWN_HELD = 5
PUBLISHES = {SFT: "samples", PREFERENCE: "pairs", RAG: "chunks"}
"""The exports, and what is counted of each."""


def distill(
    lake: LakeOption = DEFAULT_LAKE,
    reports: ReportsOption = DEFAULT_REPORTS,
    day: Annotated[str | None, typer.Option(help="One day (YYYY-MM-DD), stale or not.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="The first day of a range, stale or not.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="The last day of a range; default: today.")] = None,
    include_partial: Annotated[
        bool | None, typer.Option("--include-partial/--accepted-only", help="Export partially accepted runs too.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count everything, write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Turn new rows into evidence, verdicts and a gated SFT export. Without options: every day that is not up to date.

    Example: lakehouse distill --from 2026-05-01 --to 2026-05-07
    """
    out = Out(as_json)
    opened = open_lake(lake)
    if dry_run:
        _dry(out, opened, day, first, last)
        return
    with out.progress("Indexing new rows", None):
        report = index.update_all(opened)
    for error in report.broken.values():
        out.say(f"[red]left out:[/red] {escape(str(error))}")
    days = _days(opened, day, first, last, include_partial)
    _tell_of_early_rows(out, opened)
    if not days:
        out.say("Everything else is up to date." if report.broken else "Everything is up to date.")
        held = held_days(opened)
        _tell_of_held(out, held)
        _tell_of_red(out, opened)
        out.answer(days=[], up_to_date=not report.broken, broken_streams=report.broken, held_days=held)
        out.close()
        if report.broken:
            raise typer.Exit(2)
        return
    result = run_with_progress(out, opened.root, reports.resolve(), days, include_partial)
    show_run(out, Lake(opened.root), result, reports.resolve())
    out.answer(broken_streams=report.broken)
    out.close()
    if not result.success or report.broken:
        raise typer.Exit(result.exit_code or 2)


def _days(
    lake: Lake, day: str | None, first: str | None, last: str | None, include_partial: bool | None = None
) -> list[str]:
    if day is not None and (first or last):
        raise UsageError("--day and --from/--to say two things", mend="give one of them")
    if day is None and first is None and last is None:
        return days_due(lake, include_partial)
    known = Staleness(lake).days()
    start, end = (day, day) if day is not None else (first or min(known, default=today()), last or today())
    try:
        wanted = days_between(start or "", end or "")
    except ValueError:
        raise UsageError(f"{start!r} to {end!r} are no days", mend="write them as YYYY-MM-DD") from None
    begins = lake.settings.first_day
    if end and start and start > end:
        raise UsageError(f"{start} is after {end}", mend="give the first day to --from and the last to --to")
    if not wanted or wanted[-1] > today() or (begins is not None and wanted[0] < begins):
        raise UsageError(
            f"{start} to {end} is outside of the lake, which goes from {begins or 'its oldest row'} to today, {today()}",
            mend="choose other days, or set first_day in lakehouse.toml",
        )
    return [one for one in wanted if one in known] if day is None else wanted


def days_due(lake: Lake, include_partial: bool | None = None) -> list[str]:
    """Give the days that are not up to date, or else those that stand for an export that is not."""
    stale = Staleness(lake).stale(today())
    asked = {SFT: sft.asked(lake, include_partial), RAG: rag.asked(lake), PREFERENCE: preference.asked(lake)}
    return sorted(
        stale
        or {late for export in asked for late in due(lake, export, today(), asked[export])}
        or cards_due(lake, today())
    )


def _tell_of_early_rows(out: Out, lake: Lake) -> None:
    """Say that rows are left out for their age: nobody looks for them in the quarantine unasked."""
    first = lake.settings.first_day
    if first is None:
        return
    days = {
        day: lines
        for name in lake.streams
        for day, lines in index.load(lake, name).lines_by_day().items()
        if day < first
    }
    if days:
        out.say(
            f"Rows of {len(days)} day{'s' if len(days) > 1 else ''} before first_day = {first} are left out (quarantine/undated, before_first_day); "
            f"the oldest is of {min(days)}. To use them, set first_day in {lake.toml}."
        )
    out.answer(days_before_first=sorted(days))


def _tell_of_held(out: Out, held: Mapping[str, str]) -> None:
    """Say which days are up to date and not published all the same."""
    if not held:
        return
    told = [f"{day} ({why.partition(':')[0]})" for day, why in sorted(held.items())]
    more = f" and {len(told) - SHOWN_HELD:,} more" if len(told) > SHOWN_HELD else ""
    out.say(f"[red]held back[/red] {escape(', '.join(told[:SHOWN_HELD]))}{more}: see `lakehouse gates list`")


def _tell_of_red(out: Out, lake: Lake) -> None:
    """Say which gates on the lake as a whole are red: no day is stale by them."""
    red = [
        f"{asset}/{check}" for asset in OF_THE_LAKE for check, one in read_verdicts(lake, asset).items() if is_red(one)
    ]
    if red:
        out.say(f"[red]red[/red] {', '.join(red)}: see `lakehouse gates list`; `lakehouse audit` looks again")
    out.answer(red_gates=red)


def run_with_progress(
    out: Out, root: Path, reports: Path, days: list[str], include_partial: bool | None = None
) -> RunResult:
    """Run the chain over days, showing its steps as they are done."""
    what = days[0] if len(days) == 1 else f"{len(days)} days"
    with out.progress(f"Distilling {what}", None) as bar:

        def listen(step: str, state: str) -> None:
            if state == "started":
                bar.describe(f"Distilling {what}: {step}")
            elif state == "done":
                bar.step()

        return run_days(root, reports, days, include_partial=include_partial, listen=listen)


def show_run(out: Out, lake: Lake, result: RunResult, reports: Path) -> None:
    """Show what a run made: a row per day, what kept runs out of the export, and what a gate held back."""
    rows = []
    for day in result.days:
        collected, scored, sampled, chunked = (read_manifest(lake, stage, day) for stage in STAGES)
        if collected is None:
            continue
        counts = scored.counts if scored else {}
        rows.append(
            {
                "day": day,
                "rows": collected.records_in,
                "evidence": collected.records_out,
                "quarantined": collected.records_quarantined + (sampled.records_quarantined if sampled else 0),
                "accepted": counts.get("accepted", 0),
                "partial": counts.get("partially_accepted", 0),
                "review": counts.get("needs_human_review", 0),
                "rejected": counts.get("rejected", 0),
                "candidates": sampled.records_out if sampled else 0,
                "chunks": (chunked.items_out or 0) if chunked else 0,
            }
        )
    if rows:
        out.table("Days", list(rows[0]), [list(row.values()) for row in rows[-SHOWN_DAYS:]])
    summary = result.summary
    if summary is not None:
        gates = f"Gates of days and exports: {summary.checks.passed} green, {summary.checks.failed} red."
        published = _published(lake, reports / "distillation" / result.run_id)
        if published:
            told = [f"{number:,} {what}" for what, number in published.items()]
            out.say(
                f"Exported [bold]{' and '.join(filter(None, [', '.join(told[:-1]), told[-1]]))}[/bold]; the "
                f"firewall blocked {summary.firewall.blocked:,} runs. {gates}"
            )
            if "samples" in published:
                _tell_of_left_out(out, lake)
            absent = [what for what in PUBLISHES.values() if what not in published]
            if absent:
                out.say(f"No new {' and '.join(absent)}: what was published of them before still stands.")
            if summary.error:
                out.say("The run was stopped after that; what it published stands.")
        else:
            out.say(f"[bold]Nothing new was published[/bold]: what was published before still stands. {gates}")
        for day, why in summary.held_days.items():
            out.say(f"[red]held back[/red] {day}: {escape(why)}")
        for check in result.failed_checks:
            state = "[red]red[/red]" if check.blocks else "[yellow]warning[/yellow]"
            out.say(
                f"{state} {check.asset}/{check.check}{f' of {check.day}' if check.day else ''}: {escape(check.summary)}"
                f"{f' (first at {escape(check.place)})' if check.place else ''}"
            )
        for day, share in result.crowded.items():
            out.say(f"[red]{share:.0%} of {day} was quarantined[/red]: see {lake.quarantine(day, 'collect').parent}")
        if summary.error:
            out.say(f"[red]stopped:[/red] {escape(summary.error)}")
        out.say(f"Run {summary.run_id}, hash {summary.run_hash[:16]}…")
        out.say(f"Page:    {reports / 'distillation' / result.run_id / 'index.html'}")
    out.answer(run_id=result.run_id, success=result.success, errors=result.errors, days=rows, summary=summary)


def _published(lake: Lake, folder: Path) -> dict[str, int]:
    """Give what a run published, by the receipts in its folder: they are there whatever stopped it afterwards.

    The making of a day's parts leaves a receipt of the same stage, which names no published file.
    """
    found = {}
    for export, what in PUBLISHES.items():
        receipt = read_json(folder / "receipts" / f"{export.stage}.json", Receipt)
        native = lake.relative(export.main(lake))
        if receipt is not None and receipt.status == "ok" and any(ref.path == native for ref in receipt.outputs):
            found[what] = receipt.items_out or 0
    return found


def _tell_of_left_out(out: Out, lake: Lake) -> None:
    """Say which of the days' candidates did not become samples: the table above counts them before publishing."""
    last = read_publication(lake, SFT.asset)
    names = ("partial_not_requested", "conflicting_verdicts", "duplicate_content", "near_duplicate", "holdout_overlap")
    found = [f"{name} {last.skip_reasons[name]:,}" for name in names if last and last.skip_reasons.get(name)]
    if found:
        out.say(f"Of all candidates publishing left out: {', '.join(found)}.")
        out.say(f"All but the partially accepted ones are named in {SFT.folder(lake) / LEFT_OUT}")


def _dry(out: Out, lake: Lake, day: str | None, first: str | None, last: str | None) -> None:
    totals: Counter[str] = Counter()
    with shadow(lake) as unharmed:
        index.update_all(unharmed)
        days = _days(unharmed, day, first, last)
        with out.progress("Counting", len(days)) as bar:
            for one in days:
                totals.update(count_dry(unharmed, one))
                bar.step()
    out.table(
        f"What {days[0] if len(days) == 1 else f'{len(days)} days'} would give (nothing was written)",
        ["what", "count"],
        sorted(totals.items()),
    )
    if not days:
        out.say("Everything is up to date: no day to count.")
    out.answer(days=days, counts=dict(sorted(totals.items())), dry_run=True)
    out.close()
