"""`lakehouse release list|show|diff|verify|create` and `lakehouse recall`: what was released, and taking a run back."""

import getpass
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from lakehouse import index
from lakehouse.errors import GateFailed
from lakehouse.lake import Lake
from lakehouse.records import Release
from lakehouse.release import compare, store
from lakehouse.release import recall as recalling
from lakehouse.release import verify as verifying
from lakehouse.release.make import unnamed_waivers
from lakehouse.sql import connect
from lakehouse.timestamps import written
from lakehouse_dagster.commands.distill import days_due, run_with_progress
from lakehouse_dagster.commands.shell import (
    DEFAULT_LAKE,
    DEFAULT_REPORTS,
    JsonOption,
    LakeOption,
    Out,
    ReportsOption,
    open_lake,
)
from lakehouse_dagster.running import run_release

app = typer.Typer(no_args_is_help=True, help="Make, list, compare and verify immutable releases.")

HashArgument = Annotated[str, typer.Argument(help="The first digits of a release's hash.")]
ByOption = Annotated[str | None, typer.Option(help="Who signs it off; default: the user's name.")]
SHORT = 12
SHOWN = 50


def make(out: Out, lake: Lake, reports: Path, by: str) -> Release:
    """Release what is published as it is, by the same Dagster job that the UI starts."""
    with out.progress("Hashing what is published", None):
        return store.read_release(lake, run_release(lake.root, reports, by))


def catch_up(out: Out, lake: Lake, reports: Path) -> None:
    """Bring every day and export up to date. Raises `GateFailed` where a gate holds something back."""
    index.update_all(lake)
    days = days_due(lake)
    result = run_with_progress(out, lake.root, reports, days) if days else None
    if result is not None and not result.success:
        raise GateFailed(
            "; ".join(result.errors) or f"a gate is red ({', '.join(one.check for one in result.failed_checks)})",
            where=str(reports / "distillation" / result.run_id),
            mend="mend it and recall again; the releases that hold the run are marked already",
        )


@app.command("create")
def create(
    lake: LakeOption = DEFAULT_LAKE,
    reports: ReportsOption = DEFAULT_REPORTS,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Release what is published: an immutable folder with the verdicts it rests on. Refused while any gate is not green.

    Example: lakehouse release create --by ann
    """
    out = Out(as_json)
    opened = open_lake(lake)
    before = set(store.hashes(opened))
    release = make(out, opened, reports.resolve(), by or getpass.getuser())
    _tell_of(out, opened, release, created=release.release_hash not in before)
    out.close()


@app.command("list")
def list_releases(lake: LakeOption = DEFAULT_LAKE, as_json: JsonOption = False) -> None:
    """List the releases, the newest first: ok, superseded by a newer one, or recalled.

    Example: lakehouse release list
    """
    out = Out(as_json)
    rows = [
        {
            "release": one.release_hash,
            "created": one.release.created_at if one.release else "",
            "state": one.state if one.release else "damaged",
            **_rows_of(one.release),
        }
        for one in store.listed(open_lake(lake))
    ]
    shown = [[str(row["release"])[:SHORT], *list(row.values())[1:]] for row in rows]
    out.table("Releases", list(rows[0]) if rows else [], shown)
    if not rows:
        out.say("There is no release yet. Make one with: lakehouse release create")
    out.answer(releases=rows)
    out.close()


@app.command("show")
def show(release_hash: HashArgument, lake: LakeOption = DEFAULT_LAKE, as_json: JsonOption = False) -> None:
    """Show what a release holds, what was left out of it, and what it rests on.

    Example: lakehouse release show 3fa94c1b
    """
    out = Out(as_json)
    opened = open_lake(lake)
    found = store.find(opened, release_hash)
    release, listed = store.read_release(opened, found), store.state_of(opened, found)
    signed = store.read_signed(opened, found)
    out.say(f"[bold]{found}[/bold] is {listed.state}, made {release.created_at}.")
    out.say(str(store.path_of(opened, found)))
    data = [ref for ref in release.files if ref.content_sha256 is not None]
    out.table("Data", ["file", "rows", "bytes", "sha256"], [(x.path, x.rows, x.bytes, x.sha256[:SHORT]) for x in data])
    counts = [
        (asset, table, name, number)
        for asset, tables in release.counts.items()
        for table, numbers in tables.items()
        for name, number in numbers.items()
    ]
    out.table("Counts", ["export", "of", "which", "count"], counts)
    left = [(asset, why, number) for asset, reasons in release.left_out.items() for why, number in reasons.items()]
    out.table("Left out", ["export", "why", "runs"], left)
    asked = [(asset, key, value) for asset, held in release.settings.items() for key, value in held.items()]
    out.table("Settings", ["export", "setting", "value"], [(a, k, str(v)) for a, k, v in asked])
    if signed is not None:
        warned = [one for one in signed.verdicts if not one.verdict.passed]
        out.say(f"{len(signed.verdicts)} verdicts, signed off by {signed.signed_off_by}; {len(warned)} of them warn.")
        out.table(
            "Warnings", ["asset", "check", "what"], [(x.asset, x.verdict.check, x.verdict.summary) for x in warned]
        )
    if release.receipts_absent:
        out.say(f"No receipts: {release.receipts_absent}.")
    out.table(
        "Recalls",
        ["run", "row", "then", "now", "why", "by"],
        [(x.run_id, x.sig_hash[:SHORT], x.verdict_then, x.verdict_now, x.reason, x.by) for x in listed.recalls],
    )
    out.answer(release=release, state=listed.state, recalls=listed.recalls, signed=signed)
    out.close()


@app.command("diff")
def diff(
    before: HashArgument,
    after: HashArgument,
    lake: LakeOption = DEFAULT_LAKE,
    limit: Annotated[int, typer.Option(min=0, help="How many ids of each export at the most.")] = SHOWN,
    as_json: JsonOption = False,
) -> None:
    """Say which samples, chunks and pairs came and went between two releases, and which settings changed.

    Example: lakehouse release diff 3fa94c1b 77d0e2a9 --limit 1000
    """
    out = Out(as_json)
    opened = open_lake(lake)
    first, second = store.find(opened, before), store.find(opened, after)
    counts: list[compare.Count] = []
    ids: list[compare.Change] = []
    with closing(connect(opened)) as connection:
        folders = (store.path_of(opened, first), store.path_of(opened, second))
        for counted, changed in compare.changes(connection, *folders):
            counts.extend(counted)
            ids.extend(islice(changed, limit))
    settings = compare.settings_changed(store.read_release(opened, first), store.read_release(opened, second))
    columns = ["export", "change", "stream", "category", "split"]
    out.table("Rows", [*columns, "rows"], [(x.export, x.change, x.stream, x.category, x.split, x.rows) for x in counts])
    out.table("Ids", [*columns, "id"], [(x.export, x.change, x.stream, x.category, x.split, x.id) for x in ids])
    out.table("Settings", ["setting", "before", "after"], [(x.name, str(x.before), str(x.after)) for x in settings])
    total = sum(one.rows for one in counts)
    if not total:
        out.say("Both hold the same samples, chunks and pairs.")
    elif total > len(ids):
        out.say(f"{total - len(ids):,} more ids: --limit shows more of each export.")
    out.answer(before=first, after=second, counts=counts, changes=ids, all_changes=total, settings=settings)
    out.close()


@app.command("verify")
def verify(
    release_hash: Annotated[str | None, typer.Argument(help="The first digits of its hash; default: all.")] = None,
    lake: LakeOption = DEFAULT_LAKE,
    as_json: JsonOption = False,
) -> None:
    """Recompute every hash of a release, and name what is missing, changed or extra.

    Example: lakehouse release verify 3fa94c1b
    """
    out = Out(as_json)
    opened = open_lake(lake)
    wanted = store.hashes(opened) if release_hash is None else [store.find(opened, release_hash)]
    results = []
    for one in wanted:
        with out.progress(f"Verifying {one[:SHORT]}", None) as bar:
            found = verifying.verify(store.path_of(opened, one), bar.step)
        results.append({"release": one, "files": found.files, "ok": not found.problems, "problems": found.problems})
        out.table(f"Wrong in {one[:SHORT]}", ["file", "what"], [(x.path, x.what) for x in found.problems])
        if not found.problems:
            out.say(f"{one[:SHORT]} is whole: {found.files} files, every hash as it was.")
    if not wanted:
        out.say("There is no release to verify.")
    out.answer(releases=results)
    out.close()
    if not all(one["ok"] for one in results):
        raise typer.Exit(1)


def recall(
    run: Annotated[str, typer.Option("--run", help="The run's id, as source_run_id of a sample says it.")],
    stream: Annotated[str | None, typer.Option(help="Only the run of this stream.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; default: the reason of whoever decided.")] = None,
    lake: LakeOption = DEFAULT_LAKE,
    reports: ReportsOption = DEFAULT_REPORTS,
    by: ByOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say where the run lies.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take back a run whose verdict changed: mark the releases that hold it, and make the next one without it.

    Example: lakehouse recall --run scrum_reviews-3fa94c1be2200617
    """
    out = Out(as_json)
    opened = open_lake(lake)
    who = by or getpass.getuser()
    with closing(connect(opened)) as connection:
        if dry_run:
            found = recalling.look_up(opened, connection, run, stream)
        else:
            found = recalling.recall(opened, connection, run, stream=stream, reason=reason, by=who, at=_now())
    _tell_of_run(out, found, dry_run)
    release = None
    if found.changed and not dry_run:
        before = set(store.hashes(opened))
        catch_up(out, opened, reports.resolve())
        # The days may have been made anew, so the lake is opened again, and what spilled before is gone.
        release = make(out, Lake(opened.root), reports.resolve(), who)
        with closing(connect(opened)) as connection:
            recalling.check_gone(Lake(opened.root), connection, found, release.release_hash)
        _tell_of(out, opened, release, created=release.release_hash not in before)
        out.say(f"It does not hold run {run} as it was.")
    out.answer(
        run_id=run, rows=found.rows, found=found.found, marked=found.marked, silent=found.silent, dry_run=dry_run
    )
    out.close()


def _tell_of_run(out: Out, found: recalling.Recall, dry_run: bool) -> None:
    out.table(
        f"Run {found.run_id}",
        ["row", "stream", "task", "scored", "now", "by"],
        [(x.sig_hash[:SHORT], x.stream, x.task_id, x.scored, x.verdict, x.by or "") for x in found.rows],
    )
    out.table(
        "In releases",
        ["release", "file", "id", "then", "now"],
        [(x.release_hash[:SHORT], x.file, x.id, x.verdict_then, x.verdict_now) for x in found.found],
    )
    for name in found.silent:
        out.say(f"[red]nobody can say[/red] whether it is in {name}: its lines name no runs")
    if not found.found:
        out.say("It lies in no release: there is nothing to recall.")
    elif not dry_run:
        releases = len({row.release_hash for row in found.changed})
        new = len({row.release_hash for row in found.marked})
        out.say(f"{releases} releases are recalled, {new} of them now.")


def _tell_of(out: Out, lake: Lake, release: Release, *, created: bool) -> None:
    rows = _rows_of(release)
    what = ", ".join(f"{number:,} {name}" for name, number in rows.items())
    if created:
        out.say(f"Released [bold]{release.release_hash}[/bold] ({what}).")
    else:
        signed = store.read_signed(lake, release.release_hash)
        by = f", signed off by {signed.signed_off_by}" if signed else ""
        out.say(
            f"What is published is release [bold]{release.release_hash}[/bold] already ({what}), "
            f"made {release.created_at}{by}."
        )
    unnamed = unnamed_waivers(lake, release)
    for one in unnamed:
        out.say(
            f"[yellow]not in it[/yellow]: the waiver of {one.asset}/{one.check} of {one.partition} by {escape(one.by)}, "
            "given since; the release that is there names its own verdicts"
        )
    out.say(str(store.path_of(lake, release.release_hash)))
    out.answer(
        created=created,
        release_hash=release.release_hash,
        path=str(store.path_of(lake, release.release_hash)),
        release=release,
        waivers_since=unnamed,
    )


def _rows_of(release: Release | None) -> dict[str, Any]:
    """Count what a release holds, by its native files."""
    native = {
        "samples": "sft/sft_export.jsonl",
        "chunks": "rag/rag_export.jsonl",
        "pairs": "preference/preference_export.jsonl",
    }
    by_path = {ref.path: ref.rows for ref in release.files} if release is not None else {}
    return {what: by_path.get(path, 0) for what, path in native.items()}


def _now() -> str:
    return written(datetime.now(UTC))
