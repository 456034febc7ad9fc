"""The gate on metric drift: the newest audit baseline against the one before it.

Here: from the log of baselines to a verdict. Not here: comparing metrics (`lakehouse.drift.metrics`).
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from lakehouse.baseline import log_path, read_baselines
from lakehouse.chain.manifests import fingerprint
from lakehouse.drift.metrics import MetricDrift, gone
from lakehouse.drift.metrics import metric_drift as compared
from lakehouse.errors import RecordError
from lakehouse.gates.verdicts import verdict
from lakehouse.lake import Lake
from lakehouse.records import Verdict

CHECK = "metric_drift"
VERSION = "metric-drift-1"


def metric_drift(lake: Lake, checked_at: str) -> Verdict:
    """Hold the metrics of the newest baseline against the one before; a change of more than 20 % warns.

    Without two baselines there is nothing to compare: no row is checked, and the summary says so. A log that is torn or
    damaged is an error with its line, for without it drift would be lost in silence.
    """
    path = log_path(lake)
    try:
        baselines = read_baselines(path)
    except RecordError as error:
        return _damaged(lake, path, error, checked_at)
    newest = baselines[-1] if baselines else None
    prior = baselines[-2] if len(baselines) > 1 else None
    rows = compared(prior and prior["metrics"], newest["metrics"]) if newest else []
    warned = [row for row in rows if row.flag == "warn"]
    lost = gone(prior and prior["metrics"], newest["metrics"]) if newest else []
    place = {"file": lake.relative(path), "line": _last_line(path) if newest else 0}
    return verdict(
        CHECK,
        passed=not warned,
        severity="WARN",
        rows_checked=len(rows) if prior else 0,
        summary=_summary(len(baselines), rows, warned, lost),
        offenders=[{**place, "why": said(row)} for row in warned],
        tables={"drift": [_plain(row) for row in rows]} if rows else None,
        input_sha256=fingerprint(prior, newest),
        code_version=VERSION,
        checked_at=checked_at,
    )


def said(row: MetricDrift) -> str:
    """Tell of a metric in words: `p2_evidence_rows: 12 to 82, +583.3 %`."""
    if row.prior is None:
        return f"{row.metric}: {row.current:,}, for the first time"
    percent = "no percentage of 0" if row.pct_change is None and not row.prior else f"{row.pct_change or 0:+,.1f} %"
    return f"{row.metric}: {row.prior:,} to {row.current:,}, {percent}"


def _summary(baselines: int, rows: list[MetricDrift], warned: list[MetricDrift], lost: list[str]) -> str:
    if baselines < 2:
        return f"nothing to compare yet: the log holds {'one baseline' if baselines else 'no baseline'}"
    text = f"{len(warned)} of {len(rows)} metrics moved by more than 20 % since the baseline before"
    if warned:
        text += ": " + "; ".join(map(said, warned[:3])) + (f" and {len(warned) - 3} more" if len(warned) > 3 else "")
    if lost:
        text += f"; not measured any more: {', '.join(lost)}"
    return text


def _plain(row: MetricDrift) -> dict[str, object]:
    """Give a row of the table with every column, so that all rows have the same."""
    return {name: getattr(row, name) for name in MetricDrift.__struct_fields__}


def _last_line(path: Path) -> int:
    """Give the number of the newest entry's line."""
    lines = path.read_bytes().split(b"\n")
    return max((number for number, line in enumerate(lines, start=1) if line.strip()), default=0)


def _damaged(lake: Lake, path: Path, error: RecordError, checked_at: str) -> Verdict:
    line = error.where.rpartition(":")[2]
    return verdict(
        CHECK,
        passed=False,
        rows_checked=0,
        summary=str(error),
        offenders=[{"file": lake.relative(path), "line": int(line) if line.isdigit() else 0, "why": error.what}],
        input_sha256=sha256(path.read_bytes()).hexdigest(),
        code_version=VERSION,
        checked_at=checked_at,
    )
