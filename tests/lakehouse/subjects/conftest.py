"""A lake with a key, and a subject whose log the product writes: what tests of subjects begin with.

Here: the `desk` fixture. Not here: attacks (`test_attacks.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse.lake import Lake
from lakehouse.records import AuditAccessor
from lakehouse.subjects import log
from lakehouse.subjects.checks import verify_subject
from lakehouse.subjects.keys import new_key
from lakehouse.subjects.places import Subjects, create, open_subjects
from lakehouse.subjects.reading import WAIT
from lakehouse.subjects.verify import Verification

NOW = "2026-05-10T02:00:00.000Z"
ANN = AuditAccessor(daemon="gateway", user="ann", purpose="fill 2 welders in Flint", trace_id="")
SUBJECT = "WORKER-1"


def counting(start: int) -> Callable[[int], bytes]:
    """Bytes for keys, another key for another start."""
    return lambda count: bytes((start + n) % 256 for n in range(count))


class Desk:
    """The subjects of a lake; opened anew for each step, as a new process would."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(folder / "lake")
        self.lake.raw.mkdir(parents=True, exist_ok=True)
        self.keys = folder / "keys"
        self.anchors = folder / "anchors"
        self.wait = WAIT

    @property
    def subjects(self) -> Subjects:
        return open_subjects(self.lake, self.keys, self.anchors, wait=self.wait)

    def key(self, key_id: str, start: int = 0) -> Path:
        return new_key(self.keys, key_id, counting(start))

    def create(self, subject: str = SUBJECT, key_id: str = "k1") -> None:
        create(
            self.subjects,
            subject,
            kind="worker",
            retention="P7Y",
            key_id=key_id,
            datasets=["workers"],
            now=NOW,
        )

    def append(self, rows: int = 1, subject: str = SUBJECT, user: str = "ann") -> int:
        number = 0
        for _ in range(rows):
            number = log.append(
                self.subjects,
                subject,
                AuditAccessor(daemon="gateway", user=user, purpose="fill 2 welders in Flint", trace_id=""),
                ["name", "phone"],
                "success",
                NOW,
            )
        return number

    def rotate(self, key_id: str, subject: str = SUBJECT) -> int:
        return log.rotate(self.subjects, subject, key_id, ANN, NOW)

    def verify(self, subject: str = SUBJECT) -> Verification:
        return verify_subject(self.subjects, subject).found

    def log(self, subject: str = SUBJECT) -> Path:
        return self.subjects.log_path(subject)

    def anchor(self, subject: str = SUBJECT) -> Path:
        return self.subjects.anchor_path(subject)

    def rows(self, subject: str = SUBJECT) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log(subject).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A lake with the keys k1 and k2 and the subject WORKER-1, without rows."""
    made = Desk(tmp_path)
    made.key("k1", 0)
    made.key("k2", 100)
    made.create()
    return made
