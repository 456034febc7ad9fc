"""Where the subjects of a lake lie: manifests and logs in it, keys and anchors outside.

Here: paths, the list of subjects, making one. Not here: what stands in the files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.files import locked, sync_folder
from lakehouse.lake import Lake
from lakehouse.records import SubjectManifest
from lakehouse.subjects import manifest as manifests
from lakehouse.subjects.anchors import BadAnchor, read_anchor, stored_anchor, write_anchor
from lakehouse.subjects.chain import ZEROS
from lakehouse.subjects.keys import KeyRing
from lakehouse.subjects.manifest import checked_subject, is_subject_id
from lakehouse.subjects.reading import WAIT, CannotRead, leads_into, open_regular
from lakehouse.subjects.texts import check_retention, check_text, check_time, check_words

MANIFEST: Final = "manifest.json"
ANCHOR: Final = "anchor.json"
RESERVED: Final = ("all", "forgotten.jsonl")
"""No ids: what `lakehouse subject verify` takes for every subject, and a file beside the subjects."""


@dataclass(frozen=True)
class Subjects:
    """The subjects of a lake with the keys that sign their logs and the folder of their anchors.

    `wait` are the seconds for which the lock of a log is waited for.
    """

    lake: Lake
    keys: KeyRing
    anchors: Path
    wait: float = WAIT

    def folder(self, subject_id: str) -> Path:
        """The folder of a subject. Raises `UsageError` for what is no id, as all paths do."""
        return self.lake.subjects / checked_subject(subject_id)

    def manifest_path(self, subject_id: str) -> Path:
        """Where a subject's manifest lies."""
        return self.folder(subject_id) / MANIFEST

    def anchor_path(self, subject_id: str) -> Path:
        """Where a subject's anchor lies: a folder for each, so that writing one does not cost more where there are many.

        Raises `UsageError` where a link leads into the lake.
        """
        path = self.anchors / checked_subject(subject_id) / ANCHOR
        if leads_into(path, self.lake.root):
            raise UsageError(
                "the anchor is a link into the lake: who changes a log must not find it there",
                where=str(path),
                mend="move the anchor out of the lake",
            )
        return path

    def manifest(self, subject_id: str) -> SubjectManifest:
        """Give the manifest of a subject. Raises `UsageError` where there is none, `RecordError` where it is damaged."""
        path = self.manifest_path(subject_id)
        found = manifests.read_manifest(path, subject_id)
        if found is None:
            raise UsageError(
                f"there is no subject {subject_id!r}",
                where=str(path),
                mend=f"make it with `lakehouse subject create {subject_id} --retention P7Y`; "
                "`lakehouse subject list` lists those there are",
            )
        return found

    def log_path(self, subject_id: str, found: SubjectManifest | None = None) -> Path:
        """Where a subject's log lies: as its manifest says, `audit.jsonl` without one."""
        return self.folder(subject_id) / (found.audit_log if found else manifests.LOG)

    def ids(self) -> list[str]:
        """List the subjects that have a folder or an anchor: one whose folder is gone is not forgotten.

        A folder among the anchors that holds none is what a maker left that died. Raises `CannotRead`.
        """
        anchored = [name for name in _folders(self.anchors) if os.path.lexists(self.anchors / name / ANCHOR)]
        return sorted({name for name in [*_folders(self.lake.subjects), *anchored] if is_subject_id(name)})

    def strangers(self) -> list[str]:
        """List the folders among the subjects whose names are no ids."""
        return [name for name in _folders(self.lake.subjects) if not is_subject_id(name)]


def keys_beside(lake: Lake) -> Path:
    """Where the keys of a lake lie if nobody says otherwise: beside it, whatever folder a command or a daemon runs in."""
    return lake.root.with_name(f"{lake.root.name}-keys")


def anchors_beside(lake: Lake) -> Path:
    """Where the anchors of a lake lie if nobody says otherwise: beside it, under its name, so that no two lakes share them."""
    return lake.root.with_name(f"{lake.root.name}-anchors")


def open_subjects(lake: Lake, keys: Path, anchors: Path, *, wait: float = WAIT) -> Subjects:
    """Give the subjects of a lake. Raises `UsageError` where keys or anchors would lie inside the lake."""
    for what, folder, variable in (("keys", keys, "LAKEHOUSE_KEYS"), ("anchors", anchors, "LAKEHOUSE_ANCHORS")):
        if leads_into(folder, lake.root):
            raise UsageError(
                f"the {what} of subjects must lie outside of the lake: who changes a log must not find them beside it",
                where=str(folder),
                mend=f"name another folder in {variable}",
            )
    return Subjects(lake, KeyRing(keys, lake.root), anchors, wait)


def key_in_use(subjects: Subjects, key_id: str) -> str | None:
    """Give a subject whose manifest, anchor or rows name a key; `None` where there is none that can be read."""
    mark = key_id.encode()
    for subject_id in subjects.ids():
        anchor = subjects.anchors / subject_id / ANCHOR
        for path in (subjects.manifest_path(subject_id), anchor, subjects.log_path(subject_id)):
            # What cannot be read is told by who verifies it.
            with suppress(OSError, CannotRead):
                if _names(path, mark):
                    return subject_id
    return None


def create(
    subjects: Subjects,
    subject_id: str,
    *,
    kind: str,
    retention: str,
    key_id: str,
    datasets: Sequence[str],
    now: str,
) -> SubjectManifest:
    """Make a subject: its anchor on no rows, its empty log, its manifest, in this order, so that what has one is whole.

    Raises `UsageError` where the subject is there, or was and left rows behind, and for what no manifest may hold;
    `OutsideFailure` where the disk fails: then nothing is left.
    """
    if subject_id in RESERVED:
        raise UsageError(f"{subject_id!r} has another meaning already", mend="choose another id")
    check_words("kind", kind)
    check_retention(retention)
    for name in datasets:
        check_text("datasets", name)
    check_time("now", now)
    path = subjects.manifest_path(subject_id)
    key = subjects.keys.wanted(key_id)
    with locked(subjects.lake.lock("subjects")):
        log = subjects.log_path(subject_id)
        if path.exists():
            raise UsageError("there is such a subject already", where=str(path), mend="choose another id")
        if log.exists() and log.stat().st_size:
            raise UsageError("there is a log without a manifest", where=str(log), mend="restore its manifest")
        _refuse_anchored(subjects, subject_id)
        made = SubjectManifest(
            schema_version=1,
            subject_id=subject_id,
            kind=kind,
            created_at=now,
            retention=retention,
            key_id=key_id,
            datasets=list(datasets),
            audit_log=manifests.LOG,
        )
        anchor = subjects.anchor_path(subject_id)
        with _cleared(path, anchor, log):
            folder_for(anchor)
            write_anchor(anchor, subject_id, 0, ZEROS, key)
            begin(log)
            manifests.write_manifest(path, made)
    return made


def begin(log: Path) -> None:
    """Make an empty log that its owner's group may read and others not; one that is there is left alone."""
    folder_for(log)
    os.close(open_regular(log, os.O_RDWR | os.O_CREAT))
    sync_folder(log.parent)


def folder_for(path: Path) -> None:
    """Make the folder of a file, for its owner and the owner's group."""
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o750, exist_ok=True)


@contextmanager
def _cleared(*made: Path) -> Iterator[None]:
    """Take away what was made of a subject that did not come to be, and tell a failing disk."""
    try:
        yield
    except (OSError, OutsideFailure) as error:
        for path in made:
            with suppress(OSError):
                if path.is_file() and not path.is_symlink():
                    path.unlink()
        for path in made:
            with suppress(OSError):
                path.parent.rmdir()
        if isinstance(error, OutsideFailure):
            raise
        raise OutsideFailure(
            f"the subject cannot be made ({error.strerror})",
            where=str(made[-1].parent),
            mend="look at the disk's free space and rights",
        ) from error


def _refuse_anchored(subjects: Subjects, subject_id: str) -> None:
    """Refuse to begin anew what an anchor says had rows. One on no rows is what a maker left that died."""
    path = subjects.anchor_path(subject_id)
    data = stored_anchor(path)
    try:
        if data is None or not read_anchor(data, subjects.keys, subject_id).count:
            return
        what = "this subject had a log, as its anchor says, and it is gone"
    except (BadAnchor, KeyError) as error:
        what = f"there is an anchor already, and it cannot be read ({error})"
    raise UsageError(what, where=str(path), mend="restore the subject's folder, or choose another id")


def _names(path: Path, mark: bytes) -> bool:
    """Say whether a file names a key: its id in quotes, as a value."""
    with os.fdopen(open_regular(path), "rb") as file:
        return any(mark in line and re.search(rb'key_id" *: *"%s"' % re.escape(mark), line) for line in file)


def _folders(folder: Path) -> list[str]:
    try:
        return sorted(found.name for found in os.scandir(folder) if found.is_symlink() or found.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CannotRead(
            f"the folder cannot be read ({error.strerror})", where=str(folder), mend="look at its rights"
        ) from None
