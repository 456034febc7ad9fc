"""Replaying the newest accepted tasks, and comparing each answer with the one that was accepted.

Here: the loop, when it gives up, and the receipt. Not here: one replay (`replaying.py`), the shapes (`report.py`), the page.

Each answer is in the log before the next task is asked. Where the log holds an answer to the very question (same task, same
passages, same models, same prompt), it stands and nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from lakehouse.chain.manifests import read_manifest
from lakehouse.chat.answer import ChatError, Kind
from lakehouse.files import sha256_of, write_whole
from lakehouse.jsonl import write_json
from lakehouse.lake import Lake
from lakehouse.publish.exports import RAG, Published
from lakehouse.publish.state import read_publication
from lakehouse.records import FileRef
from lakehouse.replay import log
from lakehouse.replay.checks import faults
from lakehouse.replay.memory import remember
from lakehouse.replay.page import render
from lakehouse.replay.replaying import Replayer
from lakehouse.replay.report import NoAnswer, ReplayReport, ReplayRow, averages, report_path
from lakehouse.replay.retrieval import VECTORS
from lakehouse.replay.similar import Similar
from lakehouse.replay.tasks import Task, newest_accepted
from lakehouse.run import Run, Stage

STAGE: Final = "replay"
VERSION: Final = "replay-1"
FOR_GOOD: Final[frozenset[Kind]] = frozenset(
    {"provider_not_configured", "unreachable", "unauthorized", "model_not_found"}
)
"""Failures that every later task would meet too: the first of them ends the asking."""
IN_A_ROW: Final = 3
"""Other failures one after the other that end it: each has cost all tries of a call."""
NO_PASSAGES: Final[Kind] = "nothing_retrieved"
"""What a provider without a model says of a task for which nothing was found: it was asked, and is well."""

Listen = Callable[[int, int], None]
"""Hears how many tasks are done, and of how many."""
UNHEARD: Listen = lambda done, of: None  # noqa: E731 - a default, and no function of its own


def replay_newest(
    lake: Lake,
    run: Run,
    replayer: Replayer,
    similar: Similar,
    n: int,
    *,
    anew: bool = False,
    listen: Listen = UNHEARD,
) -> ReplayReport:
    """Do the newest `n` accepted tasks again and write the report; `anew` asks also where an answer stands.

    A task whose call failed is counted apart and has no row in the log, so that the next run asks it. Raises `UsageError`
    where retrieval cannot be opened, `RecordError` where evidence cannot be read.
    """
    started = run.now()
    with Stage(run, STAGE, VERSION) as stage:
        tasks, passed = newest_accepted(lake, n)
        held = log.standing(lake)
        rows: list[ReplayRow] = []
        failed: list[NoAnswer] = []
        in_a_row = left = 0
        asking = True
        for place, task in enumerate(tasks):
            listen(place, len(tasks))
            try:
                row = replay_one(lake, task, replayer, similar, held, anew=anew and asking, asking=asking)
            except ChatError as error:
                failed.append(
                    NoAnswer(
                        task_id=task.task_id or "", kind=error.kind, where=error.where, what=error.what, mend=error.mend
                    )
                )
                in_a_row += error.kind != NO_PASSAGES
                # The answers that stand are still compared.
                asking = error.kind not in FOR_GOOD and in_a_row < IN_A_ROW
                continue
            if row is None:
                left += 1
                continue
            rows.append(row)
            in_a_row = 0 if row.asked else in_a_row
        listen(len(tasks), len(tasks))
        mean, middle = averages(rows)
        report = ReplayReport(
            schema_version=1,
            run_id=run.run_id,
            session_id=replayer.session_id,
            git_commit=run.git_commit,
            started_at=started,
            finished_at=run.now(),
            settings=replayer.settings,
            model=replayer.model,
            stronger=replayer.stronger,
            passages=replayer.passages,
            corpus=replayer.retrieve.corpus,
            retrieval="vectors" if replayer.retrieve.corpus == VECTORS else "full text",
            note=replayer.retrieve.note or None,
            method=similar.method,
            wanted=n,
            rows=rows,
            no_answer=failed,
            not_asked=left,
            skipped=dict(sorted(passed.skipped.items())),
            held_days=passed.held_days,
            refused_lines=len(held.refused),
            first_refused=log.place_of(held.refused[0]) if held.refused else None,
            mean=mean,
            median=middle,
        )
        stage.published(_accounted(lake, report), [])
        write_report(lake, run.reports, report)
    return report


def replay_one(
    lake: Lake,
    task: Task,
    replayer: Replayer,
    similar: Similar,
    held: log.Standing,
    *,
    anew: bool = False,
    asking: bool = True,
) -> ReplayRow | None:
    """Do one task again, or take the answer that stands, and compare it; `None` where none stands and nobody is to be asked.

    Raises `ChatError` where it cannot be asked.
    """
    prepared = replayer.prepare(task)
    found = None if anew else log.standing_answer(lake, held, prepared.fingerprint)
    if found is None and not asking:
        return None
    if found is None:
        made = replayer.ask(prepared)
        log.record(lake, made)
    else:
        made = found
    row = ReplayRow(
        task_id=task.task_id or "",
        stream=task.stream,
        day=task.day,
        asked=found is None,
        run=made,
        accepted=task.accepted,
    )
    if task.accepted is not None:
        row.similarity = round(similar.of(made.response, task.accepted), 4)
        if task.valid_then is None:
            row.valid_then, row.then_from = not faults(task.accepted, "stop", task.kind, replayer.validate), "checks"
        else:
            row.valid_then, row.then_from = task.valid_then, "record"
    return row


def write_report(lake: Lake, reports: Path, report: ReplayReport) -> Path:
    """Write a report's page and record, and let the lake remember its numbers; give the page's path."""
    path = report_path(reports, report.run_id)
    write_json(path.with_suffix(".json"), report)
    write_whole(path, render(report))
    remember(lake, report)
    return path


def _accounted(lake: Lake, report: ReplayReport) -> Published:
    """Account for the report as a receipt does: every accepted run that was looked at was answered, or says why not."""
    left = {"no_answer": len(report.no_answer), "not_asked": report.not_asked, **report.skipped}
    skipped = {reason: number for reason, number in sorted(left.items()) if number}
    return Published(
        inputs=_read(lake, report),
        outputs=_log(lake),
        held_days=report.held_days,
        records_in=len(report.rows) + sum(skipped.values()),
        records_out=len(report.rows),
        items_out=report.asked,
        records_quarantined=0,
        skip_reasons=skipped,
        verdicts=[],
    )


def _read(lake: Lake, report: ReplayReport) -> list[FileRef]:
    """Name what the tasks and the passages are from: evidence and verdicts of their days, and the export."""
    found = []
    for stage in ("collect", "score"):
        for day in sorted({row.day for row in report.rows}):
            manifest = read_manifest(lake, stage, day)
            found += [ref for ref in manifest.outputs if ref.path.startswith(_DATA)] if manifest else []
    last = read_publication(lake, RAG.asset)
    return [*found, *(ref for ref in (last.outputs if last else ()) if ref.path == lake.relative(RAG.main(lake)))]


_DATA: Final = ("evidence/", "scored-runs/")


def _log(lake: Lake) -> list[FileRef]:
    path = lake.replays
    if not path.exists():
        return []
    with path.open("rb") as file:
        rows = sum(1 for _ in file)
    return [FileRef(path=lake.relative(path), rows=rows, bytes=path.stat().st_size, sha256=sha256_of(path))]
