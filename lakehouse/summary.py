"""The run summary: the receipts of one run in one page, written whatever happened.

Here: gathering it from receipts and verdict files, so that a night that a gate stopped has one too. Not here: receipts
(`run.py`), the baseline made from it (`baseline.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lakehouse.chain.manifests import manifest_days, read_manifest
from lakehouse.gates.verdicts import REQUIRED, is_red, read_verdicts, why_held
from lakehouse.gates.waivers import waiver_of
from lakehouse.jsonl import write_json
from lakehouse.lake import Lake
from lakehouse.publish.exports import EXPORTS
from lakehouse.publish.state import read_publication
from lakehouse.records import ChecksReport, FirewallReport, Receipt, RunSummary, Verdict
from lakehouse.run import Run, run_hash
from lakehouse.seals import seal


def summarize(
    lake: Lake, run: Run, days: Sequence[str], *, error: str | None = None, waiting_future: int = 0
) -> RunSummary:
    """Write and give the summary of a run over `days` (none: a run without days of its own)."""
    receipts = run.receipts()
    verdicts = list(_verdicts(lake, days))
    failed = [f"{where}/{one.check}" for where, one, waived in verdicts if is_red(one) and not waived]
    errors = [f"{receipt.stage}: {receipt.error}" for receipt in receipts.values() if receipt.status == "failed"]
    stopped = error is not None or bool(errors)
    now = run.now()
    summary = RunSummary(
        schema_version=1,
        run_id=run.run_id,
        run_hash=run_hash(receipts.values()),
        git_commit=run.git_commit,
        partition=_partition(days),
        started_at=min((receipt.started_at for receipt in receipts.values()), default=now),
        finished_at=now,
        status="stopped" if stopped else "ok",
        stages=list(receipts),
        counts=_counts(lake, days, receipts, waiting_future),
        firewall=_firewall(receipts),
        checks=ChecksReport(
            passed=sum(one.passed for _, one, _ in verdicts),
            failed=len(failed),
            warned=sum(not one.passed for _, one, _ in verdicts) - len(failed),
        ),
        failed_gates=failed,
        held_days=held_days(lake),
        error="; ".join(filter(None, [error, *errors])) or None,
        receipts={stage: seal(run.receipt_path(stage).read_bytes()) for stage in receipts},
    )
    write_json(run.folder / "summary.json", summary)
    return summary


def _verdicts(lake: Lake, days: Sequence[str]) -> Iterator[tuple[str, Verdict, bool]]:
    """Give every verdict of the days and the exports, with its place and whether a person waived it."""
    for asset in REQUIRED:
        for day in days:
            for one in read_verdicts(lake, asset, day).values():
                yield f"{asset}/{day}", one, is_red(one) and waiver_of(lake, asset, day, one) is not None
    for asset in EXPORTS:
        for one in read_verdicts(lake, asset).values():
            yield asset, one, False


def held_days(lake: Lake) -> dict[str, str]:
    """Give the days that the last publication held back and that the next would, each with its gate and the reason."""
    held: dict[str, str] = {}
    for asset in EXPORTS:
        last = read_publication(lake, asset)
        held |= last.held_days if last else {}
    reasons = ((day, why_held(lake, day)) for day in manifest_days(lake, "collect"))
    return {**held, **{day: why for day, why in reasons if why is not None}}


def _partition(days: Sequence[str]) -> str:
    if not days:
        return ""
    return days[0] if len(days) == 1 else f"{min(days)}...{max(days)}"


def _counts(lake: Lake, days: Sequence[str], receipts: dict[str, Receipt], waiting_future: int) -> dict[str, int]:
    counts = {"days": len(days), "waiting_future": waiting_future}
    for stage, receipt in receipts.items():
        counts[f"{stage}.in"] = receipt.records_in
        counts[f"{stage}.out"] = receipt.records_out
        counts[f"{stage}.skipped"] = receipt.records_skipped
        counts[f"{stage}.quarantined"] = receipt.records_quarantined
        if receipt.items_out is not None:
            counts[f"{stage}.items"] = receipt.items_out
    for day in days:
        scored = read_manifest(lake, "score", day)
        for category, number in (scored.counts if scored else {}).items():
            if "/" not in category:
                counts[category] = counts.get(category, 0) + number
    return counts


def _firewall(receipts: dict[str, Receipt]) -> FirewallReport:
    export = receipts.get("export-sft")
    names = ("rejected", "needs_human_review", "conflicting_verdicts")
    by_category = {name: export.skip_reasons.get(name, 0) for name in names} if export else {}
    return FirewallReport(blocked=sum(by_category.values()), by_category=by_category)
