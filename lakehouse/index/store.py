"""The line index on disk: one Parquet file per stream, ranges as rows, what is known of the files as its metadata.

Here: reading, writing and asking the index. Not here: filling it (`update.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakehouse.errors import RecordError
from lakehouse.files import Staged
from lakehouse.index.files import IndexedFile
from lakehouse.index.scan import BLANK, Run
from lakehouse.lake import Lake

SCHEMA = pa.schema(
    [
        ("file", pa.int32()),
        ("day", pa.string()),
        ("reason", pa.string()),
        ("first_line", pa.int64()),
        ("line_count", pa.int64()),
        ("byte_start", pa.int64()),
        ("byte_end", pa.int64()),
    ]
)


class State(msgspec.Struct):
    """What the index knows beside its ranges.

    `broken` is the error that keeps the stream from being indexed; `generation` counts how often its content was
    accepted anew, so that the days made from the old content are stale. `timestamp_keys` are those that the days were
    read from.
    """

    schema_version: int = 1
    generation: int = 0
    timestamp_keys: list[str] = []
    files: list[IndexedFile] = []
    broken: str | None = None


class Segment(msgspec.Struct, frozen=True):
    """A stretch of one file that belongs to a day: where it is now, what provenance calls it, and its lines."""

    path: str
    source_file: str
    file_id: str
    first_line: int
    line_count: int
    byte_start: int
    byte_end: int
    reason: str | None = None


@dataclass
class LineIndex:
    """The index of one stream in memory."""

    stream: str
    state: State = field(default_factory=State)
    ranges: pa.Table = field(default_factory=SCHEMA.empty_table)

    def add(self, file: IndexedFile, runs: Iterable[Run]) -> None:
        """Add the runs that a scan of a file gave."""
        rows = list(runs)
        columns = {
            "file": [file.serial] * len(rows),
            **{name: [getattr(run, name) for run in rows] for name in SCHEMA.names[1:]},
        }
        self.ranges = pa.concat_tables([self.ranges, pa.table(columns, schema=SCHEMA)])

    def lines_by_day(self) -> dict[str, int]:
        """Count the indexed lines of each day, in order of days."""
        grouped = self.ranges.filter(pc.is_valid(self.ranges["day"])).group_by("day").aggregate([("line_count", "sum")])
        return dict(sorted(zip(grouped["day"].to_pylist(), grouped["line_count_sum"].to_pylist(), strict=True)))

    def segments(self, day: str) -> list[Segment]:
        """Give the stretches of a day in reading order: files as `state.files` orders them, then by line."""
        return self._segments(self.ranges.filter(pc.equal(self.ranges["day"], day)))

    def undated(self, first_day: str | None) -> list[Segment]:
        """Give the stretches that no day holds: lines without a usable time, and rows from before `first_day`."""
        outside = pc.and_kleene(pc.is_valid(self.ranges["reason"]), pc.not_equal(self.ranges["reason"], BLANK))
        if first_day is not None:
            early = pc.less(pc.fill_null(self.ranges["day"], "9999"), first_day)
            outside = pc.or_kleene(pc.fill_null(outside, False), early)
        return self._segments(self.ranges.filter(outside))

    def fingerprint(self, day: str) -> str:
        """Hash which bytes of which files make up a day: it changes when a late row arrives, not when a file moves."""
        parts = [
            (segment.file_id, segment.first_line, segment.byte_start, segment.byte_end)
            for segment in self.segments(day)
        ]
        return sha256(json.dumps([self.state.generation, parts]).encode()).hexdigest()

    def _segments(self, table: pa.Table) -> list[Segment]:
        order = {file.serial: place for place, file in enumerate(self.state.files)}
        rows = table.to_pylist()
        rows.sort(key=lambda row: (order[row["file"]], row["first_line"]))
        segments: list[Segment] = []
        last_file = -1
        for row in rows:
            file = self.state.files[order[row["file"]]]
            last = segments[-1] if segments and file.serial == last_file else None
            if last is not None and last.byte_end == row["byte_start"] and last.reason == row["reason"]:
                segments[-1] = msgspec.structs.replace(
                    last, byte_end=row["byte_end"], line_count=last.line_count + row["line_count"]
                )
                continue
            last_file = file.serial
            segments.append(
                Segment(
                    path=file.path,
                    source_file=file.source_file,
                    file_id=file.file_id,
                    first_line=row["first_line"],
                    line_count=row["line_count"],
                    byte_start=row["byte_start"],
                    byte_end=row["byte_end"],
                    reason=row["reason"],
                )
            )
        return segments


def load(lake: Lake, stream: str) -> LineIndex:
    """Read the index of a stream; an empty one where there is none. Raises `RecordError` where it cannot be read."""
    path = lake.line_index(stream)
    if not path.exists():
        return LineIndex(stream)
    try:
        table = pq.read_table(path, memory_map=False)
        state = msgspec.json.decode((table.schema.metadata or {})[b"lakehouse"], type=State)
        if state.schema_version != 1:
            raise msgspec.ValidationError(f"unknown version {state.schema_version}")
    except (pa.ArrowException, OSError, KeyError, msgspec.DecodeError) as error:
        raise RecordError(
            f"the line index cannot be read ({error})",
            where=str(path),
            mend=f"delete the file; `lakehouse streams rebuild {stream}` makes it anew",
        ) from None
    return LineIndex(stream, state, table.replace_schema_metadata(None).cast(SCHEMA))


def save(lake: Lake, index: LineIndex) -> None:
    """Write the index of a stream, atomically."""
    table = index.ranges.combine_chunks().replace_schema_metadata({b"lakehouse": msgspec.json.encode(index.state)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    with Staged(lake.line_index(index.stream)) as out:
        out.write(sink.getvalue())
