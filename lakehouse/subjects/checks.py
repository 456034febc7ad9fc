"""Verifying the subjects of a lake: each log against its anchor, as both were at one moment.

Here: one subject, all of them. Not here: the rules of a chain (`verify.py`), the gate (`lakehouse.gates.subjects`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lakehouse.errors import OutsideFailure, RecordError
from lakehouse.records import SubjectManifest
from lakehouse.subjects.anchors import stored_anchor
from lakehouse.subjects.manifest import read_manifest
from lakehouse.subjects.places import Subjects
from lakehouse.subjects.verify import Fault, Verification, verify


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
    """Verify the log of a subject against its anchor, while others may append. Raises `OutsideFailure`."""
    manifest, wrong = _manifest(subjects, subject_id)
    path = subjects.log_path(subject_id, manifest)
    try:
        size, anchor = _moment(path, subjects.anchor_path(subject_id))
        found = verify(path, subjects.keys, anchor, subject=subject_id, size=size)
    except OSError as error:
        raise OutsideFailure(
            f"the log cannot be read ({error.strerror})", where=str(path), mend="look at its rights"
        ) from None
    if found.verified and anchor is None:
        why = f"{found.count} rows hold, and there is no anchor that says whether these are all"
        found = replace(found, error=Fault(0, "anchor_missing", why), warnings=())
    if found.verified and wrong is not None:
        found = replace(found, error=wrong)
    if found.verified and manifest is not None and found.key_id not in (None, manifest.key_id):
        why = f"the rows are at the key {found.key_id!r}, the manifest names {manifest.key_id[:80]!r}"
        found = replace(found, warnings=(*found.warnings, Fault(0, "manifest_behind", why)))
    return Checked(subject_id, subjects.lake.relative(path), found)


def verify_all(subjects: Subjects) -> Iterator[Checked]:
    """Verify every subject that has a folder or an anchor, and name the folders that cannot be one's."""
    for subject_id in subjects.ids():
        yield verify_subject(subjects, subject_id)
    for name in subjects.strangers():
        fault = Fault(0, "bad_id", "the name of this folder is no subject id")
        yield Checked(name, f"subjects/{name}", Verification(0, "0" * 64, fault))


def _manifest(subjects: Subjects, subject_id: str) -> tuple[SubjectManifest | None, Fault | None]:
    try:
        found = read_manifest(subjects.manifest_path(subject_id), subject_id)
    except RecordError as error:
        return None, Fault(0, "bad_manifest", error.what)
    return found, None if found else Fault(0, "bad_manifest", "there is no manifest")


def _moment(path: Path, anchor: Path) -> tuple[int, bytes | None]:
    """Give the size of a log and the bytes of its anchor while nobody writes: what is appended later is not looked at."""
    try:
        log = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0, stored_anchor(anchor)
    with closing(os.fdopen(log, "rb")) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        return os.fstat(file.fileno()).st_size, stored_anchor(anchor)
