"""Three subjects of the sample lake, with a log each that the product itself wrote.

Here: who looked at whom, and why. Not here: how that is recorded (`lakehouse.subjects`). The sample's key is as good as any;
it is made once and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.records import AuditAccessor
from lakehouse.subjects.keys import new_key
from lakehouse.subjects.log import append, rotate
from lakehouse.subjects.places import create, open_subjects
from lakehouse.timestamps import written

KEYS: Final = ("sample-1", "sample-2")
SUBJECTS: Final = ("WORKER-1", "WORKER-2", "WORKER-3")

_LOOKS: Final = (
    ("gateway", "ann", "fill 2 welders in Flint MI", ("name", "role", "certs"), "success"),
    ("gateway", "ann", "call about Monday's shift", ("name", "phone"), "success"),
    ("observer", "inbox", "match a request from a client", ("role", "city", "state"), "success"),
    ("gateway", "ben", "read the résumé for another client", ("resume_text",), "denied"),
    ("exporter", "nightly", "placement report", (), "success"),
)
"""Daemon, user, purpose, fields and result of an access."""


def new_subjects(lake: Lake, keys: Path, anchors: Path) -> list[str]:
    """Give the ids of the sample's subjects that are not there yet.

    Raises `UsageError` where the folder of anchors belongs to another lake, or to one that was deleted: each lake wants its own.
    """
    subjects = open_subjects(lake, keys, anchors)
    new = [subject for subject in SUBJECTS if not subjects.folder(subject).exists()]
    for subject in new:
        if subjects.anchor_path(subject).exists():
            raise UsageError(
                f"there are anchors of another lake, or of one that was deleted: {subject} is not in this one",
                where=str(anchors),
                mend="name another folder in LAKEHOUSE_ANCHORS, or delete this one if its lake is gone",
            )
    return new


def write_sample_subjects(
    lake: Lake,
    keys: Path,
    anchors: Path,
    clock: Callable[[], datetime],
    random_bytes: Callable[[int], bytes],
) -> list[str]:
    """Make three subjects with rows in their logs, one of which changed its key; give the ids of those that are new.

    A subject that is there is left alone. Raises as `new_subjects` does, and writes nothing then.
    """
    subjects, new = open_subjects(lake, keys, anchors), new_subjects(lake, keys, anchors)
    if not new:
        return []
    for key_id in KEYS:
        if key_id not in subjects.keys:
            new_key(keys, key_id, random_bytes)
    now = clock()
    for place, subject in enumerate(new):
        made = {"kind": "worker", "retention": "P7Y", "key_id": KEYS[0]}
        create(subjects, subject, datasets=["workers"], now=written(now), **made)
        for number, (daemon, user, purpose, fields, result) in enumerate(_LOOKS):
            moment = written(now + timedelta(milliseconds=number))
            accessor = AuditAccessor(daemon=daemon, user=user, purpose=purpose, trace_id="")
            if number == 3 and place == len(new) - 1:
                turning = AuditAccessor(daemon="lakehouse", user="ann", purpose="change the key", trace_id="")
                rotate(subjects, subject, KEYS[1], turning, moment)
            append(subjects, subject, accessor, fields, result, moment)
    return new
