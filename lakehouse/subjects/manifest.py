"""The manifest of a subject: what it is, how long its record is kept, and which key signs it.

Here: ids of subjects, reading and writing manifests. Not here: the log (`log.py`), making a subject (`places.py`).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, Literal

import msgspec

from lakehouse.errors import RecordError, UsageError
from lakehouse.jsonl import unreadable, write_json
from lakehouse.records import SubjectManifest
from lakehouse.subjects.reading import read_regular

LOG: Final = "audit.jsonl"
_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LOG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.jsonl")


def is_subject_id(name: str) -> bool:
    """Say whether a name may be a subject's: never one that could lead out of a folder."""
    return _SUBJECT.fullmatch(name) is not None


def checked_subject(subject_id: str) -> str:
    """Give a subject's id back. Raises `UsageError` for what could be a path, or is too long."""
    if not is_subject_id(subject_id):
        raise UsageError(
            f"{subject_id[:80]!r} is no subject id",
            mend="write letters, digits and . _ - (at most 128, the first no sign)",
        )
    return subject_id


def read_manifest(path: Path, subject_id: str) -> SubjectManifest | None:
    """Read the manifest of a subject; `None` where there is no file.

    Raises `RecordError` where it is none, is another subject's, names a log that does not lie beside it, or passes over the
    log that does; `CannotRead`.
    """
    try:
        data = read_regular(path)
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(data, type=SubjectManifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(path, None, error) from None
    if found.subject_id != subject_id:
        raise _wrong(path, f"this is the manifest of {found.subject_id[:80]!r} and not of {subject_id!r}")
    if not _LOG_NAME.fullmatch(found.audit_log):
        raise _wrong(path, f"`audit_log` is {found.audit_log[:80]!r}, which is no name of a .jsonl file beside it")
    if found.audit_log != LOG and os.path.lexists(path.with_name(LOG)):
        raise _wrong(path, f"`audit_log` is {found.audit_log!r}, and there is an {LOG} that nobody would look at")
    return found


def key_trouble(
    manifest: SubjectManifest, current: str | None, earlier: frozenset[str]
) -> Literal["manifest_behind", "manifest_ahead"] | None:
    """Say how the key of a manifest stands to the rows: their `current` key, and those that signed rows.

    Behind is what a writer leaves that died after the row that announces a key. Ahead is what none leaves, for the row
    comes first: rows are missing, or somebody changed the manifest.
    """
    if current is None or manifest.key_id == current:
        return None
    return "manifest_behind" if manifest.key_id in earlier else "manifest_ahead"


def write_manifest(path: Path, manifest: SubjectManifest) -> None:
    """Write a manifest, durably."""
    write_json(path, manifest)


def _wrong(path: Path, what: str) -> RecordError:
    return RecordError(what, where=str(path), mend="restore the manifest")
