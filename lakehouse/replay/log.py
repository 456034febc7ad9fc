"""The log of replays, `_kb/replay_runs.jsonl`, which other runtimes append to as well.

Here: appending, reading our rows, and which answer stands for a question. Not here: what a replay is (`replaying.py`). Rows of
others stay as they are and are passed over; a line that cannot be read is refused by name and its neighbours go on; a torn last
line is not there yet. Of several rows with one fingerprint the last holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from lakehouse.baseline import PRODUCER
from lakehouse.files import append
from lakehouse.jsonl import encode, raw_lines
from lakehouse.lake import Lake
from lakehouse.quarantine import quarantined
from lakehouse.records import QuarantinedRow, ReplayRun

SCHEMA: Final = "replay_run.v1"
STAGE: Final = "replay"
MEND: Final = "move the line out of the log: nothing else refers to it (docs/replay.md)"
"""What to do about a line that cannot be read. The log is the user's and other runtimes': nothing here rewrites it."""
Refuse = Callable[[QuarantinedRow], None]


class _Head(msgspec.Struct, gc=False):
    """What every row of the log says, whoever wrote it."""

    schema: str
    producer: str | None = None


@dataclass
class Standing:
    """Which answers stand: by fingerprint, the line (from 1) and offset of the row. `refused` are lines that cannot be read."""

    by_fingerprint: dict[str, tuple[int, int]] = field(default_factory=dict)
    refused: list[QuarantinedRow] = field(default_factory=list)


def record(lake: Lake, run: ReplayRun) -> None:
    """Append a replay to the log, durably, as soon as it is made: a kill loses at most the one that was being asked."""
    append(lake.replays, [encode(run)])


def ours(lake: Lake, refuse: Refuse) -> Iterator[tuple[int, int, ReplayRun]]:
    """Give the rows of this runtime with their line (from 1) and offset, in the order of the log."""
    path = lake.replays
    head, whole = msgspec.json.Decoder(_Head).decode, msgspec.json.Decoder(ReplayRun).decode
    name = lake.relative(path)
    for number, offset, line in raw_lines(path):
        try:
            said = head(line)
            if said.schema != SCHEMA:
                raise msgspec.ValidationError(f"its schema is {said.schema[:40]!r}, not {SCHEMA}")
            if said.producer != PRODUCER:
                continue
            run = whole(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            why = f"this is no replay ({error})"
            refuse(quarantined(STAGE, path.stem, name, number - 1, "bad_line", why, line.rstrip()))
            continue
        yield number, offset, run


def place_of(refused: QuarantinedRow) -> str:
    """Say where a line is that cannot be read, as `file:line`, and why."""
    return f"{refused.source_file}:{refused.line_offset + 1}: {refused.reason}"


def standing(lake: Lake) -> Standing:
    """Read the log once; memory: some 150 bytes a row."""
    found = Standing()
    for number, offset, run in ours(lake, found.refused.append):
        if run.fingerprint is not None:
            found.by_fingerprint[run.fingerprint] = number, offset
    return found


def standing_answer(lake: Lake, found: Standing, fingerprint: str) -> ReplayRun | None:
    """Give the row that stands for a question, `None` where it was never asked."""
    place = found.by_fingerprint.get(fingerprint)
    if place is None:
        return None
    with lake.replays.open("rb") as log:
        log.seek(place[1])
        try:
            run = msgspec.json.decode(log.readline(), type=ReplayRun)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Somebody rewrote the log in between: then nothing stands.
            return None
    return run if run.fingerprint == fingerprint else None
