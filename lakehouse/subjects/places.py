"""Where the subjects of a lake lie: manifests and logs in it, keys and anchors outside.

Here: paths, the list of subjects, making one. Not here: what stands in the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lakehouse.errors import UsageError
from lakehouse.files import locked, sync_folder
from lakehouse.lake import Lake
from lakehouse.records import SubjectManifest
from lakehouse.subjects import manifest as manifests
from lakehouse.subjects.anchors import BadAnchor, read_anchor, stored_anchor, write_anchor
from lakehouse.subjects.chain import ZEROS
from lakehouse.subjects.keys import KeyRing
from lakehouse.subjects.manifest import checked_subject, is_subject_id

MANIFEST: Final = "manifest.json"
ANCHOR: Final = "anchor.json"


@dataclass(frozen=True)
class Subjects:
    """The subjects of a lake with the keys that sign their logs and the folder of their anchors."""

    lake: Lake
    keys: KeyRing
    anchors: Path

    def folder(self, subject_id: str) -> Path:
        """The folder of a subject. Raises `UsageError` for what is no id, as all paths do."""
        return self.lake.subjects / checked_subject(subject_id)

    def manifest_path(self, subject_id: str) -> Path:
        """Where a subject's manifest lies."""
        return self.folder(subject_id) / MANIFEST

    def anchor_path(self, subject_id: str) -> Path:
        """Where a subject's anchor lies: a folder for each, so that writing one does not cost more where there are many."""
        return self.anchors / checked_subject(subject_id) / ANCHOR

    def manifest(self, subject_id: str) -> SubjectManifest:
        """Give the manifest of a subject. Raises `UsageError` where there is none, `RecordError` where it is damaged."""
        path = self.manifest_path(subject_id)
        found = manifests.read_manifest(path, subject_id)
        if found is None:
            raise UsageError(
                f"there is no subject {subject_id!r}",
                where=str(path),
                mend=f"make it with `lakehouse subject create {subject_id}`; `lakehouse subject list` lists those there are",
            )
        return found

    def log_path(self, subject_id: str, found: SubjectManifest | None = None) -> Path:
        """Where a subject's log lies: as its manifest says, `audit.jsonl` without one."""
        return self.folder(subject_id) / (found.audit_log if found else manifests.LOG)

    def ids(self) -> list[str]:
        """List the subjects that have a folder or an anchor: one whose folder is gone is not forgotten."""
        return sorted(
            {name for folder in (self.lake.subjects, self.anchors) for name in _folders(folder) if is_subject_id(name)}
        )

    def strangers(self) -> list[str]:
        """List the folders among the subjects whose names are no ids."""
        return [name for name in _folders(self.lake.subjects) if not is_subject_id(name)]


def anchors_beside(lake: Lake) -> Path:
    """Where the anchors of a lake lie if nobody says otherwise: beside it, under its name, so that no two lakes share them."""
    return lake.root.with_name(f"{lake.root.name}-anchors")


def open_subjects(lake: Lake, keys: Path, anchors: Path) -> Subjects:
    """Give the subjects of a lake. Raises `UsageError` where keys or anchors would lie inside the lake."""
    root = lake.root.resolve()
    for what, folder, variable in (("keys", keys, "LAKEHOUSE_KEYS"), ("anchors", anchors, "LAKEHOUSE_ANCHORS")):
        if folder.resolve().is_relative_to(root):
            raise UsageError(
                f"the {what} of subjects must lie outside of the lake: who changes a log must not find them beside it",
                where=str(folder),
                mend=f"name another folder in {variable}",
            )
    return Subjects(lake, KeyRing(keys), anchors)


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

    Raises `UsageError` where the subject is there, or was and left rows behind.
    """
    path = subjects.manifest_path(subject_id)
    key = subjects.keys.wanted(key_id)
    with locked(subjects.lake.lock("subjects")):
        log = subjects.log_path(subject_id)
        if path.exists():
            raise UsageError("there is such a subject already", where=str(path), mend="choose another id")
        if log.exists() and log.stat().st_size:
            raise UsageError("there is a log without a manifest", where=str(log), mend="restore its manifest")
        _refuse_anchored(subjects, subject_id)
        write_anchor(subjects.anchor_path(subject_id), subject_id, 0, ZEROS, key)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        sync_folder(log.parent)
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
        manifests.write_manifest(path, made)
    return made


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


def _folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir())
