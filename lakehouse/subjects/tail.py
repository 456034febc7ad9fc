"""The end of a log under its lock: where the next row goes, looked up in a time that does not grow with the log.

Here: the lock, the last lines, what is checked of them before a row is added. Not here: writing (`log.py`), verifying the
whole log (`verify.py`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lakehouse.errors import GateFailed, UsageError
from lakehouse.records import SubjectAnchor, SubjectManifest
from lakehouse.subjects.anchors import BadAnchor, read_anchor, stored_anchor
from lakehouse.subjects.chain import Row, Unreadable, read_row
from lakehouse.subjects.manifest import key_trouble
from lakehouse.subjects.places import Subjects
from lakehouse.subjects.reading import lock, open_regular
from lakehouse.subjects.verify import verify
from lakehouse.subjects.walk import Walk

_WINDOW: Final = 1 << 14
_MOST: Final = 1 << 26
"""How far behind the end of a log its anchor is looked for: 64 MiB."""


class ChainBroken(GateFailed):
    """A log does not hold where a row was to be added; `kind` is that of docs/subjects.md where one line can tell."""

    def __init__(self, what: str, *, where: str = "", mend: str = "", kind: str = "") -> None:
        super().__init__(what, where=where, mend=mend)
        self.kind = kind


@contextmanager
def held(path: Path, wait: float) -> Iterator[int]:
    """Hold the lock of a log and give its descriptor, open for reading and appending.

    The lock is an exclusive `flock` on the log itself, waited for `wait` seconds. Raises `ChainBroken` where there is no
    log, `CannotRead` where it is none that can be opened, or somebody keeps the lock.
    """
    try:
        log = open_regular(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        raise ChainBroken(
            "the log is gone", where=str(path), mend="restore it from a backup", kind="log_missing"
        ) from None
    try:
        lock(log, path, fcntl.LOCK_EX, wait)
        yield log
    finally:
        os.close(log)


def end_of(subjects: Subjects, subject_id: str, path: Path, log: int) -> Walk:
    """Give where the chain stands at the end of a log that is held.

    Checked are: the signature of the anchor, the row that it names (own signature, and that it is there), every row after
    it, and that the last line is whole. Raises `ChainBroken` where something of it does not hold.
    """
    anchor = _anchor(subjects, subject_id)
    size = os.fstat(log).st_size
    if size and os.pread(log, 1, size - 1) != b"\n":
        raise ChainBroken(
            "the last line is torn: a writer died in it",
            where=str(path),
            mend=f"move it away with `lakehouse subject mend {subject_id}`",
            kind="torn_last_line",
        )
    found = _after(log, size, anchor.tip) if anchor.count else ([], _lines(log, 0, size))
    look = f"look with `lakehouse subject verify {subject_id}`"
    if found is None:
        what = f"the row that was anchored last (number {anchor.count}) is not at the end of the log: it was cut or changed"
        raise ChainBroken(what, where=str(path), mend=look, kind="truncated" if size else "log_missing")
    anchored, rest = found
    walk = Walk(subjects.keys, subject_id)
    if anchored:
        row = _row(anchored[0])
        key = subjects.keys.wanted(row.key_id)
        if not key.signed(row.body, row.hmac) or row.subject_id != subject_id or row.key_id != anchor.key_id:
            raise ChainBroken("the row that was anchored last is not signed as it was", where=str(path), mend=look)
        current = row.key_id if row.next_key_id is None else row.next_key_id
        walk = Walk(subjects.keys, subject_id, count=anchor.count, tip=row.hmac, key_id=current)
    for line in rest:
        trouble = walk.take(line)
        if trouble is not None:
            where = f"{path}:{walk.count + 1}"
            if trouble.step == "missing_key":
                raise UsageError(trouble.why, where=where, mend=f"restore it from the copy to {subjects.keys.folder}")
            raise ChainBroken(f"a row after the anchor does not hold: {trouble.why}", where=where, mend=look)
    if walk.key_id is None:
        walk.key_id = anchor.key_id
    return walk


def key_of(subjects: Subjects, found: SubjectManifest, walk: Walk, path: Path) -> str:
    """Give the key that signs the next row of a log that is held. Raises `ChainBroken` where the manifest is ahead of it.

    Where both name one key, which is so but for writers that died, this costs nothing; else the whole log is read.
    """
    key_id = found.key_id if walk.key_id is None else walk.key_id
    if found.key_id != key_id:
        newest = subjects.manifest(found.subject_id)
        whole = verify(path, subjects.keys, subject=found.subject_id)
        refuse_ahead(newest, key_id, whole.keys_used, path)
    return key_id


def refuse_ahead(found: SubjectManifest, current: str | None, used: frozenset[str], path: Path) -> None:
    """Raise `ChainBroken` where a manifest names a key that no row announced."""
    if key_trouble(found, current, used) == "manifest_ahead":
        raise ChainBroken(
            f"the manifest names the key {found.key_id[:80]!r}, which no row announced: rows are missing, or the manifest "
            "was changed",
            where=str(path),
            mend="restore the newest log and anchor; docs/subjects.md says what to do where the manifest alone is wrong",
            kind="manifest_ahead",
        )


def _anchor(subjects: Subjects, subject_id: str) -> SubjectAnchor:
    path = subjects.anchor_path(subject_id)
    data = stored_anchor(path)
    mend = (
        f"look with `lakehouse subject verify {subject_id}`; where the log is whole, "
        f"`lakehouse subject anchor {subject_id} --renew --reason …`"
    )
    if data is None:
        raise ChainBroken("the anchor is missing", where=str(path), mend=mend, kind="anchor_missing")
    try:
        return read_anchor(data, subjects.keys, subject_id)
    except BadAnchor as error:
        what = f"the anchor is not the one that was written: {error}"
        raise ChainBroken(what, where=str(path), mend=mend, kind="anchor_forged") from None
    except KeyError as error:
        raise UsageError(
            f"the anchor names the key {str(error.args[0])[:80]!r}, which is not there",
            where=str(path),
            mend=f"restore it from the copy to {subjects.keys.folder}",
        ) from None


def _after(log: int, size: int, tip: str) -> tuple[list[bytes], list[bytes]] | None:
    """Give the line whose `hmac` is `tip` and the lines after it, looked for from the end; `None` where it is not there."""
    mark = tip.encode()
    window = _WINDOW
    while True:
        start = max(0, size - window)
        lines = _lines(log, start, size)
        # Where the window does not begin with the file, its first piece may lack its beginning.
        for place in range(len(lines) - 1, -1 if start == 0 else 0, -1):
            if mark in lines[place] and _hmac(lines[place]) == tip:
                return [lines[place]], lines[place + 1 :]
        if start == 0 or window >= _MOST:
            return None
        window *= 8


def _lines(log: int, start: int, end: int) -> list[bytes]:
    """Read whole lines, the newlines with them; the file ends with one."""
    blocks = []
    while start < end:
        block = os.pread(log, min(end - start, 1 << 26), start)
        if not block:
            break
        blocks.append(block)
        start += len(block)
    return [line + b"\n" for line in b"".join(blocks).split(b"\n")[:-1]]


def _row(line: bytes) -> Row:
    try:
        return read_row(line)
    except Unreadable as error:
        raise AssertionError(f"a line that was read is unreadable: {error}") from error


def _hmac(line: bytes) -> str | None:
    try:
        return read_row(line).hmac
    except Unreadable:
        return None
