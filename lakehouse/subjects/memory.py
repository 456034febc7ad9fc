"""What the last look saw of each log, and what a person said may be forgotten of it.

Here: `gates/.subjects.json`, by which a log that is gone together with its anchor, or was put back together with it, is
missed; `subjects/forgotten.jsonl`, by which somebody answers for that. Not here: verifying (`checks.py`).
Neither is signed: who deletes the memory loses what it protects, and nothing else (docs/subjects.md).
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from lakehouse import files
from lakehouse.errors import UsageError
from lakehouse.jsonl import encode, unreadable, write_json
from lakehouse.lake import Lake
from lakehouse.subjects.manifest import checked_subject
from lakehouse.subjects.reading import WAIT, lock, open_regular, read_regular
from lakehouse.subjects.texts import check_text, check_time
from lakehouse.subjects.verify import Seen, Verification

LOCK: Final = "subjects-seen"


class SeenLog(msgspec.Struct, kw_only=True, frozen=True):
    """A log as a look that found it whole saw it: how many rows, and the `hmac` of the last."""

    rows: int
    tip: str


class _Memory(msgspec.Struct, kw_only=True):
    schema_version: Literal[1]
    subjects: dict[str, SeenLog]


class Forgotten(msgspec.Struct, kw_only=True, frozen=True):
    """A line of `subjects/forgotten.jsonl`: who says that what was seen of a subject need not be there, and why."""

    subject_id: str
    by: str
    reason: str
    at: str
    rows: int
    tip: str


def memory_path(lake: Lake) -> Path:
    """Where the memory lies; a hidden file, for it is no verdict."""
    return lake.root / "gates" / ".subjects.json"


def forgotten_path(lake: Lake) -> Path:
    """Where it is written who let go of what."""
    return lake.subjects / "forgotten.jsonl"


def seen(lake: Lake) -> dict[str, Seen]:
    """Give what the last look saw by subject, without what was forgotten since. Raises `RecordError`, `CannotRead`."""
    excused = {(one.subject_id, one.rows, one.tip) for one in forgotten(lake)}
    return {
        subject: Seen(one.rows, one.tip)
        for subject, one in _memory(lake).subjects.items()
        if (subject, one.rows, one.tip) not in excused
    }


def forgotten(lake: Lake) -> list[Forgotten]:
    """List what people let go of. A line that cannot be read excuses nothing. Raises `CannotRead`."""
    try:
        lines = read_regular(forgotten_path(lake), sys.maxsize).splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Forgotten))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return found


def remember(lake: Lake, checked: Iterable[tuple[str, Verification]]) -> None:
    """Keep what a look at all logs saw: those that hold as they are now, the others as they were.

    Without anything new no byte changes. Raises `OutsideFailure`, `RecordError`.
    """
    with _locked(lake):
        expected = seen(lake)
        subjects = {subject: SeenLog(rows=one.rows, tip=one.tip) for subject, one in expected.items()}
        for subject, found in checked:
            before = expected.get(subject)
            # Another look that saw more may have been faster.
            if found.verified and (before is None or found.count >= before.rows):
                subjects[subject] = SeenLog(rows=found.count, tip=found.tip)
        if subjects or memory_path(lake).exists():
            write_json(memory_path(lake), _Memory(schema_version=1, subjects=dict(sorted(subjects.items()))))


def forget(lake: Lake, subject_id: str, by: str, reason: str, now: str) -> Forgotten:
    """Let go of what the last look saw of a subject, on somebody's word; give the line that records it.

    Nothing is deleted: what is there is verified as before, and seen anew at the next look. Raises `UsageError` where no
    look saw it, or what was seen is forgotten already.
    """
    check_text("by", by)
    check_text("reason", reason)
    check_time("at", now)
    with _locked(lake):
        known = seen(lake).get(checked_subject(subject_id))
        if known is None:
            raise UsageError(
                f"no look saw the subject {subject_id!r}, or what it saw is forgotten already",
                where=str(memory_path(lake)),
                mend="there is nothing to forget; `lakehouse subject verify` looks",
            )
        line = Forgotten(subject_id=subject_id, by=by, reason=reason, at=now, rows=known.rows, tip=known.tip)
        files.append(forgotten_path(lake), [encode(line)])
    return line


@contextmanager
def _locked(lake: Lake) -> Iterator[None]:
    path = lake.lock(LOCK)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open_regular(path, os.O_RDWR | os.O_CREAT)
    try:
        lock(file, path, fcntl.LOCK_EX, WAIT)
        yield
    finally:
        os.close(file)


def _memory(lake: Lake) -> _Memory:
    path = memory_path(lake)
    try:
        data = read_regular(path, sys.maxsize)
    except FileNotFoundError:
        return _Memory(schema_version=1, subjects={})
    try:
        return msgspec.json.decode(data, type=_Memory)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(path, None, error) from None
