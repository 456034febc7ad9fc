"""Verifying the subjects of a lake: each log against its anchor, as both were at one moment.

Here: one subject, all of them. Not here: the rules of a chain (`verify.py`), the gate (`lakehouse.gates.subjects`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lakehouse.errors import LakehouseError, RecordError
from lakehouse.records import SubjectManifest
from lakehouse.subjects import memory
from lakehouse.subjects.anchors import stored_anchor
from lakehouse.subjects.chain import ZEROS
from lakehouse.subjects.manifest import key_trouble, read_manifest
from lakehouse.subjects.places import Subjects
from lakehouse.subjects.reading import CannotRead, lock, open_regular
from lakehouse.subjects.verify import Fault, Seen, Verification, verify


@dataclass(frozen=True)
class Checked:
    """A subject, the file that was verified (relative to the lake) and what came of it."""

    subject_id: str
    file: str
    found: Verification

    def plain(self) -> dict[str, Any]:
        """Give `{subject_id, file, count, tip, verified, error, warnings}` as JSON values."""
        return {"subject_id": self.subject_id, "file": self.file, **self.found.plain()}


def verify_subject(subjects: Subjects, subject_id: str) -> Checked:
    """Verify the log of a subject against its anchor and what was last seen of it, while others may append.

    Whatever lies in place of its files is a fault of this subject: it raises for an id that is none alone (`UsageError`).
    """
    seen, unread = _seen(subjects)
    if subject_id not in subjects.ids() and subject_id in seen:
        return _missing(subject_id, seen[subject_id])
    checked = _checked(subjects, subject_id, seen.get(subject_id))
    if unread is not None and checked.found.verified:
        checked = replace(checked, found=replace(checked.found, error=unread.found.error))
    return checked


def verify_all(subjects: Subjects) -> Iterator[Checked]:
    """Verify every subject that has a folder or an anchor, or had one when they were last looked at.

    Each is judged by itself. Named too are folders that cannot be a subject's, or cannot be read.
    """
    seen, unread = _seen(subjects)
    if unread is not None:
        yield unread
    try:
        names, strangers = subjects.ids(), subjects.strangers()
    except CannotRead as error:
        yield unlooked(error)
        return
    for subject_id in sorted({*names, *seen}):
        if subject_id in names:
            yield _checked(subjects, subject_id, seen.get(subject_id))
        else:
            yield _missing(subject_id, seen[subject_id])
    for name in strangers:
        fault = Fault(0, "bad_id", "the name of this folder is no subject id")
        yield Checked(name, f"subjects/{name}", Verification(0, ZEROS, fault))


def unlooked(error: LakehouseError) -> Checked:
    """Give what is said where no subject at all can be looked at."""
    return Checked("", "subjects", _cannot(error))


def remember(subjects: Subjects, checked: list[Checked]) -> Checked | None:
    """Keep what a look at all logs saw, for the next one; give what is to be said where that cannot be done.

    Nothing is kept over a memory that cannot be read.
    """
    if _seen(subjects)[1] is not None:
        return None
    try:
        memory.remember(subjects.lake, ((one.subject_id, one.found) for one in checked))
    except (OSError, LakehouseError) as error:
        return Checked("", subjects.lake.relative(memory.memory_path(subjects.lake)), _cannot(error))
    return None


def _checked(subjects: Subjects, subject_id: str, seen: Seen | None) -> Checked:
    manifest, wrong = _manifest(subjects, subject_id)
    path = subjects.log_path(subject_id, manifest)
    file = subjects.lake.relative(path)
    try:
        size, anchor, unread = _moment(subjects, subject_id, path)
        found = verify(path, subjects.keys, anchor, subject=subject_id, size=size, seen=seen)
    except (OSError, LakehouseError) as error:
        return Checked(subject_id, file, _cannot(error))
    if found.error is not None and found.error.kind == "missing_key":
        found = replace(found, error=replace(found.error, why=f"{found.error.why} in {subjects.keys.folder}"))
    if found.verified and unread is not None:
        found = replace(found, error=unread, warnings=())
    if found.verified and anchor is None:
        why = f"{found.count} rows hold, and there is no anchor that says whether these are all"
        found = replace(found, error=Fault(0, "anchor_missing", why), warnings=())
    if found.verified and wrong is not None:
        found = replace(found, error=wrong)
    return Checked(subject_id, file, found if manifest is None else _held_against(manifest, found))


def _held_against(manifest: SubjectManifest, found: Verification) -> Verification:
    """Hold rows that are right against the key that the manifest names."""
    trouble = key_trouble(manifest, found.key_id, found.keys_used)
    if not found.verified or trouble is None:
        return found
    why = f"the rows are at the key {found.key_id!r}, the manifest names {manifest.key_id[:80]!r}"
    if trouble == "manifest_behind":
        return replace(found, warnings=(*found.warnings, Fault(0, trouble, why)))
    return replace(
        found, error=Fault(0, trouble, f"{why}, which no row announced: rows are missing, or it was changed")
    )


def _missing(subject_id: str, seen: Seen) -> Checked:
    why = f"the last look saw {seen.rows} rows of it, and it is gone with its anchor"
    return Checked(subject_id, f"subjects/{subject_id}", Verification(0, ZEROS, Fault(0, "subject_missing", why)))


def _seen(subjects: Subjects) -> tuple[dict[str, Seen], Checked | None]:
    """Give what the last look saw, or what is to be said where that cannot be read."""
    try:
        return memory.seen(subjects.lake), None
    except (CannotRead, RecordError) as error:
        file = subjects.lake.relative(memory.memory_path(subjects.lake))
        return {}, Checked("", file, _cannot(error))


def _manifest(subjects: Subjects, subject_id: str) -> tuple[SubjectManifest | None, Fault | None]:
    path = subjects.manifest_path(subject_id)
    try:
        found = read_manifest(path, subject_id)
    except RecordError as error:
        return None, Fault(0, "bad_manifest", error.what)
    except CannotRead as error:
        return None, _cannot(error).error
    return found, None if found else Fault(0, "bad_manifest", "there is no manifest")


def _moment(subjects: Subjects, subject_id: str, path: Path) -> tuple[int, bytes | None, Fault | None]:
    """Give the size of a log, the bytes of its anchor and why these cannot be read, while nobody writes.

    What is appended later is not looked at. Raises `CannotRead` for the log.
    """
    try:
        log = open_regular(path)
    except FileNotFoundError:
        return 0, *_anchor(subjects, subject_id)
    try:
        lock(log, path, fcntl.LOCK_SH, subjects.wait)
        return os.fstat(log).st_size, *_anchor(subjects, subject_id)
    finally:
        os.close(log)


def _anchor(subjects: Subjects, subject_id: str) -> tuple[bytes | None, Fault | None]:
    try:
        return stored_anchor(subjects.anchor_path(subject_id)), None
    except LakehouseError as error:
        return None, _cannot(error).error


def _cannot(error: OSError | LakehouseError) -> Verification:
    """Give what is said of a file that cannot be read."""
    if isinstance(error, LakehouseError):
        why = f"{error.where}: {error.what}"
    else:
        why = f"{error.filename or 'the log'}: {error.strerror or error}"
    return Verification(0, ZEROS, Fault(0, "cannot_read", why))
