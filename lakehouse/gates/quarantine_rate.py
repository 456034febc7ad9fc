"""The gate `quarantine_rate`: how much of a day could not be used, and why.

Here: the share, its two limits, and which rows those were. Not here: who refuses a row (`lakehouse/chain/collect.py`),
rows without a day, which are no day's (`quarantine/undated/`).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import msgspec

from lakehouse.chain.manifests import data_hash, read_manifest
from lakehouse.errors import RecordError
from lakehouse.gates.verdicts import MOST_OFFENDERS, STAGE_OF, verdict
from lakehouse.jsonl import JsonlReader
from lakehouse.lake import Lake
from lakehouse.records import DayManifest, Verdict
from lakehouse.secrets import mask

VERSION = "quarantine-rate-1"
WARN_OVER, ERROR_OVER = 0.01, 0.2
"""Shares of a day's rows above which a person should look, and above which the day is held back."""
_STAGE = STAGE_OF["evidence"]
_REASON = 200
"""Characters of a reason that are shown."""
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class _Quarantined(msgspec.Struct, gc=False):
    """A quarantined row without the row."""

    stream: str
    source_file: str
    line_offset: int
    reason_code: str
    reason: str
    field: str | None = None


def share_of(manifest: DayManifest) -> float:
    """Give the share of a day's rows that `collect` quarantined; 0 where there were none."""
    return manifest.records_quarantined / manifest.records_in if manifest.records_in else 0.0


def quarantine_rate(lake: Lake, day: str, checked_at: str) -> Verdict:
    """Warn where more than 1 % of a day's rows was quarantined, fail where more than 20 % was; a day without rows passes.

    The table counts them by stream and reason. The day's file is read in stream.
    """
    manifest = read_manifest(lake, _STAGE, day)
    if manifest is None:
        raise RecordError(
            f"evidence of {day} was never made", where=str(lake.root), mend=f"run `lakehouse distill --day {day}`"
        )
    share = share_of(manifest)
    counts, offenders = _rows(lake, day) if manifest.records_quarantined else (Counter(), [])
    table = [
        {"stream": stream, "reason": code, "rows": rows, "share": round(rows / manifest.records_in, 6)}
        for (stream, code), rows in sorted(counts.items(), key=lambda found: (-found[1], found[0]))
    ]
    return verdict(
        "quarantine_rate",
        passed=share <= WARN_OVER,
        rows_checked=manifest.records_in,
        summary=_summary(manifest, share, table),
        offenders=offenders,
        input_sha256=data_hash(manifest.outputs),
        code_version=VERSION,
        checked_at=checked_at,
        severity="ERROR" if share > ERROR_OVER else "WARN",
        tables={"quarantined": table} if table else None,
    )


def _summary(manifest: DayManifest, share: float, table: list[dict[str, Any]]) -> str:
    rows, bad = manifest.records_in, manifest.records_quarantined
    if not rows:
        return "the day has no rows"
    said = f"{bad} of {rows} rows were quarantined"
    if not bad:
        return f"none of {rows} rows was quarantined"
    limit = ERROR_OVER if share > ERROR_OVER else WARN_OVER
    over = f" ({share:.1%}, more than {limit:.0%})" if share > WARN_OVER else f" ({share:.2%})"
    most = f", most of them {table[0]['reason']} in {table[0]['stream']}" if table else ""
    return said + over + most


def _rows(lake: Lake, day: str) -> tuple[Counter[tuple[str, str]], list[dict[str, Any]]]:
    """Count a day's quarantined rows by stream and reason, and name the first by their place in the raw stream."""
    path = lake.quarantine(day, _STAGE)
    counts: Counter[tuple[str, str]] = Counter()
    offenders: list[dict[str, Any]] = []
    if not path.exists():
        return counts, [{"file": lake.relative(path), "line": 0, "why": "the file is gone"}]
    for row in JsonlReader(_Quarantined).records(path):
        counts[row.stream, row.reason_code] += 1
        if len(offenders) < MOST_OFFENDERS:
            place = {"file": row.source_file, "line": row.line_offset + 1}
            offenders.append({**place, "why": _why(row), "stream": row.stream})
    return counts, offenders


def _why(row: _Quarantined) -> str:
    """Give code and reason, without what a row's own values may have put into the reason."""
    reason = row.reason
    if row.reason_code == "transform_error":
        # What a plugin's error says after its class is anything, most likely a value.
        reason = ": ".join(reason.split(": ")[:2])
    # Quoted in a reason stands a value that was refused; in backquotes a field or a type.
    reason = _QUOTED.sub("'…'", reason)
    where = f" ({row.field})" if row.field else ""
    return mask(f"{row.reason_code}{where}: {reason}")[:_REASON]
