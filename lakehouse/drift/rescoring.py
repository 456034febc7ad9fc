"""Scoring stored evidence once more with the rules of this code: which verdicts would be others now.

Here: from days to the matrix of verdicts, stored against now, and the rows that moved. Not here: what follows from that
(`lakehouse.gates.scorers`), the rules (`lakehouse.scoring`), and the measurement of the rules (`lakehouse.second_scorer`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

import msgspec

from lakehouse import engine
from lakehouse.chain import score
from lakehouse.chain.manifests import read_manifest
from lakehouse.errors import UsageError
from lakehouse.gates.pairing import paired
from lakehouse.jsonl import decoded
from lakehouse.lake import Lake
from lakehouse.records import EvidenceRecord, Provenance
from lakehouse.scoring import judge

MOST_NAMED = 100
R = TypeVar("R")


class Cell(NamedTuple):
    """One cell of the matrix: the verdict as stored, by which version, and the one of now."""

    stored: str
    now: str
    scorer_version: str

    @property
    def changed(self) -> bool:
        """Whether the two verdicts differ."""
        return self.stored != self.now


class Moved(NamedTuple):
    """A scored run whose verdict would be another now."""

    file: str
    line: int
    cell: Cell


class Fault(NamedTuple):
    """A line that could not be scored again."""

    file: str
    line: int
    why: str


class Rescored(NamedTuple):
    """What scoring again found: rows by cell, and at most 100 rows of each changed cell and stream's day by name."""

    matrix: Counter[Cell]
    moved: list[Moved]
    faults: list[Fault]

    @property
    def rows(self) -> int:
        """How many verdicts were compared."""
        return self.matrix.total()

    def table(self) -> list[dict[str, Any]]:
        """Give the matrix as rows of `stored, now, scorer_version, rows`."""
        return [{**cell._asdict(), "rows": rows} for cell, rows in sorted(self.matrix.items())]


class _Stored(msgspec.Struct, gc=False):
    """What a scored run says of itself."""

    category: str
    scorer: str
    scorer_version: str
    provenance: Provenance


class _Task(NamedTuple):
    lake: Lake
    day: str
    stream: str
    people: frozenset[str]


def rescore(lake: Lake, days: Iterable[str]) -> Rescored:
    """Score the evidence of some days again and compare with the stored verdicts.

    A verdict that a person gave in the log stands as it was stored: no rule made it. Days that were never scored have
    nothing to compare. Memory: one record of evidence in each process.
    """
    tasks = []
    for day in sorted(set(days)):
        manifest = read_manifest(lake, score.STAGE, day)
        people = frozenset(manifest.overrides_applied or ()) if manifest else frozenset()
        names = {path.stem for folder in (lake.evidence(day), lake.scored(day)) for path in folder.glob("[!.]*.jsonl")}
        tasks += [_Task(lake, day, name, people) for name in sorted(names) if manifest is not None]
    found = engine.run(_rescore, tasks, _size, workers=lake.settings.workers)
    matrix: Counter[Cell] = Counter()
    for one in found:
        matrix.update(one.matrix)
    return Rescored(matrix, [row for one in found for row in one.moved], [row for one in found for row in one.faults])


def _size(task: _Task) -> int:
    path = task.lake.evidence(task.day, task.stream)
    return path.stat().st_size if path.exists() else 0


def _rescore(task: _Task) -> Rescored:
    lake = task.lake
    evidence, scored = lake.evidence(task.day, task.stream), lake.scored(task.day, task.stream)
    named = lake.relative(scored)
    scorer = _scorer(lake, task.stream)
    found = Rescored(Counter(), [], [])
    pairs = paired(decoded(evidence, EvidenceRecord), decoded(scored, _Stored), _place, _place)
    for line, record, number, stored in pairs:
        outcome = _judged(record, stored, scorer, task.people)
        if isinstance(outcome, Cell):
            found.matrix[outcome] += 1
            if outcome.changed and found.matrix[outcome] <= MOST_NAMED:
                found.moved.append(Moved(named, number, outcome))
        elif len(found.faults) < MOST_NAMED:
            of_evidence = stored is None or isinstance(record, Exception)
            blamed = (lake.relative(evidence), line) if of_evidence else (named, number)
            found.faults.append(Fault(*blamed, outcome))
    return found


def _place(record: EvidenceRecord | _Stored) -> tuple[str, int, str]:
    found = record.provenance
    return found.source_file, found.line_offset, found.sig_hash


def _scorer(lake: Lake, name: str) -> str | None:
    """Name the scorer of a stream; `None` for a declared one: choosing another there is a setting and no changed rule."""
    stream = lake.streams.get(name)
    return None if stream is None or name in lake.settings.streams else stream.scorer


def _judged(
    record: EvidenceRecord | Exception | None,
    stored: _Stored | Exception | None,
    scorer: str | None,
    people: frozenset[str],
) -> Cell | str:
    """Judge a record again and give its cell, or say why that cannot be done."""
    if isinstance(record, Exception) or isinstance(stored, Exception):
        return "the line does not decode"
    if record is None or stored is None:
        return "a verdict without evidence" if record is None else "evidence without a verdict"
    sig_hash = record.provenance.sig_hash
    if _place(record) != _place(stored):
        return "the verdict is on another record than the evidence in its place"
    now: str = stored.category
    if sig_hash not in people:
        try:
            now = judge(record, scorer or stored.scorer).category
        except UsageError as error:
            return error.what
    return Cell(stored.category, now, stored.scorer_version)
