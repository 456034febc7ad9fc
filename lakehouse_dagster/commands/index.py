"""`lakehouse index build|status|merge|rollback|queries`: the corpora that search looks in."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from lakehouse.audit.newest import newest_summary
from lakehouse.corpora import build as building
from lakehouse.corpora import merge as merging
from lakehouse.corpora import versions
from lakehouse.corpora.ready import source_file, why_held
from lakehouse.corpora.registry import Corpus, corpora, corpus
from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.files import sha256_of, write_whole
from lakehouse.gates.corpora import row_parity
from lakehouse.lake import Lake
from lakehouse.roster import answers
from lakehouse.search import ivf, saved
from lakehouse.search.opening import search_folder
from lakehouse_dagster.commands import vectors
from lakehouse_dagster.commands.shell import (
    DEFAULT_LAKE,
    DEFAULT_REPORTS,
    JsonOption,
    LakeOption,
    Out,
    ReportsOption,
    open_lake,
)

app = typer.Typer(
    no_args_is_help=True, help="Build the corpora that `lakehouse search` looks in, and see how they stand."
)

CorpusArgument = Annotated[
    str, typer.Argument(metavar="CORPUS", help="The corpus, as `lakehouse index status` names it.")
]


@app.command("build")
def build(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[CORPUS…]", help="Which; default: every one that has a source.")
    ] = None,
    lake: LakeOption = DEFAULT_LAKE,
    reports: ReportsOption = DEFAULT_REPORTS,
    anew: Annotated[
        bool, typer.Option("--anew", help="Make the tables afresh, as another embedder needs; their tags go.")
    ] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Let a source that became empty empty its corpus.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring corpora to what their sources hold: rosters, the RAG export, logs. Only texts that are new are embedded.

    Example: lakehouse index build workers rag
    """
    out = Out(as_json)
    opened = open_lake(lake)
    wanted, left_out, held = _wanted(opened, names or [])
    built = []
    with vectors.embedder(opened) as embedder, out.progress("Building", len(wanted)) as bar:
        for one in wanted:
            bar.describe(f"Building {one.name}")
            built.append(
                building.build(
                    opened,
                    one.name,
                    embedder,
                    vectors.now(),
                    _hash(opened, one, reports.resolve()),
                    lambda rows, name=one.name: bar.describe(f"Building {name}: {rows:,} rows read"),  # type: ignore[misc]
                    anew=anew,
                    allow_empty=allow_empty,
                )
            )
            vectors.serve(opened, one.name)
            bar.step()
        out.say(f"Embedded by {escape(str(embedder.identity))}.")
    rows = [
        (x.corpus, x.rows, x.embedded, x.cached, x.upserted, x.deleted, x.unchanged, x.refused, x.tag) for x in built
    ]
    columns = ["corpus", "rows", "embedded", "known", "written", "deleted", "unchanged", "refused", "tag"]
    out.table("Built", columns, rows)
    for left, why in left_out.items():
        out.say(f"Left out {left}: {escape(why)}")
    for report in built:
        if report.refused:
            path = building.quarantine_path(opened, report.corpus)
            out.say(f"[red]{report.refused:,} rows of {report.corpus} were refused[/red]; why: {escape(str(path))}")
    for name, why in held.items():
        out.say(f"[red]{name} stays as it is[/red]: {escape(why)}")
        out.say("  Bring the export to green (lakehouse gates list), then build again.")
    out.say(f'Next: lakehouse search "Need 2 Welders in Flint MI" --lake {escape(str(lake))}')
    out.answer(builds=built, left_out=left_out, held=held)
    out.close()
    if held:
        raise typer.Exit(1)


@app.command("status")
def status(lake: LakeOption = DEFAULT_LAKE, as_json: JsonOption = False) -> None:
    """Show each corpus: its rows, whether they are those of its source, its versions, its embedder, how it is searched.

    Example: lakehouse index status
    """
    out = Out(as_json)
    opened = open_lake(lake)
    rows = [_status(opened, one) for one in corpora(opened)]
    shown = ("corpus", "rows", "version", "source", "searched", "built", "tags")
    table = [[*(row[column] for column in shown[:-1]), ", ".join(list(row["tags"])[-3:])] for row in rows]
    out.table("Corpora", shown, table)
    for embedder in sorted({row["embedder"] for row in rows if row["embedder"]}):
        names = [row["corpus"] for row in rows if row["embedder"] == embedder]
        out.say(f"Embedded by {escape(embedder)}: {', '.join(names)}.")
    for row in rows:
        if row["source"] == "damaged":
            out.say(f"[red]{row['corpus']} is damaged[/red]: {escape(row['why'])}")
        if row["source"] == "differs":
            out.say(f"[yellow]{row['corpus']} differs from its source[/yellow]: {escape(row['why'])}")
            out.say(f"  Next: lakehouse index build {row['corpus']} --lake {escape(str(lake))}")
    if not any(row["version"] for row in rows):
        out.say(f"Nothing is built yet. Next: lakehouse index build --lake {escape(str(lake))}")
    out.answer(corpora=rows)
    out.close()


@app.command("merge")
def merge(
    src: Annotated[str, typer.Argument(metavar="SRC", help="The corpus whose rows are added.")],
    dest: Annotated[str, typer.Argument(metavar="DEST", help="The corpus that they are added to.")],
    lake: LakeOption = DEFAULT_LAKE,
    clear_source: Annotated[
        bool, typer.Option("--clear-source", help="Then take out of SRC what has arrived in DEST.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add the rows of one corpus to another; an id that is there already stays as it is.

    Example: lakehouse index merge fresh_workers workers --clear-source
    """
    out = Out(as_json)
    opened = open_lake(lake)
    report = merging.merge(opened, src, dest, vectors.now(), clear_source=clear_source)
    vectors.serve(opened, src, dest)
    said = f"{report.arrived:,} rows of {src} arrived in {dest}, {report.skipped:,} were there already"
    out.say(f"{said}; {report.cleared:,} were taken out of {src}." if clear_source else f"{said}.")
    out.answer(merge=report)
    out.close()


@app.command("rollback")
def rollback(
    name: CorpusArgument,
    tag: Annotated[str, typer.Argument(metavar="TAG", help="One of the tags that `lakehouse index status` shows.")],
    lake: LakeOption = DEFAULT_LAKE,
    as_json: JsonOption = False,
) -> None:
    """Bring back what a corpus was at a tag. Its next build brings it to its source again.

    Example: lakehouse index rollback workers 3fa94c1be220-2
    """
    out = Out(as_json)
    opened = open_lake(lake)
    version = versions.rollback(opened, name, tag)
    vectors.serve(opened, name)
    rows = versions.status(opened, name).rows
    out.say(f"{name} is what it was at {tag} ({rows:,} rows), as version {version}.")
    out.say("Mend its source before the next build, which brings it to that again.")
    out.answer(corpus=name, tag=tag, version=version, rows=rows)
    out.close()


@app.command("queries")
def queries(
    lake: LakeOption = DEFAULT_LAKE,
    reports: ReportsOption = DEFAULT_REPORTS,
    count: Annotated[int, typer.Option(min=1, help="Demands drawn; each is asked in four styles.")] = 50,
    seed: Annotated[int, typer.Option(help="Another seed, other demands.")] = 7,
    least: Annotated[float, typer.Option(min=0, max=1, help="The share that must be right in every style.")] = 0.95,
    as_json: JsonOption = False,
) -> None:
    """Ask for workers that the rosters hold, and count how often the first result has the role and the city.

    Example: lakehouse index queries --count 200
    """
    out = Out(as_json)
    opened = open_lake(lake)
    with vectors.retrieval(opened) as searching, out.progress("Asking", None):
        found = answers.roster_report(opened, searching, seed, count)
    path = reports.resolve() / "retrieval" / "roster_queries.md"
    write_whole(path, answers.page(found, vectors.now(), least).encode())
    out.table("The first result, by style", answers.COLUMNS, answers.table(found))
    out.table("Workers that no roster holds", answers.ABSENT_COLUMNS, answers.absent_table(found))
    below = answers.below(found, least)
    for style in below:
        out.say(f"[red]{style}[/red]: fewer than {least:.0%} have the role and the city")
    if not below:
        out.say(f"In every style {least:.0%} or more have the role and the city.")
    out.say(escape(str(path)))
    out.answer(report=found, below=below, path=str(path))
    out.close()
    if below:
        raise typer.Exit(1)


def _wanted(lake: Lake, names: list[str]) -> tuple[list[Corpus], dict[str, str], dict[str, str]]:
    """Give the corpora to build, why others are left out, and which gate holds some back.

    A corpus that is named is built or an error, unless a gate holds it.
    """
    known = [corpus(name) for name in dict.fromkeys(names)] or corpora(lake)
    there = known if names else [one for one in known if source_file(lake, one) is not None]
    if not there:
        raise UsageError(
            "there is nothing to build a corpus from",
            where=str(lake.root),
            mend="put workers.parquet or workers.csv into _kb/, or publish a RAG export with `lakehouse distill`",
        )
    held = {one.name: why for one in there if (why := why_held(lake, one)) is not None}
    left_out = {one.name: f"there is no {one.source}" for one in known if one not in there}
    return [one for one in there if one.name not in held], left_out, held


def _hash(lake: Lake, one: Corpus, reports: Path) -> str:
    """Name a build as the asset does: by the run that finished last, else by the bytes of the source."""
    summary = newest_summary(reports)
    if summary is not None:
        return summary.run_hash
    path = source_file(lake, one)
    return sha256_of(path) if path is not None else ""


def _status(lake: Lake, one: Corpus) -> dict[str, Any]:
    """Say how a corpus stands; one whose table is damaged says so, and hides no other."""
    try:
        found = versions.status(lake, one.name)
        state, why = _against_source(lake, one, built=bool(found.version))
    except OutsideFailure as error:
        empty = {"rows": 0, "version": 0, "searched": "", "built": "", "tags": {}, "embedder": "", "identity": None}
        named = {"corpus": one.name, "source": "damaged", "waiting_bytes": 0, "source_file": one.source}
        return {**named, **empty, "why": str(error)}
    return {
        "corpus": one.name,
        "rows": found.rows,
        "version": found.table_version,
        "source": state,
        "searched": _searched(lake, one, found.rows) if found.version else "",
        "built": found.built_at[:19],
        "tags": found.tags,
        "embedder": str(found.embedder or ""),
        "identity": found.embedder,
        "waiting_bytes": asdict(found)["waiting"],
        "source_file": one.source,
        "why": why,
    }


def _against_source(lake: Lake, one: Corpus, *, built: bool) -> tuple[str, str]:
    """Say whether a corpus holds what its source does, by reading both."""
    try:
        there = source_file(lake, one) is not None
    except UsageError as error:
        return "differs" if built else "unclear", str(error)
    if not built:
        return "not built" if there else "none", ""
    verdict = row_parity(lake, one.name, vectors.now())
    return ("same" if verdict.passed else "differs"), verdict.summary


def _searched(lake: Lake, one: Corpus, rows: int) -> str:
    if rows < one.graph_from:
        return "exactly"
    if not ivf.available():
        return "exactly (no faiss)"
    snapshot = saved.load(search_folder(lake, one.name))
    lists = snapshot.lists if snapshot else None
    return f"index, {len(lists.centroids)} lists" if lists else "index, made when searched"
