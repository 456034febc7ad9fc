"""Mending what a writer that died left behind: a torn last line, an anchor that is behind or gone.

Here: `mend` and `anchor`, both under the lock of the log and after the whole log was verified. Not here: anything that
would change a row: a log that was changed is restored by a person.
"""

from __future__ import annotations

import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

from lakehouse.errors import OutsideFailure
from lakehouse.files import write_whole
from lakehouse.records import AuditAccessor
from lakehouse.subjects.anchors import stored_anchor, write_anchor
from lakehouse.subjects.log import add_renewal, follow
from lakehouse.subjects.places import Subjects, begin
from lakehouse.subjects.tail import ChainBroken, held, refuse_ahead
from lakehouse.subjects.texts import check_text, check_time
from lakehouse.subjects.verify import Fault, Verification, lines_of, verify
from lakehouse.subjects.walk import Walk

Mended = Literal["nothing", "completed", "moved"]


class Renewal(NamedTuple):
    """Who vouches that a log is whole whose anchor is missing or forged, why, and when."""

    by: str
    reason: str
    at: str


def mend(subjects: Subjects, subject_id: str) -> tuple[Mended, Path | None]:
    """Mend a torn last line; give what was done, and the file that the torn bytes were moved to.

    Torn bytes that are a whole row but for their newline get it: `completed`. Others are moved to `<log>.torn-<hash>` beside
    the log, which then ends with its last whole line. Raises `ChainBroken` where the whole lines do not hold or the anchor
    does not agree with them, `OutsideFailure`.
    """
    path = subjects.log_path(subject_id, subjects.manifest(subject_id))
    with held(path, subjects.wait) as log:
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


def anchor(subjects: Subjects, subject_id: str, *, renew: Renewal | None = None) -> tuple[int, str]:
    """Write the anchor of a log that holds but is ahead of it, and give the count and tip that it has then.

    With `renew` also where the anchor is missing or forged: who asks for that vouches that the log is whole, and a row
    `anchor_renewed` says so in the log. Raises `ChainBroken` where the log does not hold, or its manifest is ahead of it.
    """
    if renew is not None:
        check_text("by", renew.by)
        check_text("reason", renew.reason)
        check_time("at", renew.at)
    manifest = subjects.manifest(subject_id)
    path = subjects.log_path(subject_id, manifest)
    place = subjects.anchor_path(subject_id)
    if renew is not None and stored_anchor(place) is None:
        begin(path)
    with held(path, subjects.wait) as log:
        found = _verified(subjects, subject_id, path)
        vouched = found.error is not None and found.error.kind in ("anchor_missing", "anchor_forged")
        if renew is not None and vouched:
            found = verify(path, subjects.keys, subject=subject_id)
        if not found.verified:
            raise _broken(subject_id, path, found)
        manifest = subjects.manifest(subject_id)
        refuse_ahead(manifest, found.key_id, found.keys_used, path)
        current = manifest.key_id if found.key_id is None else found.key_id
        count, tip = found.count, found.tip
        if renew is not None and vouched:
            accessor = AuditAccessor(daemon="lakehouse", user=renew.by, purpose=renew.reason, trace_id="")
            walk = Walk(subjects.keys, subject_id, count=count, tip=tip, key_id=current)
            add_renewal(subjects, subject_id, path, log, walk, subjects.keys.wanted(current), accessor, renew.at)
            count, tip = walk.count, walk.tip
        elif found.warnings:
            write_anchor(place, subject_id, count, tip, subjects.keys.wanted(found.tip_key or current))
        follow(subjects, manifest, current)
    return count, tip


def _verified(subjects: Subjects, subject_id: str, path: Path) -> Verification:
    data = stored_anchor(subjects.anchor_path(subject_id))
    found = verify(path, subjects.keys, data, subject=subject_id)
    if data is None and (found.error is None or found.error.kind == "torn_last_line"):
        fault = Fault(0, "anchor_missing", "there is no anchor that says whether these are all rows")
        return replace(found, error=fault, warnings=())
    return found


def _broken(subject_id: str, path: Path, found: Verification) -> ChainBroken:
    fault = found.error
    assert fault is not None
    mends = {
        "torn_last_line": f"`lakehouse subject mend {subject_id}` first",
        "anchor_missing": f"if you know that the log is whole, `lakehouse subject anchor {subject_id} --renew --reason …`",
        "anchor_forged": f"if you know that the log is whole, `lakehouse subject anchor {subject_id} --renew --reason …`",
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
