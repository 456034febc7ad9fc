"""Verifying a log: does every row follow the one before it, and does the log end where its anchor says?

Here: `verify`, one streaming pass with flat memory, and a second one where a fault has to be named. Not here: where
logs and anchors lie (`places.py`, `checks.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple

from lakehouse.records import SubjectAnchor
from lakehouse.subjects.anchors import BadAnchor, read_anchor
from lakehouse.subjects.chain import MAX_ROW, ZEROS
from lakehouse.subjects.diagnosis import name_order, name_signature
from lakehouse.subjects.keys import Key, OneKey, ShortKey
from lakehouse.subjects.reading import open_regular
from lakehouse.subjects.walk import Trouble, Walk

_BUFFER = 1 << 18


@dataclass(frozen=True)
class Fault:
    """What is wrong, in which line (from 1; 0 where it is no line's fault), and why we say so."""

    line: int
    kind: str
    why: str


@dataclass(frozen=True)
class Verification:
    """What a log is worth: the rows that hold from its beginning, the `hmac` of the last of them, the first fault.

    `key_id` is the key that the next row is signed with, `tip_key` the one that the last row is; `None` without rows, but
    `key_id` where an anchor on none says it. `keys_used` signed a row.
    """

    count: int
    tip: str
    error: Fault | None = None
    warnings: tuple[Fault, ...] = field(default=())
    key_id: str | None = None
    tip_key: str | None = None
    keys_used: frozenset[str] = frozenset()

    @property
    def verified(self) -> bool:
        """Whether nothing is wrong; a warning does not count."""
        return self.error is None

    def plain(self) -> dict[str, Any]:
        """Give `{count, tip, verified, error, warnings}` as JSON values."""
        said = [vars(one) for one in self.warnings]
        error = vars(self.error) if self.error else None
        return {
            "count": self.count,
            "tip": self.tip,
            "verified": self.verified,
            "error": error,
            "warnings": said,
        }


class Seen(NamedTuple):
    """How many rows somebody saw in a log once, and the `hmac` of the last of them."""

    rows: int
    tip: str


def verify(
    log: Path | bytes,
    keys: Mapping[str, Key] | bytes,
    anchor: bytes | None = None,
    *,
    subject: str | None = None,
    size: int | None = None,
    seen: Seen | None = None,
) -> Verification:
    """Verify a log, or the first `size` bytes of its file. No file is a log without rows.

    `keys` are the keys by id, or the bytes of the one key. `anchor` are the bytes of the anchor's file; without it the end
    of the log is not checked. `subject` is whose log it should be; without it the anchor's or the first row's. `seen` is
    what the log had at another look. Raises `CannotRead`, `OSError` where the file cannot be read.
    """
    ring = OneKey(keys) if isinstance(keys, bytes) else keys
    held = _Anchored(anchor, ring, subject)
    walk = Walk(ring, subject or (held.anchor.subject_id if held.anchor else None))
    at_anchor = at_seen = ZEROS
    torn = 0
    end = b""
    lines = lines_of(log, size)
    for line in lines:
        if not line.endswith(b"\n"):
            torn = _unended(line, lines)
            if torn:
                end = line
                break
        trouble = walk.take(line)
        if trouble is not None:
            named = _named(trouble, walk, lambda: lines_of(log, size), held)
            return _faulty(walk, named)
        if held.anchor is not None and walk.count == held.anchor.count:
            at_anchor = walk.tip
            held.key_id = walk.row_key
        if seen is not None and walk.count == seen.rows:
            at_seen = walk.tip
    if torn == len(end) and held.anchor is not None and walk.count + 1 == held.anchor.count:
        # Whoever signed and anchored the row wrote its end too: it was lost since, and nothing else was.
        last = walk.copy()
        if last.take(end) is None and (last.tip, last.row_key) == (held.anchor.tip, held.anchor.key_id):
            kept = seen is None or (last.tip if seen.rows == last.count else at_seen) == seen.tip
            return _faulty(walk, _torn(walk, torn) if kept else _rolled_back(walk, seen))
    return _ended(walk, held, at_anchor, torn, seen, at_seen)


def lines_of(log: Path | bytes, size: int | None = None) -> Iterator[bytes]:
    """Give the lines of a log with their newlines; only the last one may lack it, or one too long to be a row."""
    try:
        file: IO[bytes] = BytesIO(log) if isinstance(log, bytes) else os.fdopen(open_regular(log), "rb", _BUFFER)
    except FileNotFoundError:
        return
    with file:
        left = size
        while line := file.readline(MAX_ROW + 1 if left is None else min(left, MAX_ROW + 1)):
            yield line
            if left is not None:
                left -= len(line)


def _unended(line: bytes, rest: Iterator[bytes]) -> int:
    """Give the bytes of a line whose end never comes; 0 for one that only is too long to be a row, and ends later."""
    size = len(line)
    for piece in rest:
        if piece.endswith(b"\n"):
            return 0
        size += len(piece)
    return size


class _Anchored:
    """An anchor that was given, or why it is none; `key_id` is the key of the row that it names."""

    def __init__(self, data: bytes | None, keys: Mapping[str, Key], subject: str | None) -> None:
        self.anchor: SubjectAnchor | None = None
        self.fault: Fault | None = None
        self.key_id: str | None = None
        if data is None:
            return
        try:
            self.anchor = read_anchor(data, keys, subject)
        except BadAnchor as error:
            self.fault = Fault(0, "anchor_forged", f"the anchor is not the one that was written: {error}")
        except KeyError as error:
            self.fault = Fault(
                0, "missing_key", f"the anchor names the key {str(error.args[0])[:80]!r}, which is not there"
            )
        except ShortKey as error:
            self.fault = Fault(0, "short_key", error.what)


def _named(trouble: Trouble, walk: Walk, lines: Callable[[], Iterator[bytes]], held: _Anchored) -> Fault:
    """Name what is wrong with the line after `walk`."""
    number = walk.count + 1
    row = trouble.row
    if trouble.step == "signature" and row is not None:
        expected = walk.key_id in (None, row.key_id)
        proved = row.key_id in walk.proved or (held.anchor is not None and held.anchor.key_id == row.key_id)
        # A key that is not the one in use says nothing about the key: the row was changed, or does not belong.
        proved = proved or not expected
        return Fault(number, *name_signature(lines(), number, row, walk.tip, walk.keys[row.key_id], proved))
    if trouble.step == "order" and row is not None:
        return Fault(number, *name_order(lines(), number, row, walk.tip))
    return Fault(number, trouble.step, trouble.why)


def _faulty(walk: Walk, fault: Fault) -> Verification:
    return Verification(walk.count, walk.tip, fault, (), walk.key_id, walk.row_key, frozenset(walk.proved))


def _torn(walk: Walk, size: int) -> Fault:
    return Fault(walk.count + 1, "torn_last_line", f"the last line has no end: a writer died in it ({size} bytes)")


def _rolled_back(walk: Walk, seen: Seen | None) -> Fault:
    rows = seen.rows if seen else 0
    if walk.count < rows:
        return Fault(walk.count + 1, "rolled_back", f"{walk.count} rows are here, and the last look saw {rows}")
    return Fault(rows, "rolled_back", "this row is signed, but it is not the one that the last look saw here")


def _ended(walk: Walk, held: _Anchored, at_anchor: str, torn: int, seen: Seen | None, at_seen: str) -> Verification:
    """Judge the end of a log all of whose whole lines hold."""
    current = walk.key_id
    if current is None and held.anchor is not None and held.anchor.count == 0:
        current = held.anchor.key_id

    def ended(error: Fault | None, *warnings: Fault) -> Verification:
        return Verification(walk.count, walk.tip, error, warnings, current, walk.row_key, frozenset(walk.proved))

    def wrong(line: int, kind: str, why: str) -> Verification:
        return ended(Fault(line, kind, why))

    anchor = held.anchor
    if held.fault is not None:
        return ended(held.fault)
    if anchor is not None:
        if walk.count < anchor.count:
            if walk.count == 0 and not torn:
                return wrong(1, "log_missing", f"the log is gone or empty, and had {anchor.count} rows")
            return wrong(walk.count + 1, "truncated", f"{walk.count} rows are here, and {anchor.count} were anchored")
        if at_anchor != anchor.tip:
            return wrong(anchor.count, "rewritten", "this row is signed, but it is not the one that was anchored")
        if anchor.count and held.key_id != anchor.key_id:
            return wrong(
                0, "anchor_forged", f"the anchor is signed with {anchor.key_id!r}, and the row that it names is not"
            )
    if seen is not None and (walk.count < seen.rows or at_seen != seen.tip):
        return ended(_rolled_back(walk, seen))
    if torn:
        return ended(_torn(walk, torn))
    if anchor is not None and anchor.count < walk.count:
        more = walk.count - anchor.count
        return ended(None, Fault(anchor.count + 1, "unanchored_tail", f"{more} rows hold that are not anchored yet"))
    return ended(None)
