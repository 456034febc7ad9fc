"""What many replays say: the rows and the counts.

Here: the shapes and the sums. Not here: replaying (`newest.py`), the page (`page.py`), what the lake remembers of it (`memory.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Literal

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
    `note` says why vectors that were built were not searched. `method` names the measure of similarity, of which there are
    `mean` and `median` where anything was compared. `settings` names the lake's own setting (`memory.own_setting`)
    where the report was made by it. `refused_lines` of the log cannot be read; `first_refused` says where the first is, and why.
    """

    schema_version: Literal[1]
    run_id: str
    session_id: str
    git_commit: str
    started_at: str
    finished_at: str
    settings: str | None = None
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
    first_refused: str | None = None
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


def averages(rows: Sequence[ReplayRow]) -> tuple[float | None, float | None]:
    """Give mean and median of the similarities, rounded to 4 digits; `None` where nothing was compared."""
    found = [row.similarity for row in rows if row.similarity is not None]
    return (round(fmean(found), 4), round(median(found), 4)) if found else (None, None)


def report_path(reports: Path, run_id: str) -> Path:
    """Where the page of a report lies; its record lies beside it as `.json`."""
    return reports / "replay" / f"{run_id}.html"
