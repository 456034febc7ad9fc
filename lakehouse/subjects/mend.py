"""Mending what a writer that died left behind: a torn last line, an anchor that is behind or gone.

Here: `mend` and `anchor`, both under the lock of the log and after the whole log was verified. Not here: anything that
would change a row: a log that was changed is restored by a person.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Literal

from lakehouse.errors import OutsideFailure
from lakehouse.files import write_whole
from lakehouse.subjects.anchors import stored_anchor, write_anchor
from lakehouse.subjects.log import follow
from lakehouse.subjects.places import Subjects
from lakehouse.subjects.tail import ChainBroken, held
from lakehouse.subjects.verify import Fault, Verification, lines_of, verify
from lakehouse.subjects.walk import Walk

Mended = Literal["nothing", "completed", "moved"]


def mend(subjects: Subjects, subject_id: str) -> tuple[Mended, Path | None]:
    """Mend a torn last line; give what was done, and the file that the torn bytes were moved to.

    Torn bytes that are a whole row but for their newline get it: `completed`. Others are moved to `<log>.torn-<hash>` beside
    the log, which then ends with its last whole line. Raises `ChainBroken` where the whole lines do not hold or the anchor
    does not agree with them, `OutsideFailure`.
    """
    path = subjects.log_path(subject_id, subjects.manifest(subject_id))
    with held(path) as log:
        found = _verified(subjects, subject_id, path)
        if found.verified:
            return "nothing", None
        if found.error is None or found.error.kind != "torn_last_line":
            raise _broken(subject_id, path, found)
        size = os.fstat(log).st_size
        torn = b"".join(line for line in lines_of(path, size) if not line.endswith(b"\n"))
        walk = Walk(subjects.keys, subject_id, count=found.count, tip=found.tip, key_id=found.key_id)
        if walk.take(torn + b"\n") is None:
            _change(path, log, b"\n", size)
            return "completed", None
        beside = path.with_name(f"{path.name}.torn-{sha256(torn).hexdigest()[:16]}")
        # First the copy, then the cut: who dies in between leaves both, and the next mend makes the same copy.
        write_whole(beside, torn)
        _change(path, log, b"", size - len(torn))
        return "moved", beside


def anchor(subjects: Subjects, subject_id: str, *, renew: bool = False) -> Verification:
    """Write the anchor of a log that holds but is ahead of it, and give what was verified.

    With `renew` also where the anchor is missing or forged: whoever asks for that vouches that the log is whole. Raises
    `ChainBroken` where the log does not hold.
    """
    manifest = subjects.manifest(subject_id)
    path = subjects.log_path(subject_id, manifest)
    place = subjects.anchor_path(subject_id)
    if renew and stored_anchor(place) is None:
        path.touch()
    with held(path):
        found = _verified(subjects, subject_id, path)
        if renew and found.error is not None and found.error.kind in ("anchor_missing", "anchor_forged"):
            found = verify(path, subjects.keys, subject=subject_id)
        elif found.verified and not found.warnings:
            follow(subjects, manifest, manifest.key_id if found.key_id is None else found.key_id)
            return found
        if not found.verified:
            raise _broken(subject_id, path, found)
        key = subjects.keys.wanted(found.tip_key or manifest.key_id)
        write_anchor(place, subject_id, found.count, found.tip, key)
        follow(subjects, manifest, manifest.key_id if found.key_id is None else found.key_id)
    return found


def _verified(subjects: Subjects, subject_id: str, path: Path) -> Verification:
    data = stored_anchor(subjects.anchor_path(subject_id))
    found = verify(path, subjects.keys, data, subject=subject_id)
    if data is None and (found.error is None or found.error.kind == "torn_last_line"):
        fault = Fault(0, "anchor_missing", "there is no anchor that says whether these are all rows")
        return Verification(found.count, found.tip, fault, key_id=found.key_id, tip_key=found.tip_key)
    return found


def _broken(subject_id: str, path: Path, found: Verification) -> ChainBroken:
    fault = found.error
    assert fault is not None
    mends = {
        "torn_last_line": f"`lakehouse subject mend {subject_id}` first",
        "anchor_missing": f"if you know that the log is whole, `lakehouse subject anchor {subject_id} --renew`",
        "anchor_forged": f"if you know that the log is whole, `lakehouse subject anchor {subject_id} --renew`",
    }
    mend = mends.get(fault.kind, "compare it with a backup; docs/subjects.md says what each kind means")
    where = f"{path}:{fault.line}" if fault.line else str(path)
    return ChainBroken(f"{fault.kind}: {fault.why}", where=where, mend=mend, kind=fault.kind)


def _change(path: Path, log: int, more: bytes, size: int) -> None:
    """Add bytes to a log that is held, or cut it to a size, durably."""
    try:
        if more:
            os.write(log, more)
        else:
            os.ftruncate(log, size)
        os.fsync(log)
    except OSError as error:
        raise OutsideFailure(
            f"the log cannot be mended ({error.strerror})",
            where=str(path),
            mend="look at the disk's free space and rights",
        ) from error
