"""What the chain wrote, read without its record types, and what an invariant is given and gives.

Here: the context, failures and outcomes, reading records by file and line, comparing files. Not here: the invariants.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from lakehouse.acceptance.copies import Copies
from lakehouse.acceptance.fixture import Expected
from lakehouse.acceptance.raw import RawRow, read_raw
from lakehouse.lake import Lake

Place = tuple[str, int]
"""Where a raw row stands, as provenance says it: file and line offset from 0."""
SFT = "distilled/sft/sft_export.jsonl"
RAG = "distilled/rag/rag_export.jsonl"
PREFERENCE = "distilled/preference/preference_export.jsonl"


class Failure(NamedTuple):
    """What does not hold, and where: a file relative to its lake, a line from 1 (0: the file as a whole)."""

    file: str
    line: int
    why: str


@dataclass(frozen=True)
class Outcome:
    """What an invariant found: how many rows it looked at, what failed, and why it had nothing to look at, if so."""

    rows: int
    failures: list[Failure] = field(default_factory=list)
    nothing: str | None = None


class Line(NamedTuple):
    """A line of a file that the chain wrote: the file, the line from 1, and the record."""

    file: str
    number: int
    record: dict[str, Any]

    @property
    def place(self) -> Place:
        """The raw row that the record came from."""
        return place_of(self.record.get("provenance"))

    def fails(self, why: str) -> Failure:
        """Blame this line."""
        return Failure(self.file, self.number, why)


class Run(NamedTuple):
    """What is kept in memory of an evidence record or a scored run."""

    file: str
    number: int
    day: str
    stream: str
    run_id: str
    task_id: str
    sig: str
    category: str = ""

    def fails(self, why: str) -> Failure:
        """Blame the line of this record."""
        return Failure(self.file, self.number, why)


@dataclass
class Context:
    """What an invariant looks at: the distilled copies, and what the lake's author expects of its lines, if anything."""

    copies: Copies
    expected: list[Expected] | None = None

    @property
    def lake(self) -> Lake:
        """The first distilled copy."""
        return self.copies.first.lake

    @cached_property
    def raw(self) -> list[RawRow]:
        """Every complete raw line."""
        return list(read_raw(self.lake))

    @cached_property
    def made(self) -> list[RawRow]:
        """The raw rows of the days that were made; one that cannot be signed may have been stopped before it had a day."""
        days = set(self.copies.first.days)
        undated = {place for place, held in self.quarantined.items() if held[0].record["stage"] == "index"}
        return [row for row in self.raw if row.day in days and (row.sig or row.place not in undated)]

    @cached_property
    def evidence(self) -> dict[Place, Run]:
        """Every evidence record by the row that it came from."""
        return {line.place: _run(line, "run_id", "task_id") for line in read(self.lake, "evidence/*/*/*/*.jsonl")}

    @cached_property
    def scored(self) -> dict[Place, Run]:
        """Every verdict by the row that it came from."""
        found = read(self.lake, "scored-runs/*/*/*/*.jsonl")
        return {line.place: _run(line, "evidence_run_id", "evidence_task_id") for line in found}

    @cached_property
    def quarantined(self) -> dict[Place, list[Line]]:
        """The quarantine entries of the rows that became no evidence, by row."""
        found: dict[Place, list[Line]] = {}
        for line in read(self.lake, "quarantine/**/*.jsonl"):
            if line.record.get("stage") in ("collect", "index"):
                place = (line.record["source_file"], line.record["line_offset"])
                found.setdefault(place, []).append(line)
        return found

    def sft(self) -> list[Line]:
        """Every published sample. Raises `NotPublished`."""
        return published(self.lake, SFT)

    def expects(self) -> Iterator[Expected]:
        """Give what is expected of each line; nothing where the lake does not say."""
        return iter(self.expected or ())


class NotPublished(Exception):
    """An export is not there, so nothing can be said of it."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.failure = Failure(file, 0, "nothing was published")


def published(lake: Lake, file: str) -> list[Line]:
    """Read a published file. Raises `NotPublished`."""
    if not (lake.root / file).is_file():
        raise NotPublished(file)
    return list(read(lake, file))


def read(lake: Lake, pattern: str) -> Iterator[Line]:
    """Read the records of files, in the order of their paths."""
    for path in sorted(lake.root.glob(pattern)):
        if path.name.startswith("."):
            continue
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    record = json.loads(line)
                except ValueError:
                    record = {}
                yield Line(lake.relative(path), number, record if isinstance(record, dict) else {})


def place_of(provenance: Any) -> Place:
    """Give the place that a provenance names; one that is in no file where it names none."""
    if not isinstance(provenance, dict):
        return "", -1
    file, offset = provenance.get("source_file"), provenance.get("line_offset")
    return str(file or "").removeprefix("data/"), offset if type(offset) is int else -1


def _run(line: Line, run: str, task: str) -> Run:
    record, path = line.record, Path(line.file)
    sig = str(record.get("provenance", {}).get("sig_hash", ""))
    day = "-".join(path.parts[-4:-1])
    run_id, task_id = str(record.get(run, "")), str(record.get(task, ""))
    return Run(line.file, line.number, day, path.stem, run_id, task_id, sig, str(record.get("category", "")))


def twice(lines: Iterable[Line]) -> list[Failure]:
    """Name the lines whose row another line came from too."""
    seen: Counter[Place] = Counter()
    found = []
    for line in lines:
        seen[line.place] += 1
        if seen[line.place] > 1:
            found.append(line.fails(f"{line.place[0]}:{line.place[1] + 1} has a record already"))
    return found


def expected_out(context: Context, samples: list[Line], reasons: Sequence[str]) -> list[Failure]:
    """Name the samples of lines that the lake's author says are kept out for one of these reasons."""
    out = {expected.place: expected.sft for expected in context.expects() if expected.sft in reasons}
    return [line.fails(f"its line should be left out: {out[line.place]}") for line in samples if line.place in out]


def once(failures: list[Failure]) -> list[Failure]:
    """Keep one failure of each line."""
    key = lambda failure: (failure.file, failure.line)  # noqa: E731 - a key
    return [next(held) for _, held in groupby(sorted(failures, key=key), key=key)]


def sha256_of(path: Path) -> str:
    """Hash a file."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
