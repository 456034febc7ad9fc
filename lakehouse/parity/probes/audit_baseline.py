"""Probe `audit_baseline`: reading a log of baselines that another producer wrote, and the drift between its ends.

Input `{do, log}` with the log as text. Answer by what is to be done: `round_trip` reads every entry and writes it again:
`{lines}`; `drift` compares the metrics of the first entry with those of the last: `{rows: [{metric, prior?, current,
pct_change?, flag}]}`, in percent; `read` is of a log that cannot be read: `{error, line}`, where `error` is `torn_last_line`
or `bad_line`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import orjson

from lakehouse.baseline import read_baselines
from lakehouse.drift.metrics import metric_drift
from lakehouse.errors import RecordError
from lakehouse.files import append
from lakehouse.parity.probe import Fixture, Probe, load_fixtures

_KEYS = {"round_trip": "lines", "drift": "rows", "read": "error"}


def ours(question: Any) -> Any:
    """Answer with our own reader, writer and drift, on a file that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="lakehouse-parity-") as folder:
        path = Path(folder) / "audit_baselines.jsonl"
        path.write_bytes(question["log"].encode())
        try:
            entries = read_baselines(path)
        except RecordError as error:
            return {"error": "torn_last_line" if "torn" in error.what else "bad_line", "line": _line(error)}
        if question["do"] == "drift":
            rows = metric_drift(entries[0]["metrics"], entries[-1]["metrics"])
            return {"rows": msgspec.to_builtins(rows)}
        again = Path(folder) / "again.jsonl"
        append(again, map(orjson.dumps, read_baselines(path)))
        return {"lines": [orjson.dumps(entry).decode() for entry in read_baselines(again)]}


def _line(error: RecordError) -> int:
    return int(error.where.rpartition(":")[2])


def fault(fixture: Fixture, answer: Any) -> str | None:
    """Say what is wrong with an answer: that it lacks what the fixture asks for, or is empty."""
    key = _KEYS[fixture.input["do"]]
    if not isinstance(answer, dict) or not answer.get(key):
        return f"the answer has no `{key}`"
    if key == "error" and not isinstance(answer.get("line"), int):
        return "the answer does not say which line is to blame"
    if key == "rows" and not all(isinstance(row, dict) for row in answer["rows"]):
        return "the rows are no objects"
    return None


def normalise(answer: Any) -> Any:
    """Round percentages to six places: the last digit of a double depends on the order of the operations."""
    if "rows" not in answer:
        return answer
    rows = [{key: value for key, value in row.items() if value is not None} for row in answer["rows"]]
    return {"rows": [row | _rounded(row) for row in rows]}


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    percent = row.get("pct_change")
    return {"pct_change": round(percent, 6)} if isinstance(percent, int | float) else {}


AUDIT_BASELINE = Probe(
    name="audit_baseline",
    description="A log of seven baselines of another producer: it survives a round trip, drifts as it should from first "
    "to last, and a torn last line is an error.",
    fixtures=load_fixtures("audit_baseline"),
    ours=ours,
    fault=fault,
    normalise=normalise,
)
