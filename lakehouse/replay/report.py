"""What many replays say: the rows, the counts, and what is remembered of the newest report for the gate.

Here: the shapes, the sums, writing and reading them. Not here: replaying (`newest.py`), the page (`page.py`).

A report lies in the reports folder, which may be anywhere; the gate looks at the lake. So the lake keeps the numbers of the
newest report and of those before it (`index/replays.json`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final, Literal

from lakehouse.chain.manifests import fingerprint
from lakehouse.errors import RecordError
from lakehouse.files import locked
from lakehouse.jsonl import read_json, write_json
from lakehouse.lake import Lake
from lakehouse.records import Record, ReplayRun


class ReplayRow(Record, kw_only=True):
    """One task done again, beside what was accepted. `run` is the row of the log; `asked` says that it was made just now.

    `then_from` says where `valid_then` is from: the run's own record, or the same checks on the accepted text. `similarity` and
    `accepted` are absent where there was nothing to compare with.
    """

    task_id: str
    stream: str
    day: str
    accepted: str | None = None
    similarity: float | None = None
    valid_then: bool | None = None
    then_from: Literal["record", "checks"] | None = None
    asked: bool
    run: ReplayRun

    @property
    def nearest(self) -> float | None:
        """The distance of the nearest passage, `None` without any."""
        return min((one.distance for one in self.run.retrieved), default=None)


class NoAnswer(Record, kw_only=True):
    """A task that got no answer: no failed validation, and nothing is in the log. `kind` is the chat's word for why."""

    task_id: str
    kind: str
    where: str
    what: str
    mend: str


class ReplayReport(Record, kw_only=True):
    """The newest accepted tasks, done again.

    `wanted` were asked for; `skipped` counts the newer accepted runs that were passed over, by reason, and `held_days` are the
    newer days that a gate holds back. `not_asked` counts the tasks that were left when the provider failed for good.
    `note` says why vectors that were built were not searched. `method` names the measure of similarity, of which there are `mean` and `median` where anything was compared.
    """

    schema_version: Literal[1]
    run_id: str
    session_id: str
    git_commit: str
    started_at: str
    finished_at: str
    model: str
    stronger: str | None = None
    passages: int
    corpus: str
    retrieval: Literal["vectors", "full text"]
    note: str | None = None
    method: str
    wanted: int
    rows: list[ReplayRow]
    no_answer: list[NoAnswer]
    not_asked: int
    skipped: dict[str, int]
    held_days: dict[str, str]
    refused_lines: int
    mean: float | None = None
    median: float | None = None

    @property
    def tasks(self) -> int:
        """How many tasks there were, answered or not."""
        return len(self.rows) + len(self.no_answer) + self.not_asked

    @property
    def asked(self) -> int:
        """How many were asked just now; the other answers stood in the log."""
        return sum(row.asked for row in self.rows)

    @property
    def valid(self) -> int:
        """How many answers are valid."""
        return sum(row.run.validation.ok for row in self.rows)

    @property
    def valid_then(self) -> int:
        """How many of the accepted answers are valid."""
        return sum(bool(row.valid_then) for row in self.rows)

    @property
    def escalated(self) -> int:
        """How many answers are of the stronger model."""
        return sum(row.run.escalated for row in self.rows)

    @property
    def least_similar(self) -> list[ReplayRow]:
        """The rows that were compared, the least similar first."""
        compared = [row for row in self.rows if row.similarity is not None]
        return sorted(compared, key=lambda row: (row.similarity or 0.0, row.task_id))


class Told(Record, kw_only=True):
    """What a report said, as far as the gate needs it. `replays` are the ids of its rows in the log, newest task first."""

    run_id: str
    finished_at: str
    model: str
    stronger: str | None = None
    passages: int
    corpus: str
    method: str
    tasks: int
    no_answer: int
    not_asked: int
    replays: list[str]
    compared: int
    mean: float | None = None
    content: str

    @property
    def way(self) -> tuple[object, ...]:
        """How it came about: only the means of reports that came about alike can be compared."""
        return self.method, self.model, self.stronger, self.corpus, self.passages


class Remembered(Record, kw_only=True):
    """`index/replays.json`: the newest report, and those before it that said something else, the newest first.

    Of each way to replay one is kept: a person who tries another model takes nothing from the comparison of the nights.
    """

    schema_version: Literal[1]
    newest: Told
    before: list[Told]


_MOST_WAYS: Final = 20


def state_path(lake: Lake) -> Path:
    """Where the lake remembers its newest reports."""
    return lake.root / "index" / "replays.json"


def remembered(lake: Lake) -> Remembered | None:
    """Give what is remembered, `None` where no report was made. Raises `RecordError`."""
    return read_json(state_path(lake), Remembered)


def remember(lake: Lake, report: ReplayReport) -> None:
    """Remember a report as the newest; one that says what the newest says changes no byte, as on every re-run."""
    told = _told(report)
    with locked(lake.lock("replays")):
        try:
            held = remembered(lake)
        except RecordError:
            # The gate has said so; what is lost is what to compare with.
            held = None
        if held is not None and (held.newest.content, held.newest.way) == (told.content, told.way):
            return
        before: dict[tuple[object, ...], Told] = {}
        for one in [held.newest, *held.before] if held is not None else []:
            if one.content != told.content:
                before.setdefault(one.way, one)
        kept = list(before.values())[:_MOST_WAYS]
        write_json(state_path(lake), Remembered(schema_version=1, newest=told, before=kept))


def _told(report: ReplayReport) -> Told:
    compared = [row.similarity for row in report.rows if row.similarity is not None]
    rows: list[Any] = [(row.run.fingerprint, row.run.run_id, row.similarity) for row in report.rows]
    failed = [(one.task_id, one.kind) for one in report.no_answer]
    return Told(
        run_id=report.run_id,
        finished_at=report.finished_at,
        model=report.model,
        stronger=report.stronger,
        passages=report.passages,
        corpus=report.corpus,
        method=report.method,
        tasks=report.tasks,
        no_answer=len(report.no_answer),
        not_asked=report.not_asked,
        replays=[row.run.run_id for row in report.rows],
        compared=len(compared),
        mean=report.mean,
        content=fingerprint(report.method, rows, failed, report.not_asked),
    )


def averages(rows: Sequence[ReplayRow]) -> tuple[float | None, float | None]:
    """Give mean and median of the similarities, rounded to 4 digits; `None` where nothing was compared."""
    found = [row.similarity for row in rows if row.similarity is not None]
    return (round(fmean(found), 4), round(median(found), 4)) if found else (None, None)


def report_path(reports: Path, run_id: str) -> Path:
    """Where the page of a report lies; its record lies beside it as `.json`."""
    return reports / "replay" / f"{run_id}.html"
