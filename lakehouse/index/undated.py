"""The quarantine of rows that no day holds: lines without a usable time, and rows from before the lake's first day.

Here: writing `quarantine/undated/index.jsonl`, a pure function of the index and the streams. Not here: rows of a day.
"""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.files import locked, remove
from lakehouse.index.reader import read_segment
from lakehouse.index.scan import REASONS
from lakehouse.index.store import load
from lakehouse.jsonl import JsonlWriter, encode
from lakehouse.lake import Lake
from lakehouse.quarantine import RAW_LIMIT, quarantined
from lakehouse.records import QuarantinedRow

STAGE = "index"


def write_undated(lake: Lake) -> int:
    """Write the quarantine of undated rows and give their number; no file where there are none."""
    path = lake.quarantine(None, STAGE)
    with locked(lake.lock("undated")):
        rows = _rows(lake)
        first = next(rows, None)
        if first is None:
            remove(path)
            return 0
        with JsonlWriter(path) as out:
            out.add(encode(first))
            for row in rows:
                out.add(encode(row))
    return out.rows


def _rows(lake: Lake) -> Iterator[QuarantinedRow]:
    first_day = lake.settings.first_day
    for name in lake.streams:
        index = load(lake, name)
        if index.state.broken is not None:
            continue
        for segment in index.undated(first_day):
            code = segment.reason or "before_first_day"
            reason = REASONS.get(code, f"the row is older than the lake's first day, {first_day}")
            for offset, line in read_segment(lake, segment, keep=RAW_LIMIT + 4):
                if line.strip():
                    yield quarantined(STAGE, name, segment.source_file, offset, code, reason, line)
