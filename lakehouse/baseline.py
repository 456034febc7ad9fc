"""Audit baselines: the metrics of the lake after a run, one line each in `_kb/audit_baselines.jsonl`.

Here: reading the log strictly, the metrics, appending. Not here: comparing baselines. Other producers append to the
same log; their keys and metrics are read as they are and never rewritten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import orjson

from lakehouse.chain.manifests import manifest_days, read_manifest
from lakehouse.errors import RecordError
from lakehouse.files import append, locked
from lakehouse.gates.verdicts import read_verdicts
from lakehouse.jsonl import encode
from lakehouse.lake import Lake
from lakehouse.publish.exports import PREFERENCE, RAG, SFT
from lakehouse.publish.state import read_publication
from lakehouse.records import AuditBaseline, Number, RunSummary

PRODUCER = "python"
_CATEGORIES = {
    "p3_accepted": "accepted",
    "p3_partial": "partially_accepted",
    "p3_rejected": "rejected",
    "p3_human": "needs_human_review",
}
OBSERVED = ("p6_invariants_passed", "p7_replays")
"""The metrics that an audit passes in: they are not to be read off the lake."""
_EXPORTED = {"p4_sft_rows": SFT.asset, "p4_rag_rows": RAG.asset, "p4_pref_pairs": PREFERENCE.asset}


def log_path(lake: Lake) -> Path:
    """Where baselines are appended."""
    return lake.raw / "audit_baselines.jsonl"


def read_baselines(path: Path) -> list[dict[str, Any]]:
    """Read every baseline, in order; no file is no baseline. Blank lines are skipped.

    Raises `RecordError` with the line's number for one that does not parse, and for a torn last line: the last entry is
    the answer here, so losing it in silence would lose drift.
    """
    if not path.exists():
        return []
    entries: list[dict[str, Any]] = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if number == len(lines):
            raise RecordError(
                "the last line is torn: a writer died while it appended",
                where=f"{path}:{number}",
                mend="look at that line; complete it or delete it",
            )
        try:
            msgspec.json.decode(line, type=AuditBaseline)
            entries.append(orjson.loads(line))
        except (msgspec.DecodeError, orjson.JSONDecodeError, UnicodeDecodeError) as error:
            raise RecordError(
                f"this line is no baseline ({error})", where=f"{path}:{number}", mend="correct or delete that line"
            ) from None
    return entries


def metrics(lake: Lake, observed: Mapping[str, Number] | None = None) -> dict[str, Number]:
    """Measure the lake as a whole, from the manifests of its days and what is published, and add what an audit observed.

    Of `observed` the metrics of `OBSERVED` are taken: the others are measured here.
    """
    found: Counter[str] = Counter()
    for day in manifest_days(lake, "collect"):
        collected = read_manifest(lake, "collect", day)
        scored = read_manifest(lake, "score", day)
        if collected is not None:
            found["p2_evidence_rows"] += collected.records_out
            found["p2_evidence_skips"] += sum(collected.skip_reasons.values()) + collected.records_quarantined
        for name, category in _CATEGORIES.items():
            found[name] += scored.counts.get(category, 0) if scored else 0
        for stage in ("export-sft", "export-rag"):
            made = read_manifest(lake, stage, day)
            found["p4_quarantined"] += made.records_quarantined if made else 0
    for name, asset in _EXPORTED.items():
        last = read_publication(lake, asset)
        found[name] = last.items_out if last else 0
        if asset == PREFERENCE.asset and last:
            # It has no days of its own: what it held back is in its publication alone.
            found["p4_quarantined"] += last.records_quarantined
    verdict = read_verdicts(lake, SFT.asset).get("contamination_firewall")
    names = ("p2_evidence_rows", "p2_evidence_skips", *_CATEGORIES, *_EXPORTED, "p4_quarantined")
    result: dict[str, Number] = {name: found[name] for name in names}
    result["p4_contaminated"] = 0 if verdict is None or verdict.passed else len(verdict.offenders)
    result |= {name: observed[name] for name in OBSERVED if observed and name in observed}
    return result


def append_baseline(
    lake: Lake, summary: RunSummary, recorded_at: str, observed: Mapping[str, Number] | None = None
) -> AuditBaseline | None:
    """Append the lake's metrics after a run; `None` where the log holds a baseline of this run hash already.

    `observed` are the metrics that only an audit can know (`OBSERVED`); those that it does not name are left out.
    """
    path = log_path(lake)
    with locked(lake.lock("audit_baselines")):
        if any(entry["run_hash"] == summary.run_hash for entry in read_baselines(path)):
            return None
        baseline = AuditBaseline(
            schema="audit_baseline.v1",
            recorded_at=recorded_at,
            git_commit=summary.git_commit,
            run_id=summary.run_id,
            run_hash=summary.run_hash,
            producer=PRODUCER,
            metrics=metrics(lake, observed),
            partition=summary.partition or None,
        )
        append(path, [encode(baseline)])
    return baseline
