"""What makes plain columns of a record: lengths instead of texts, days instead of stamps, 64 bits instead of a key.

Here: the shape of an asset's columns and the small functions that all shapes share. Not here: the shapes (`shapes.py`),
reading files (`frames.py`), what the columns must hold (`suites.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from lakehouse.contracts.suites import ROLES
from lakehouse.lake import Lake
from lakehouse.records import Record
from lakehouse.timestamps import BadTimestamp, DayReader

Row = tuple[Any, ...]
Kind = Literal["text", "number", "flag"]
"""An object, a float (of which NaN is null) or a boolean."""
is_signature = re.compile(r"[0-9a-f]{64}").fullmatch
_KNOWN_ROLES = frozenset(ROLES)
QUALITY = {"accepted": 1.0, "partially_accepted": 0.5}


@dataclass(frozen=True)
class Shape:
    """How the records of an asset become columns: name and kind of each, and the row of a record, its key last."""

    record: type[Record]
    columns: Mapping[str, Kind]
    row: Callable[[Any, Context], Row]


class Context:
    """What a row's columns need beside the record: the stream of its file, and days read before."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._read = DayReader().day
        self._streams: dict[str, str | None] = {}
        self._nameless = 0
        self.stream: str | None = None

    def key(self, *parts: str | None) -> int:
        """Give 64 bits by which equal keys are found: Python's own hash, which each process salts anew.

        A row whose last part is absent has no key, so nothing is equal to it.
        """
        if parts[-1] is None:
            self._nameless += 1
            return self._nameless
        return hash(parts)

    def day(self, stamp: str | None) -> str | None:
        """Give the day of a stamp; `None` where it is no time."""
        if stamp is None:
            return None
        try:
            return self._read(stamp)
        except BadTimestamp:
            return None

    def is_of(self, source_file: str | None, stream: str | None) -> bool:
        """Say whether a raw file is that of a stream; true where no stream, or one of its name only, is declared."""
        if source_file is None or stream is None:
            return True
        if source_file not in self._streams:
            if len(self._streams) > 10_000:
                self._streams.clear()
            found = self._lake.stream_of(source_file)
            self._streams[source_file] = None if found is None else found.name
        own = self._streams[source_file]
        return own == stream if own is not None else stream not in self._lake.streams


def size(value: Any) -> int | None:
    """Give the length of a text or a list."""
    return None if value is None else len(value)


def said(text: str | None) -> int | None:
    """Give the length of a text without the white space around it."""
    return None if text is None else len(text.strip())


def number(value: float | None) -> float | None:
    """Give a number that fits into a float; one beyond all floats is infinite."""
    if value is None or -1e300 < value < 1e300:
        return value
    return float("inf") if value > 0 else float("-inf")


def roles(messages: Sequence[Mapping[str, Any]] | None) -> tuple[int | None, int, int, str | None, str | None]:
    """Count messages, those without a role and those of an unknown one; give the first and the last role."""
    if not messages:
        return size(messages), 0, 0, None, None
    found = [message.get("role") for message in messages]
    texts = [role for role in found if isinstance(role, str)]
    unknown = sum(role not in _KNOWN_ROLES for role in texts)
    first, last = (role if isinstance(role, str) else "" for role in (found[0], found[-1]))
    return len(found), len(found) - len(texts), unknown, first, last


def is_list(tools: str | None) -> bool:
    """Say whether a text is the JSON of a list, or absent."""
    if tools is None:
        return True
    try:
        return isinstance(msgspec.json.decode(tools), list)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
