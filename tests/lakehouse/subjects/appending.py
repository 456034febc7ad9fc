"""A process for `test_many_writers.py`: appends to the log of a subject and says each row's number once it is there.

Arguments: the folder of a `Desk`, the user, how many rows (0: without end), and `slow` for a disk that takes eight bytes at
a time, so that a kill tears lines.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from lakehouse.lake import Lake
from lakehouse.records import AuditAccessor
from lakehouse.subjects import log
from lakehouse.subjects.places import open_subjects


class SlowDisk:
    """Stands for `os` in the module that writes rows: everything as it is, but writes in pieces."""

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    @staticmethod
    def write(file: int, data: bytes) -> int:
        for start in range(0, len(data), 8):
            os.write(file, data[start : start + 8])
            time.sleep(0.0002)
        return len(data)


def main() -> None:
    folder, user, rows = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    if "slow" in sys.argv[4:]:
        log.os = SlowDisk()  # type: ignore[assignment]
    subjects = open_subjects(Lake(folder / "lake"), folder / "keys", folder / "anchors")
    accessor = AuditAccessor(daemon="gateway", user=user, purpose="fill", trace_id="")
    os.write(1, b"0\n")
    number = 0
    while not rows or number < rows:
        number += 1
        fields = [f"field {number}", "x" * 500]
        written = log.append(subjects, "WORKER-1", accessor, fields, "success", "2026-05-10T02:00:00.000Z")
        os.write(1, b"%d\n" % written)


if __name__ == "__main__":
    main()
