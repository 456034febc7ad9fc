"""Adding rows to the log of a subject: an access, or the announcement of another key.

Here: `append` and `rotate`. Not here: what is checked at the end of the log first (`tail.py`), mending one (`mend.py`).
Order: the row, synced; then the anchor; then the manifest, where the key changed. Whoever dies in between leaves a log that
holds, ahead of its anchor or its manifest, and the next writer brings them up.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.records import AuditAccessor, SubjectAuditRow, SubjectManifest
from lakehouse.subjects.anchors import write_anchor
from lakehouse.subjects.chain import SCHEMA, sign
from lakehouse.subjects.keys import Key
from lakehouse.subjects.manifest import write_manifest
from lakehouse.subjects.places import Subjects
from lakehouse.subjects.tail import end_of, held, key_of
from lakehouse.subjects.texts import check_text, check_time
from lakehouse.subjects.walk import Walk

ROTATED: Final = "key_rotated"
RENEWED: Final = "anchor_renewed"


def append(
    subjects: Subjects,
    subject_id: str,
    accessor: AuditAccessor,
    fields_accessed: Sequence[str],
    result: str,
    now: str,
) -> int:
    """Add an access to the log of a subject, signed, synced and anchored; give the number of its row.

    Safe from many threads and processes. Raises `UsageError` for fields that no row may hold and for a key that is missing
    or short, `ChainBroken` where the end of the log does not hold, `OutsideFailure` where the disk fails: then no half row
    is left. Where only the anchor could not be written the row stands, and the error says so.
    """
    _check(accessor, fields_accessed, result, now)
    found = subjects.manifest(subject_id)
    path = subjects.log_path(subject_id, found)
    with held(path, subjects.wait) as log:
        walk = end_of(subjects, subject_id, path, log)
        key = subjects.keys.wanted(key_of(subjects, found, walk, path))
        row = _row(subject_id, accessor, fields_accessed, result, now, walk, key)
        _add(subjects, subject_id, path, log, walk, sign(row, key), key)
        follow(subjects, found, key.id)
    return walk.count


def rotate(subjects: Subjects, subject_id: str, key_id: str, accessor: AuditAccessor, now: str) -> int:
    """Announce another key in the log of a subject, signed with the one in use; give the number of that row.

    The rows after it use the new key, and the manifest follows. Raises as `append` does, and `UsageError` where the key is
    the one in use.
    """
    _check(accessor, [], ROTATED, now)
    found = subjects.manifest(subject_id)
    subjects.keys.wanted(key_id)
    path = subjects.log_path(subject_id, found)
    with held(path, subjects.wait) as log:
        walk = end_of(subjects, subject_id, path, log)
        key = subjects.keys.wanted(key_of(subjects, found, walk, path))
        if key.id == key_id:
            follow(subjects, found, key_id)
            raise UsageError(f"{key_id!r} is the key in use", where=str(path), mend="name another key")
        row = _row(subject_id, accessor, [], ROTATED, now, walk, key, next_key_id=key_id)
        _add(subjects, subject_id, path, log, walk, sign(row, key), key)
        follow(subjects, found, key_id)
    return walk.count


def add_renewal(
    subjects: Subjects, subject_id: str, path: Path, log: int, walk: Walk, key: Key, accessor: AuditAccessor, now: str
) -> None:
    """Add the row that says who vouched for a log whose anchor was missing or forged, and its anchor.

    The log is held, and was verified to its end, where `walk` stands.
    """
    _check(accessor, [], RENEWED, now)
    row = _row(subject_id, accessor, [], RENEWED, now, walk, key)
    _add(subjects, subject_id, path, log, walk, sign(row, key), key)


def follow(subjects: Subjects, found: SubjectManifest, key_id: str) -> None:
    """Bring the key of a manifest up to what the rows say. `found` may be old: what else it says is read again."""
    if found.key_id != key_id:
        newest = subjects.manifest(found.subject_id)
        write_manifest(subjects.manifest_path(found.subject_id), msgspec.structs.replace(newest, key_id=key_id))


def _row(
    subject_id: str,
    accessor: AuditAccessor,
    fields: Sequence[str],
    result: str,
    now: str,
    walk: Walk,
    key: Key,
    next_key_id: str | None = None,
) -> SubjectAuditRow:
    return SubjectAuditRow(
        schema=SCHEMA,
        ts=now,
        subject_id=subject_id,
        accessor=accessor,
        fields_accessed=list(fields),
        result=result,
        key_id=key.id,
        prev_hmac=walk.tip,
        hmac="",
        next_key_id=next_key_id,
    )


def _add(subjects: Subjects, subject_id: str, path: Path, log: int, walk: Walk, line: bytes, key: Key) -> None:
    """Write a line at the end of a log that is held, then its anchor."""
    trouble = walk.take(line)
    assert trouble is None, f"a row that we signed does not hold: {trouble}"
    _write(path, log, line + b"\n")
    try:
        write_anchor(subjects.anchor_path(subject_id), subject_id, walk.count, walk.tip, key)
    except OutsideFailure as error:
        raise OutsideFailure(
            f"row {walk.count} is written, and its anchor is not: {error.what}",
            where=error.where,
            mend=f"{error.mend}; then `lakehouse subject anchor {subject_id}`, or the next append, writes it",
        ) from error


def _write(path: Path, log: int, line: bytes) -> None:
    """Write a line whole and sync it, or leave the log as it was."""
    size = os.fstat(log).st_size
    try:
        written = os.write(log, line)
        if written < len(line):
            raise OSError(f"only {written} of {len(line)} bytes fitted")
        os.fsync(log)
    except OSError as error:
        os.ftruncate(log, size)
        raise OutsideFailure(
            f"the row cannot be written ({error.strerror or error}), and the log is as it was",
            where=str(path),
            mend="look at the disk's free space and rights",
        ) from error


def _check(accessor: AuditAccessor, fields: Sequence[str], result: str, now: str) -> None:
    """Refuse what no row may hold, a time that is none, and a row that does not say who and why."""
    if not isinstance(accessor, AuditAccessor):
        raise UsageError(f"a {type(accessor).__name__} is no AuditAccessor", where="accessor", mend="say who looked")
    if isinstance(fields, str | bytes) or not isinstance(fields, Sequence):
        raise UsageError(
            f"the fields are a list of names and no {type(fields).__name__}",
            where="fields_accessed",
            mend="put them in a list",
        )
    check_text("daemon", accessor.daemon)
    check_text("user", accessor.user)
    check_text("purpose", accessor.purpose)
    check_text("result", result)
    check_text("trace_id", accessor.trace_id, empty=True)
    for name in fields:
        check_text("fields_accessed", name)
    check_time("now", now)
