"""`lakehouse replay`: do accepted tasks again with what the lake retrieves now, and compare."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.text import Text

from assets.agents import MOST_PASSAGES, MOST_TASKS
from lakehouse.chat.answer import ChatError
from lakehouse.errors import LakehouseError, OutsideFailure, UsageError
from lakehouse.lake import Lake
from lakehouse.replay import log
from lakehouse.replay.log import MEND
from lakehouse.replay.memory import Way, remembered
from lakehouse.replay.newest import NO_PASSAGES, replay_one
from lakehouse.replay.opening import Asked, similar_of
from lakehouse.replay.page import said
from lakehouse.replay.replaying import Replayer, of_stronger
from lakehouse.replay.report import ReplayReport
from lakehouse.replay.retrieval import nothing_more
from lakehouse.replay.tasks import Task, newest_of
from lakehouse.secrets import find
from lakehouse.validators.wire import read_error
from lakehouse.validators.wire import said as said_of
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
from lakehouse_dagster.running import run_replay
from resources import chat
from resources.replayer import open_with

SHOWN = 10


def replay(
    tasks: Annotated[
        int | None,
        typer.Option(
            "--tasks",
            min=1,
            max=MOST_TASKS,
            help="How many of the newest accepted tasks; default: as lakehouse.toml says, 20.",
        ),
    ] = None,
    task_id: Annotated[
        str | None, typer.Option("--task-id", help="One task alone: its newest accepted run. Makes no report.")
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="A task in your own words. Makes no report.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Who is asked: a name or a tier; default: as lakehouse.toml says.")
    ] = None,
    stronger: Annotated[
        str | None, typer.Option(help="Who is asked where an answer is not valid; default: as lakehouse.toml says.")
    ] = None,
    passages: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_PASSAGES, help="Passages per task; default: as lakehouse.toml says, 6."),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Ask also where an answer to the same question is there.")
    ] = False,
    lake: LakeOption = DEFAULT_LAKE,
    reports: ReportsOption = DEFAULT_REPORTS,
    as_json: JsonOption = False,
) -> None:
    """Do the newest accepted tasks again, each with passages of other runs, and compare with what was accepted.

    Answers go to _kb/replay_runs.jsonl. Ends with 3 where a model could not be asked; asking again costs nothing for what was
    answered.

    Example: lakehouse replay --tasks 20 --model qwen2.5 --stronger cloud_strong
    """
    named = [
        name for name, given in (("--tasks", tasks), ("--task-id", task_id), ("--text", text)) if given is not None
    ]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} are given", where="lakehouse replay", mend="give one of them")
    out = Out(as_json)
    opened = open_lake(lake)
    asked = Asked(model, stronger, passages)
    _askable(opened, asked)
    if task_id is not None or text is not None:
        task = newest_of(opened, task_id) if task_id is not None else _in_words(text or "")
        with open_with(opened, chat.from_environment(), lambda: vectors.embedder(opened), asked) as asking:
            _one(out, opened, asking, task, anew=anew)
        return
    count = tasks or opened.settings.replay.tasks
    with out.progress(f"Replaying {count:,} tasks", None):
        done = run_replay(opened.root, reports.resolve(), {"tasks": count, "anew": anew, **asked._asdict()})
    report = done.report
    held = remembered(opened)
    way = next(iter(held.ways.values()), None) if held is not None else None
    _tell(out, report, way, done.page)
    for check in done.failed_checks:
        out.say(f"[yellow]warning[/yellow] {check.check}: {escape(check.summary)}")
    out.answer(report=report, compared=_compared(way), page=str(done.page), failed_checks=done.failed_checks)
    out.close()
    failed = next((one for one in report.no_answer if one.kind != NO_PASSAGES), None)
    if failed is not None and as_json:
        raise typer.Exit(OutsideFailure.exit_code)
    if failed is not None:
        without = len(report.no_answer) + report.not_asked
        raise OutsideFailure(
            f"{failed.what} ({without} of {report.tasks} tasks have no answer)", where=failed.where, mend=failed.mend
        )


def _askable(lake: Lake, asked: Asked) -> None:
    """Look whether the models can be asked, before anything is opened: a provider without its key raises `ChatError`."""
    said = lake.settings.replay
    stronger = asked.stronger or said.stronger
    with chat.from_environment().open(lake, retrieve=nothing_more) as asking:
        asking.require(asked.model or said.model)
        if stronger is None:
            return
        try:
            asking.require(stronger)
        except ChatError as error:
            raise of_stronger(stronger, error) from error


def _in_words(text: str) -> Task:
    cleaned = text.encode("utf-8", "replace").decode().strip()
    if not cleaned:
        raise UsageError("the task is empty", where="--text", mend="say what is to be done")
    finding = find(cleaned)
    if finding is not None:
        raise UsageError(
            f"the task holds what must not go into a log or to a server ({finding.kind})",
            where="--text",
            mend="leave it out",
        )
    return Task(question=cleaned)


def _one(out: Out, lake: Lake, asking: Replayer, task: Task, *, anew: bool) -> None:
    """Do one task and show the answer."""
    if asking.retrieve.note:
        out.say(f"[yellow]note[/yellow] {escape(asking.retrieve.note)}")
    held = log.standing(lake)
    _passed_over(out, len(held.refused), log.place_of(held.refused[0]) if held.refused else None)
    row = replay_one(lake, task, asking, similar_of(asking), held, anew=anew)
    assert row is not None, "whoever asks gets a row or an error"
    run = row.run
    out.say(f"[bold]{escape(run.task)}[/bold]\n")
    out.table(
        "Retrieved",
        ["passage", "corpus", "distance"],
        [(one.id, one.corpus, f"{one.distance:.4f}") for one in run.retrieved],
    )
    out.say(escape(run.response) + "\n")
    asked = "asked now" if row.asked else "as it stood in the log; --anew asks again"
    out.say(f"{escape(run.provider)}/{escape(run.model)}{', the stronger model' if run.escalated else ''}, {asked}.")
    for error in run.validation.errors:
        out.say(f"[red]not valid[/red] {escape(_fault(error))}")
    if row.similarity is not None:
        then = "valid" if row.valid_then else "not valid"
        out.say(f"Similarity to what was accepted on {row.day} ({then} then): {row.similarity:.2f}")
    out.answer(replay=row)
    out.close()


def _tell(out: Out, report: ReplayReport, way: Way | None, page: Path) -> None:
    rows = [
        (
            one.task_id,
            one.day,
            f"{one.similarity:.2f}" if one.similarity is not None else "",
            "none" if one.nearest is None else f"{one.nearest:.3f}",
            "yes" if one.valid_then else "no",
            "yes" if one.run.validation.ok else Text("no", style="red"),
            "stronger" if one.run.escalated else "first",
            "now" if one.asked else "stood",
        )
        for one in report.least_similar[:SHOWN]
    ]
    columns = ["task", "day", "similarity", "nearest", "valid then", "valid now", "model", "asked"]
    out.table(f"The least alike of {len(report.rows)}", columns, rows)
    for failed in report.no_answer[:SHOWN]:
        out.say(f"[yellow]no answer[/yellow] {escape(failed.task_id)}: {escape(failed.what)} ({failed.kind})")
    stood = len(report.rows) - report.asked
    out.say(f"{escape(said(report))}; {report.asked} asked now, {stood} stood, {report.escalated} escalated.")
    if way is not None:
        out.say(f"Similarity: {escape(way.comparison)}.")
    if report.settings is None:
        out.say("Other models or passages than lakehouse.toml says: the gate replays_hold does not judge this report.")
    _passed_over(out, report.refused_lines, report.first_refused)
    if report.note:
        out.say(f"[yellow]note[/yellow] {escape(report.note)}")
    for day in report.held_days:
        out.say(f"[yellow]{day} is held back by a gate[/yellow]: its runs were not taken")
    out.say(f"Page: {page}")


def _passed_over(out: Out, lines: int, first: str | None) -> None:
    """Tell of the lines of the log that cannot be read, and what to do about them."""
    if first is not None:
        many = "1 line of the log:" if lines == 1 else f"{lines:,} lines of the log, the first"
        out.say(f"[yellow]passed over[/yellow] {many} {escape(first)}; {MEND}")


def _compared(way: Way | None) -> dict[str, object] | None:
    """Give the comparison with the report before as a machine reads it."""
    both = way.shared if way is not None else None
    if both is None:
        return None
    return {"run_id": both.before.run_id, "tasks": both.tasks, "mean_then": both.then, "mean_now": both.now}


def _fault(error: dict[str, object]) -> str:
    try:
        kind, field, reason = said_of(read_error(error))
    except LakehouseError:
        return str(error)
    return f"{kind}{f' {field}' if field else ''}: {reason}"
