"""The quarantine of rows that no day holds: lines without a usable time, and rows from before the lake's first day.

Here: writing `quarantine/undated/index.jsonl`, a pure function of the index and the streams. Not here: rows of a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from lakehouse.files import locked, remove
from lakehouse.index.reader import read_segment
from lakehouse.index.scan import REASONS
from lakehouse.index.store import LineIndex, Segment, load
from lakehouse.jsonl import JsonlWriter, encode, read_json, write_json
from lakehouse.lake import Lake
from lakehouse.quarantine import RAW_LIMIT, quarantined
from lakehouse.records import QuarantinedRow

STAGE = "index"


class Written(msgspec.Struct):
    """What the quarantine was last written from."""

    fingerprint: str
    rows: int


def write_undated(lake: Lake) -> int:
    """Write the quarantine of undated rows, where what it is made from changed, and give their number.

    No file where there are none.
    """
    path, memory = lake.quarantine(None, STAGE), lake.root / "index" / "undated.json"
    with locked(lake.lock("undated")):
        first_day = lake.settings.first_day
        undated = {name: index.undated(first_day) for name, index in _intact(lake)}
        fingerprint = sha256(msgspec.json.encode([first_day, undated])).hexdigest()
        held = read_json(memory, Written)
        if held is not None and held.fingerprint == fingerprint and path.exists() == bool(held.rows):
            return held.rows
        rows = 0
        if any(undated.values()):
            with JsonlWriter(path) as out:
                for row in _rows(lake, undated):
                    out.add(encode(row))
            rows = out.rows
        if not rows:
            remove(path)
        write_json(memory, Written(fingerprint, rows))
    return rows


def _intact(lake: Lake) -> Iterator[tuple[str, LineIndex]]:
    indexes = ((name, load(lake, name)) for name in lake.streams)
    return ((name, index) for name, index in indexes if index.state.broken is None)


def _rows(lake: Lake, undated: dict[str, list[Segment]]) -> Iterator[QuarantinedRow]:
    first_day = lake.settings.first_day
    for name, segments in undated.items():
        for segment in segments:
            code = segment.reason or "before_first_day"
            reason = REASONS.get(code, f"the row is older than the lake's first day, {first_day}")
            for offset, line in read_segment(lake, segment, keep=RAW_LIMIT + 4):
                if line.strip():
                    yield quarantined(STAGE, name, segment.source_file, offset, code, reason, line)
