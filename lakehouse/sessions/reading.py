"""Reading the log of sessions: every usable line, and why the others are not.

Here: from bytes to records, strictly typed. Other runtimes append to the same log: their further keys are left aside, a line
of theirs that is no record of ours is refused by name, and nothing is rewritten. A torn last line is not there yet. Not here:
what is counted (`counts.py`), what is wrong with a record that can be read (`lakehouse.gates.sessions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from lakehouse.jsonl import raw_lines
from lakehouse.records import SessionRecord
from lakehouse.timestamps import BadTimestamp, Moment, read

_decode = msgspec.json.Decoder(SessionRecord).decode


class Refused(NamedTuple):
    """A line that cannot be used: its number from 1, and why."""

    line: int
    reason: str


class Session(NamedTuple):
    """A usable line: its number from 1, the record, when it began."""

    line: int
    record: SessionRecord
    moment: Moment


Refuse = Callable[[Refused], Any]


def sessions(path: Path, refuse: Refuse) -> Iterator[Session]:
    """Give every usable line of a log, in order; none where there is no file. Memory: one line."""
    for number, _, raw in raw_lines(path):
        found = session_of(number, raw)
        if isinstance(found, Refused):
            refuse(found)
        else:
            yield found


def session_of(number: int, raw: bytes) -> Session | Refused:
    """Read one line."""
    try:
        record = _decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Refused(number, f"this is no session record ({error})")
    if not record.session_id.strip():
        return Refused(number, "session_id is empty")
    try:
        return Session(number, record, read(record.timestamp))
    except (BadTimestamp, OverflowError) as error:
        return Refused(number, f"timestamp: {error}")
