"""Bringing the index up to date with streams that grew.

Here: one stream at a time, under its lock: follow its files, scan the new bytes, write the index, quarantine the lines
that have no day. Not here: how a file is known again (`files.py`) or a line is read (`scan.py`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lakehouse.errors import StreamRewritten
from lakehouse.files import locked
from lakehouse.index.files import discover, edges, follow
from lakehouse.index.scan import BLANK, Run, Scanner
from lakehouse.index.store import LineIndex, State, load, save
from lakehouse.index.undated import write_undated
from lakehouse.lake import Lake


@dataclass
class StreamUpdate:
    """What one update found: new lines and bytes, the days they touch, and the error where the stream is broken."""

    stream: str
    lines: int = 0
    bytes: int = 0
    days: set[str] = field(default_factory=set)
    reasons: Counter[str] = field(default_factory=Counter)
    total_lines: int = 0
    total_bytes: int = 0
    error: str | None = None


@dataclass
class IndexReport:
    """What an update of every stream found."""

    streams: dict[str, StreamUpdate]

    @property
    def days(self) -> list[str]:
        """The days touched, in order."""
        return sorted(set().union(*(update.days for update in self.streams.values())))

    @property
    def broken(self) -> dict[str, str]:
        """The streams that were rewritten, with the error of each."""
        return {name: update.error for name, update in self.streams.items() if update.error}


def update_all(lake: Lake, limit: int | None = None) -> IndexReport:
    """Update the index of every stream, reading about `limit` new bytes in all; a broken stream stops no other."""
    updates: dict[str, StreamUpdate] = {}
    for name in lake.streams:
        if limit is not None and limit <= 0:
            break
        updates[name] = update_stream(lake, name, limit)
        if limit is not None:
            limit -= updates[name].bytes
    write_undated(lake)
    return IndexReport(updates)


def update_stream(lake: Lake, name: str, limit: int | None = None) -> StreamUpdate:
    """Update the index of one stream. A rewritten stream keeps its old index, marked broken, and is reported."""
    stream = lake.stream(name)
    result = StreamUpdate(name)
    with locked(lake.lock(f"index-{name}")):
        index = load(lake, name)
        keys = list(stream.timestamp_keys)
        if index.state.files and index.state.timestamp_keys != keys:
            # Read by other keys, the rows may lie on other days.
            index = LineIndex(name, State(generation=index.state.generation + 1))
        index.state.timestamp_keys = keys
        try:
            files = follow(lake, name, index.state.files, discover(lake, stream))
        except StreamRewritten as error:
            result.error = str(error)
            if index.state.broken != result.error:
                index.state.broken = result.error
                save(lake, index)
            return _totals(index, result)
        changed = index.state.broken is not None or files != index.state.files
        index.state.broken = None
        index.state.files = files
        scanner = Scanner(stream)
        for file in files:
            path = lake.root / file.path
            size = path.stat().st_size
            left = None if limit is None else limit - result.bytes
            if size <= file.committed_bytes or (left is not None and left <= 0):
                continue
            with path.open("rb") as source:
                runs = list(scanner.scan(source, file.committed_bytes, size, file.lines, left))
            if not runs:
                continue
            index.add(file, runs)
            _count(result, runs)
            result.bytes += runs[-1].byte_end - file.committed_bytes
            file.committed_bytes = runs[-1].byte_end
            file.lines = runs[-1].first_line + runs[-1].line_count
            file.head_sha, file.tail_sha = edges(path, file.committed_bytes)
            changed = True
        if changed:
            save(lake, index)
    return _totals(index, result)


def rebuild(lake: Lake, name: str) -> StreamUpdate:
    """Forget the index of a stream and read the stream from its start; the way out after a rewrite."""
    stream = lake.stream(name)
    with locked(lake.lock(f"index-{stream.name}")):
        save(lake, LineIndex(name, State(generation=load(lake, name).state.generation + 1)))
    result = update_stream(lake, name)
    write_undated(lake)
    return result


def _count(result: StreamUpdate, runs: list[Run]) -> None:
    for run in runs:
        result.lines += run.line_count
        if run.day is not None:
            result.days.add(run.day)
        elif run.reason != BLANK:
            result.reasons[str(run.reason)] += run.line_count


def _totals(index: LineIndex, result: StreamUpdate) -> StreamUpdate:
    result.total_lines = sum(file.lines for file in index.state.files)
    result.total_bytes = sum(file.committed_bytes for file in index.state.files)
    return result
