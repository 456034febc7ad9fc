"""People's verdicts: the log `_kb/human_overrides.jsonl`, and the days that a new one makes stale.

Here: reading and appending the log, and finding the day of the row that an override speaks of. Not here: what an
override does to a verdict (`scoring/`) and the queue of what needs one (`triage.py`).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from lakehouse.files import append, locked, remove
from lakehouse.jsonl import JsonlWriter, encode, read_json, write_json
from lakehouse.lake import Lake
from lakehouse.quarantine import quarantined
from lakehouse.records import OverrideRow, QuarantinedRow
from lakehouse.timestamps import BadTimestamp, read, written

STAGE = "overrides"


def log_path(lake: Lake) -> Path:
    """Where people's verdicts are appended."""
    return lake.raw / "human_overrides.jsonl"


def decide(lake: Lake, row: OverrideRow) -> None:
    """Append a person's verdict to the log."""
    append(log_path(lake), [encode(row)])


def as_newest(lake: Lake, row: OverrideRow) -> OverrideRow:
    """Date a verdict so that it is the newest on its row.

    Where one stands there that is dated later (another clock was ahead), it is dated a millisecond after that one.
    """
    held = read_overrides(lake)[0].get(row.sig_hash)
    if held is None or read(held.at).micros < read(row.at).micros:
        return row
    after = datetime.fromtimestamp(read(held.at).micros / 1e6, UTC) + timedelta(milliseconds=1)
    return msgspec.structs.replace(row, at=written(after))


def load_overrides(lake: Lake) -> dict[str, OverrideRow]:
    """Give the override of each signature, and quarantine the lines that are none.

    They land in `quarantine/undated/overrides.jsonl`, which is written anew each time.
    """
    overrides, refused = read_overrides(lake)
    _quarantine(lake, refused)
    return overrides


def read_overrides(lake: Lake) -> tuple[dict[str, OverrideRow], list[QuarantinedRow]]:
    """Give the override of each signature, the latest by its `at` (of equal ones the later line), and bad lines.

    A torn last line is not there yet.
    """
    path = log_path(lake)
    latest: dict[str, tuple[int, OverrideRow]] = {}
    refused: list[QuarantinedRow] = []
    if not path.exists():
        return {}, refused
    decode = msgspec.json.Decoder(OverrideRow).decode
    name = lake.relative(path)
    with path.open("rb") as log:
        for number, line in enumerate(log):
            if not line.endswith(b"\n") or not line.strip():
                continue
            try:
                row = decode(line)
                micros = read(row.at).micros
            except (msgspec.DecodeError, UnicodeDecodeError, BadTimestamp) as error:
                refused.append(
                    quarantined(STAGE, "human_overrides", name, number, "bad_override", str(error), line.rstrip())
                )
                continue
            held = latest.get(row.sig_hash)
            if held is None or micros >= held[0]:
                latest[row.sig_hash] = micros, row
    return {sig_hash: row for sig_hash, (_, row) in latest.items()}, refused


def _quarantine(lake: Lake, refused: list[QuarantinedRow]) -> None:
    path = lake.quarantine(None, STAGE)
    if not refused:
        remove(path)
        return
    with JsonlWriter(path) as out:
        for row in refused:
            out.add(encode(row))


class _Placed(msgspec.Struct):
    """On which days each override's row was found, and what the days were made of when they were searched."""

    days: dict[str, list[str]]
    searched: dict[str, str]


def days_of(lake: Lake, overrides: Mapping[str, OverrideRow], made: Mapping[str, str]) -> dict[str, list[str]]:
    """Give the days of each overridden row. `made` names the evidence of every day (its fingerprint).

    A new signature is searched in all evidence, one that was found nowhere only in what was made since.
    """
    path = lake.root / "index" / "overrides.json"
    with locked(lake.lock("overrides")):
        placed = read_json(path, _Placed) or _Placed({}, {})
        changed = [day for day, fingerprint in made.items() if placed.searched.get(day) != fingerprint]
        new = [sig_hash for sig_hash in overrides if sig_hash not in placed.days]
        found = _search(lake, new, made)
        missing = [sig_hash for sig_hash, days in placed.days.items() if not days and sig_hash in overrides]
        found.update(_search(lake, missing, changed))
        placed.days.update({sig_hash: found.get(sig_hash, []) for sig_hash in (*new, *missing)})
        placed.days = dict(sorted(placed.days.items()))
        placed.searched = dict(made)
        if overrides or path.exists():
            write_json(path, placed)
    return placed.days


def _search(lake: Lake, signatures: list[str], days: Iterable[str]) -> dict[str, list[str]]:
    needles = {sig_hash: f'"sig_hash":"{sig_hash}"'.encode() for sig_hash in signatures}
    found: dict[str, list[str]] = {}
    files = ((day, path) for day in days for path in sorted(lake.evidence(day).glob("*.jsonl"))) if needles else ()
    for day, path in files:
        if path.stat().st_size == 0:
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for sig_hash, needle in needles.items():
                if data.find(needle) >= 0 and day not in found.setdefault(sig_hash, []):
                    found[sig_hash].append(day)
    return found
