"""Which run finished last, by the summaries in the reports folder.

Here: reading all summaries, and choosing. Not here: what is checked of one (`runs.py`), writing one
(`lakehouse.summary`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lakehouse.errors import RecordError
from lakehouse.jsonl import read_json
from lakehouse.records import RunSummary

SUMMARY = "summary.json"


@dataclass(frozen=True)
class Summaries:
    """The summaries of a reports folder by their file, oldest first, and the files that cannot be read, with the reason."""

    read: dict[Path, RunSummary] = field(default_factory=dict)
    unreadable: dict[Path, str] = field(default_factory=dict)

    @property
    def newest(self) -> tuple[Path, RunSummary] | None:
        """The run that finished last; a run that was stopped did not finish."""
        return next(((path, one) for path, one in reversed(self.read.items()) if one.status == "ok"), None)

    @property
    def stopped_since(self) -> list[RunSummary]:
        """The runs that were stopped after the newest finished one."""
        newest = self.newest
        return [
            one
            for one in self.read.values()
            if one.status != "ok" and (newest is None or one.finished_at > newest[1].finished_at)
        ]


def find_summaries(reports: Path) -> Summaries:
    """Read every run's summary below a reports folder, in the order in which the runs ended."""
    found: dict[Path, RunSummary] = {}
    unreadable: dict[Path, str] = {}
    for path in sorted((reports / "distillation").glob(f"*/{SUMMARY}")):
        try:
            summary = read_json(path, RunSummary)
        except RecordError as error:
            unreadable[path] = error.what
            continue
        if summary is not None:
            found[path] = summary
    ordered = sorted(found.items(), key=lambda one: (one[1].finished_at, one[1].run_id))
    return Summaries(dict(ordered), unreadable)


def newest_summary(reports: Path) -> RunSummary | None:
    """Give the summary of the run that finished last, or `None` where none did."""
    newest = find_summaries(reports).newest
    return newest[1] if newest else None
