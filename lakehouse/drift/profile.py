"""The profile of a scored day: how often each category and each value of a sub-score occurs.

Here: counting a day's scored runs once and keeping the counts below `index/scores/`, so that later nights read counts
instead of runs. Not here: which days are compared (`window.py`) and how (`psi.py`).

Sub-scores are counted by stream (`agent_runs.reward`, not `reward`): several streams use one name for different things,
and a shift between streams alone would look like a shift of the score. A run of the stream without the sub-score is a
missing value of it, so that a sub-score that falls away is seen.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from lakehouse import engine
from lakehouse.chain.manifests import data_hash, read_manifest
from lakehouse.drift.psi import Value
from lakehouse.errors import RecordError
from lakehouse.files import write_whole
from lakehouse.jsonl import encode, read_json, stretches, unreadable
from lakehouse.lake import Lake
from lakehouse.records import DayManifest, Record

VERSION = "scores-1"
MOST_VALUES = 5_000
"""Distinct values of a sub-score that are kept exactly; of more, each is rounded to three significant digits."""

_STAGE = "score"
_CELLS = 20_000
_STRETCH = 32 << 20


class ScoreProfile(Record, kw_only=True):
    """The counts of one scored day. `input_sha256` names the scored runs that were counted (`data_hash`).

    `streams`: runs by stream and category. `values`: by stream and sub-score, `(value, runs)` in order of the values.
    """

    schema_version: Literal[1]
    day: str
    code_version: str
    input_sha256: str
    rows: int
    streams: dict[str, dict[str, int]]
    values: dict[str, dict[str, list[tuple[float, int]]]]


SubScore = tuple[str, str]
"""A stream and the name of one of its sub-scores."""


@dataclass
class Values:
    """How often each value occurs: exactly up to `MOST_VALUES` of them, rounded beyond.

    What comes out does not depend on the order in which values and counts came in.
    """

    counts: dict[float, int] = field(default_factory=dict)
    rounded: bool = False

    def add(self, value: float, count: int) -> None:
        """Count a value some more times."""
        # Adding 0.0 makes -0.0 the 0.0 that it equals.
        value = float(f"{value:.3g}") if self.rounded else value + 0.0
        self.counts[value] = self.counts.get(value, 0) + count
        if len(self.counts) > MOST_VALUES and not self.rounded:
            exact, self.counts, self.rounded = self.counts, {}, True
            for held, times in exact.items():
                self.add(held, times)


@dataclass
class Scores:
    """The counts of any number of days together, or of a part of one."""

    streams: dict[str, Counter[str]] = field(default_factory=dict)
    values: dict[SubScore, Values] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Scored runs."""
        return self.categories.total()

    @property
    def categories(self) -> Counter[str]:
        """Runs by category."""
        found: Counter[str] = Counter()
        for counts in self.streams.values():
            found.update(counts)
        return found

    def add(self, other: Scores | ScoreProfile) -> None:
        """Count the runs of another part, or of another day, as well."""
        for stream, counts in other.streams.items():
            self.streams.setdefault(stream, Counter()).update(counts)
        for name, counted in _counted(other):
            mine = self.values.setdefault(name, Values())
            for value, count in counted:
                mine.add(value, count)

    def sample(self, name: SubScore) -> dict[Value, int]:
        """Give the values of a sub-score, with the runs of its stream that lack it as `None`."""
        held = self.values.get(name)
        values: dict[Value, int] = dict(held.counts.items()) if held else {}
        missing = sum(self.streams.get(name[0], {}).values()) - sum(values.values())
        return {**values, None: missing} if missing > 0 else values


def _counted(held: Scores | ScoreProfile) -> Iterator[tuple[SubScore, Iterable[tuple[float, int]]]]:
    if isinstance(held, Scores):
        yield from ((name, values.counts.items()) for name, values in held.values.items())
    else:
        yield from (((stream, name), listed) for stream, names in held.values.items() for name, listed in names.items())


def path_of(lake: Lake, day: str) -> Path:
    """Where the profile of a day is kept."""
    return lake.root / "index" / "scores" / lake.manifest(_STAGE, day).name


def pooled(profiles: Iterable[ScoreProfile]) -> Scores:
    """Add days up."""
    total = Scores()
    for one in profiles:
        total.add(one)
    return total


def profile(lake: Lake, day: str) -> ScoreProfile | None:
    """Give the profile of a day, counted anew where the kept one is missing, damaged or of other runs.

    `None` where the day was never scored. Raises `RecordError` where its scored runs are not those that were written.
    """
    manifest = read_manifest(lake, _STAGE, day)
    if manifest is None:
        return None
    path, wanted = path_of(lake, day), data_hash(manifest.outputs)
    try:
        kept = read_json(path, ScoreProfile)
    except RecordError:
        kept = None  # it is made of the scored runs alone, so it is made again
    if kept is not None and (kept.input_sha256, kept.code_version, kept.day) == (wanted, VERSION, day):
        return kept
    made = _made(lake, manifest, wanted)
    write_whole(path, encode(made) + b"\n")
    return made


def _made(lake: Lake, manifest: DayManifest, input_sha256: str) -> ScoreProfile:
    tasks = []
    for ref in manifest.outputs:
        path = lake.root / ref.path
        if not path.is_file() or path.stat().st_size != ref.bytes:
            raise _changed(path, manifest.day)
        tasks += [_Task(path, start, end) for start, end in stretches(path, max(1, ref.bytes // _STRETCH))]
    total = Scores()
    for part in engine.run(_count, tasks, lambda task: task.end - task.start, workers=lake.settings.workers):
        total.add(part)
    if total.rows != manifest.records_out:
        raise _changed(lake.scored(manifest.day), manifest.day)
    values: dict[str, dict[str, list[tuple[float, int]]]] = {}
    for (stream, name), held in sorted(total.values.items()):
        values.setdefault(stream, {})[name] = sorted(held.counts.items())
    return ScoreProfile(
        schema_version=1,
        day=manifest.day,
        code_version=VERSION,
        input_sha256=input_sha256,
        rows=total.rows,
        streams={stream: dict(sorted(counts.items())) for stream, counts in sorted(total.streams.items())},
        values=values,
    )


def _changed(path: Path, day: str) -> RecordError:
    return RecordError(
        "the scored runs are not those that were written",
        where=str(path),
        mend=f"make the day anew: `lakehouse distill --day {day}`",
    )


@dataclass(frozen=True)
class _Task:
    path: Path
    start: int
    end: int


class _Run(msgspec.Struct, gc=False):
    """What is counted of a scored run. The sub-scores stay as they are written: most runs share theirs with others."""

    category: str
    sub_scores: msgspec.Raw


_Cell = tuple[str, bytes]
_sub_scores = msgspec.json.Decoder(dict[str, float | bool | str | None]).decode


def _count(task: _Task) -> Scores:
    """Count the runs of one stretch of a stream's file. Memory: a bounded number of cells."""
    decode = msgspec.json.Decoder(_Run).decode
    found, cells = Scores(), defaultdict[_Cell, int](int)
    position, line = task.start, b""
    try:
        with task.path.open("rb", buffering=1 << 18) as file:
            file.seek(position)
            for line in file:
                if position >= task.end:
                    break
                position += len(line)
                run = decode(line)
                cell = run.category, bytes(run.sub_scores)
                if cell not in cells:
                    _sub_scores(cell[-1])  # read here too, where the line is known
                cells[cell] += 1
                if len(cells) > _CELLS:
                    _settle(cells, found, task.path.stem)
            _settle(cells, found, task.path.stem)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(task.path, _line_of(task.path, position - len(line)), error) from None
    return found


def _settle(cells: defaultdict[_Cell, int], found: Scores, stream: str) -> None:
    """Add what waits in the cells to what was found, and empty them."""
    categories = found.streams.setdefault(stream, Counter())
    for (category, written), runs in cells.items():
        categories[category] += runs
        for name, value in _sub_scores(written).items():
            if value is not None and not isinstance(value, str):
                found.values.setdefault((stream, name), Values()).add(float(value), runs)
    cells.clear()


def _line_of(path: Path, position: int) -> int:
    """Give the number, from 1, of the line that starts at a byte."""
    with path.open("rb") as file:
        return 1 + sum(1 for _ in iter(file.readline, b"") if file.tell() <= position)
