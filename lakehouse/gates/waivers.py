"""A person's word that data may go on although a gate on it is red: the log `_kb/gate_waivers.jsonl`.

Here: reading and appending the log, and which gates can be waived at all, for a day or for a line. Not here: what a waived
day means for publishing (`verdicts.py`) and releases (`release/grounds.py`), what a waived line means (`sessions.py`).
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import msgspec

from lakehouse.errors import UsageError
from lakehouse.files import append
from lakehouse.jsonl import encode
from lakehouse.lake import Lake
from lakehouse.records import GateWaiver, Verdict

WAIVABLE = frozenset(
    {"provenance_resolves", "contract", "quarantine_rate", "scorer_parity", "scorer_drift", "score_distribution_psi"}
)
"""The gates on days that a person may overrule. That bytes are what was written, that every run has its one verdict, and
whatever guards an export, nobody may."""

LINE_WAIVABLE = {"accepted_fills_grounded": "session_audit"}
"""The gates on a log of which a person may let single lines pass, and the asset that each looks at. Such a log only grows:
a bad line in it would be an alarm for ever."""

_LINE = re.compile(r"line ([1-9][0-9]{0,17})")

Waivers = dict[tuple[str, str, str], GateWaiver]
"""From asset, day and check to the waiver that counts."""


def log_path(lake: Lake) -> Path:
    """Where waivers are appended."""
    return lake.raw / "gate_waivers.jsonl"


def read_waivers(lake: Lake) -> tuple[Waivers, list[int]]:
    """Give the waivers that count, and the lines (from 1) that are none, a torn last line among them.

    A line that cannot be read lets nothing through: the gate that it spoke of stays red.
    """
    path = log_path(lake)
    found: Waivers = {}
    refused: list[int] = []
    if not path.exists():
        return found, refused
    decode = msgspec.json.Decoder(GateWaiver).decode
    with path.open("rb") as log:
        for number, line in enumerate(log, start=1):
            if not line.strip():
                continue
            if not line.endswith(b"\n"):
                refused.append(number)
                continue
            try:
                row = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                refused.append(number)
                continue
            found[row.asset, row.partition, row.check] = row
    return {place: row for place, row in found.items() if not row.withdrawn}, refused


def waiver_of(lake: Lake, asset: str, day: str | None, verdict: Verdict) -> GateWaiver | None:
    """Give the waiver of a red verdict; one that was given for other data counts no more."""
    if day is None or verdict.check not in WAIVABLE:
        return None
    row = read_waivers(lake)[0].get((asset, day, verdict.check))
    return row if row is not None and row.input_sha256 == verdict.input_sha256 else None


def waive(lake: Lake, asset: str, day: str, verdict: Verdict, *, by: str, reason: str, at: str) -> GateWaiver:
    """Append a person's waiver of a red verdict. Raises `UsageError` where it is green, or where nobody may waive it."""
    where = lake.relative(lake.gate(asset, day))
    if verdict.passed:
        raise UsageError(f"{verdict.check} of {day} is green", where=where, mend="there is nothing to waive")
    if verdict.severity == "WARN":
        raise UsageError(
            f"{verdict.check} of {day} only warns, it holds nothing back", where=where, mend="there is nothing to waive"
        )
    if verdict.check not in WAIVABLE:
        raise UsageError(
            f"{verdict.check} cannot be waived",
            where=where,
            mend=f"mend its cause, see docs/gates.md; what a person may waive is {', '.join(sorted(WAIVABLE))}",
        )
    if not verdict.input_sha256:
        raise UsageError(
            f"{verdict.check} of {day} could not look at the data: there is none that a waiver could speak of",
            where=where,
            mend=f"mend what kept it from looking ({verdict.summary}), then `lakehouse distill --day {day}`",
        )
    if not by.strip() or not reason.strip():
        raise UsageError("a waiver says who gives it and why", mend="give --by and --reason")
    row = _row(asset, day, verdict, by=by, reason=reason, at=at)
    append(log_path(lake), [encode(row)])
    return row


def withdraw(lake: Lake, asset: str, day: str, verdict: Verdict, *, by: str, reason: str, at: str) -> GateWaiver:
    """Append that a waiver holds no more. Raises `UsageError` where there is none."""
    if waiver_of(lake, asset, day, verdict) is None:
        raise UsageError(
            f"no waiver of {asset}/{verdict.check} of {day} stands",
            where=lake.relative(log_path(lake)),
            mend="`lakehouse gates list` shows those that do",
        )
    row = _row(asset, day, verdict, by=by, reason=reason, at=at, withdrawn=True)
    append(log_path(lake), [encode(row)])
    return row


class LineWaivers(dict[int, GateWaiver]):
    """The waivers of single lines that were not taken back, by the number of the line (from 1)."""

    def of(self, number: int, raw: bytes) -> GateWaiver | None:
        """Give the waiver of a line; one that was given for other bytes counts no more."""
        row = self.get(number)
        return row if row is not None and row.input_sha256 == line_hash(raw) else None


def line_waivers(lake: Lake, asset: str, check: str) -> LineWaivers:
    """Give the waivers of lines that a gate looks at, in the order of the lines."""
    found = {
        int(line[1]): row
        for (of, partition, gate), row in read_waivers(lake)[0].items()
        if (of, gate) == (asset, check) and (line := _LINE.fullmatch(partition))
    }
    return LineWaivers(sorted(found.items()))


def line_hash(raw: bytes) -> str:
    """Give the SHA-256 of a line with its newline, as `sed -n 78p | sha256sum` does."""
    return sha256(raw).hexdigest()


def append_line(
    lake: Lake, check: str, number: int, input_sha256: str, *, by: str, reason: str, at: str, withdrawn: bool = False
) -> GateWaiver:
    """Append a person's word on a line. What it is given on is the caller's to check. Raises `UsageError`."""
    if not by.strip() or not reason.strip():
        raise UsageError("a waiver says who gives it and why", mend="give --by and --reason")
    row = GateWaiver(
        asset=LINE_WAIVABLE[check],
        partition=f"line {number}",
        check=check,
        input_sha256=input_sha256,
        by=by,
        reason=reason,
        at=at,
        withdrawn=withdrawn,
    )
    append(log_path(lake), [encode(row)])
    return row


def _row(
    asset: str, day: str, verdict: Verdict, *, by: str, reason: str, at: str, withdrawn: bool = False
) -> GateWaiver:
    return GateWaiver(
        asset=asset,
        partition=day,
        check=verdict.check,
        input_sha256=verdict.input_sha256,
        by=by,
        reason=reason,
        at=at,
        withdrawn=withdrawn,
    )
