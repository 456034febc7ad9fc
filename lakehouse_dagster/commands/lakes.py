"""`lakehouse init` and `lakehouse demo`: a new lake, empty or with a sample company's logs in it."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lakehouse import index
from lakehouse.errors import GateFailed, UsageError
from lakehouse.lake import Lake
from lakehouse.roster.schema import PREFIXES
from lakehouse.sample import make_sample, read_traps
from lakehouse.sample.sessions import write_sample_sessions
from lakehouse.sample.subjects import new_subjects, write_sample_subjects
from lakehouse.sample.verify import unmet
from lakehouse.settings import set_first_day
from lakehouse_dagster.commands.distill import run_with_progress, show_run
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, DEFAULT_REPORTS, JsonOption, Out, ReportsOption, today
from resources import subjects
from resources.lake import utc_now

FolderArgument = Annotated[Path, typer.Argument(envvar="LAKEHOUSE_ROOT", help="The lake's folder.")]


def init(
    folder: FolderArgument = DEFAULT_LAKE,
    first_day: Annotated[
        str | None, typer.Option(help="The oldest day to process (YYYY-MM-DD); default: the oldest row's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new lake, or give a folder of logs its settings.

    Example: lakehouse init data
    """
    out = Out(as_json)
    lake = Lake(folder.resolve())
    try:
        lake.raw.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"no lake can be made ({error.strerror})", where=str(lake.root), mend="name a folder"
        ) from None
    if first_day is not None:
        _check_day(first_day)
    if first_day is None and lake.settings.first_day is None:
        index.update_all(lake)
        days = {day for name in lake.streams for day in index.load(lake, name).lines_by_day() if day <= today()}
        first_day = min(days, default=None)
    set_first_day(lake.toml, first_day)
    lake = Lake(lake.root)
    out.say(f"The lake [bold]{lake.root}[/bold] begins {_beginning(lake)}.")
    out.say(
        f"Next: put JSONL streams into {lake.raw}, or `lakehouse import`; then `lakehouse distill --lake {folder}`."
    )
    out.answer(lake=str(lake.root), first_day=lake.settings.first_day)
    out.close()


def demo(
    folder: FolderArgument = DEFAULT_LAKE,
    seed: Annotated[int, typer.Option(help="Another seed, other rows.")] = 7,
    days: Annotated[int, typer.Option(min=1, help="Days of logs.")] = 7,
    rows: Annotated[int, typer.Option(min=13, help="Clean rows a day, over all streams.")] = 400,
    last_day: Annotated[
        str | None,
        typer.Option(help="The last day (YYYY-MM-DD); default: yesterday. The same options, the same bytes."),
    ] = None,
    reports: ReportsOption = DEFAULT_REPORTS,
    as_json: JsonOption = False,
) -> None:
    """Make a sample lake with planted traps, run the whole chain on it, and say where to look.

    Example: lakehouse demo data --days 3 --rows 200
    """
    out = Out(as_json)
    root = folder.resolve()
    if (root / "traps.json").exists():
        out.say(f"The sample lake in [bold]{root}[/bold] is there already; running the chain on it.")
    else:
        _make(out, root, seed, days, rows, last_day)
    lake = Lake(root)
    index.update_all(lake)
    traps = read_traps(root)
    first = lake.settings.first_day or ""
    indexed = {day for name in lake.streams for day in index.load(lake, name).lines_by_day()}
    chain_days = sorted(day for day in indexed if first <= day <= today())
    result = run_with_progress(out, root, reports.resolve(), chain_days)
    show_run(out, lake, result, reports.resolve())
    missed = unmet(lake, traps)
    out.say(f"Traps: {len(traps) - len(missed)} of {len(traps)} came out as expected; {root / 'TRAPS.md'} lists them.")
    for trap, why in missed:
        out.say(f"  [red]{trap.id}[/red] at {trap.source_file}:{trap.line_offset}: {why}")
    out.say("")
    out.say("Where to look:")
    out.say(f"  the exports     {lake.sft}, and rag/ and preference/ beside it")
    out.say(f"  what was refused {root / 'quarantine'}")
    out.say(f"  the run         {reports.resolve() / 'distillation' / result.run_id / 'index.html'}")
    out.say(
        f"  the UI          make ui{'' if folder == DEFAULT_LAKE else f' LAKE={folder}'}, then http://localhost:3000"
    )
    out.say(f"  the sessions    {reports.resolve() / 'sessions' / 'index.html'}, and the replays beside it in replay/")
    out.say("")
    out.say("To search it, after pip install 'lakehouse-dagster\\[retrieval]' (docs/retrieval.md):")
    at = "" if folder == DEFAULT_LAKE else f" --lake {escape(str(folder))}"
    out.say(
        f"  lakehouse index build workers ethereal_workers{at}   (a minute; without names the chunks too, some minutes)"
    )
    out.say(f'  lakehouse search "Need 3 Forklift Operators in Detroit MI starting at 06:00"{at}')
    out.answer(
        lake=str(root),
        traps=len(traps),
        traps_missed=[{"id": trap.id, "why": why} for trap, why in missed],
    )
    out.close()
    if missed:
        raise GateFailed(f"{len(missed)} traps did not come out as expected", where=str(root / "TRAPS.md"))
    if not result.success:
        raise typer.Exit(result.exit_code)


def _make(out: Out, root: Path, seed: int, days: int, rows: int, last_day: str | None) -> None:
    """Make the sample lake, with everything that its agents leave."""
    end = date.fromisoformat(_check_day(last_day)) if last_day else datetime.now(UTC).date() - timedelta(days=1)
    if end.isoformat() > today():
        raise UsageError(f"{end} has not come yet", where="--last-day", mend=f"choose a day up to today, {today()}")
    lake, places = Lake(root), subjects.from_environment()
    keys, anchors = places.keys_of(lake), places.anchors_of(lake)
    # Before anything is made: anchors of a lake that was deleted would refuse the subjects afterwards.
    new_subjects(lake, keys, anchors)
    with out.progress("Making a sample lake", None):
        made = make_sample(root, seed=seed, days=days, rows_per_day=rows, last_day=end, rosters=True)
        sessions = write_sample_sessions(root, seed, made.first_day, days)
        looked_at = write_sample_subjects(lake, keys, anchors, utc_now, os.urandom)
    workers = sum(made.rosters[f"_kb/{name}.parquet"] for name in PREFIXES)
    out.say(
        f"Made a sample lake in [bold]{root}[/bold]: {sum(made.rows.values()):,} rows in {len(made.rows)} streams, "
        f"{made.first_day} to {made.last_day}, {len(made.traps)} planted traps, {workers:,} workers in {len(PREFIXES)} "
        f"rosters, {sessions} sessions, {len(looked_at)} subjects with signed logs."
    )


def _beginning(lake: Lake) -> str:
    first = lake.settings.first_day
    return f"on {first}" if first else "with its oldest row; first_day in lakehouse.toml can set a later day"


def _check_day(day: str) -> str:
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError:
        raise UsageError(f"{day!r} is no day", mend="write it as YYYY-MM-DD") from None
