"""Whether the logs of subjects still end where their verdict says: what `lakehouse gates list` can tell without a key.

Here: the last line of each log against a verdict. Not here: verifying a log (`lakehouse.subjects`), the gate (`subjects.py`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import msgspec

from lakehouse.lake import Lake
from lakehouse.records import Verdict
from lakehouse.subjects.chain import MAX_ROW, ZEROS
from lakehouse.subjects.manifest import LOG
from lakehouse.subjects.reading import CannotRead, open_regular, read_regular

_WINDOWS: Final = (1 << 14, 2 * MAX_ROW)
"""Bytes at the end of a log in which its last row is looked for."""


class _Named(msgspec.Struct):
    audit_log: str = LOG


class _Signed(msgspec.Struct):
    hmac: str


def moved(lake: Lake, verdict: Verdict) -> bool:
    """Say whether a subject came, is gone, or has a log that ends otherwise than when it was verified.

    One that did not hold is left aside: it is red or worse. A row that was changed further up shows only where a log is
    verified. Time: one line a subject. Raises `OSError` where something cannot be read.
    """
    held: dict[str, dict[str, Any]] = {row["subject"]: row for row in (verdict.tables or {}).get("subjects", [])}
    there = {path.name for path in lake.subjects.iterdir() if path.is_dir()} if lake.subjects.is_dir() else set()
    if there - held.keys():
        return True
    return any(row["verified"] and _tip(lake.subjects / name) != row["tip"] for name, row in held.items())


def _tip(folder: Path) -> str | None:
    """Give the beginning of the last row's `hmac` as the verdict's table has it; `None` where there is none to be read."""
    try:
        named = msgspec.json.decode(read_regular(folder / "manifest.json"), type=_Named).audit_log
        row = _last_row(folder / Path(named).name)
        return msgspec.json.decode(row, type=_Signed).hmac[:16] if row else ZEROS[:16]
    except (FileNotFoundError, CannotRead, msgspec.DecodeError, UnicodeError):
        return None


def _last_row(path: Path) -> bytes:
    """Give the last line that has its newline; nothing where there is none."""
    with os.fdopen(open_regular(path), "rb") as log:
        size = log.seek(0, os.SEEK_END)
        for window in _WINDOWS:
            log.seek(max(size - window, 0))
            lines = log.read(window).split(b"\n")
            # The first may be the end of a longer one.
            if len(lines) > 2 or size <= window:
                break
    return lines[-2] if len(lines) > 1 else b""
