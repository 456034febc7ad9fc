"""Phase 5: the newest finished run says what it did, and its receipts are what they were and true of the files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from lakehouse.audit.model import AuditCheck, Offender, looked, offender, skipped
from lakehouse.audit.receipts import NO_SEALS, check_receipts, line_with, named
from lakehouse.audit.scope import Scope
from lakehouse.records import RunSummary
from lakehouse.run import STAGES, run_hash

_HASH, _COMMIT = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")


def runs(scope: Scope) -> Iterator[AuditCheck]:
    """Check the newest summary and its receipts (a deep audit: the receipts of all runs), and every file they speak of."""
    unreadable = [
        offender(
            named(scope.run.reports, path),
            0,
            f"the summary cannot be read, so nobody knows which is the newest ({why})",
        )
        for path, why in scope.summaries.unreadable.items()
    ]
    if scope.made and not scope.summaries.read and not unreadable:
        why = f"no run's summary lies in {scope.run.reports}: is it the right folder? (--reports)"
        yield looked(5, "summary_valid", [offender("reports", 0, why)], "", bad=why)
    elif scope.newest is None and not unreadable:
        yield skipped(5, "summary_valid", f"no run has finished yet, by the summaries in {scope.run.reports}")
    else:
        yield _summary(scope, unreadable)
    yield _receipts(scope)
    stopped = scope.summaries.stopped_since
    if stopped:
        found = [
            offender(f"reports/distillation/{one.run_id}/summary.json", 0, "the run was stopped") for one in stopped
        ]
        yield looked(5, "newest_run_finished", found, "", required=False)


def _summary(scope: Scope, found: list[Offender]) -> AuditCheck:
    if scope.newest is None:
        return looked(5, "summary_valid", found, "")
    path, summary = scope.newest
    name = named(scope.run.reports, path)
    receipts = check_receipts(scope.run.reports, path, summary)
    damaged = sorted({Path(one["file"]).stem for one in receipts if one["file"] != name})
    for key, why in _wrong(scope, summary, damaged):
        found.append(offender(name, line_with(path, f'"{key}"'), why))
    # Not which run: the same data, audited again, gives the same verdict.
    good = f"the newest finished run is whole, and its hash {summary.run_hash[:16]}… is the one of its receipts"
    if damaged:
        good = f"the newest finished run is whole but for its receipts of {', '.join(damaged)}: they are damaged, not "
        good += "the summary, so its hash was not held against them"
    return looked(5, "summary_valid", found, good, observed={"stages": len(summary.stages)})


def _wrong(scope: Scope, summary: RunSummary, damaged: Collection[str]) -> Iterator[tuple[str, str]]:
    """Give the keys of a summary that cannot be right, and why; by the receipts of `damaged` stages nothing is judged."""
    path, receipts = scope.newest[0] if scope.newest else Path(), scope.receipts
    if summary.run_id != path.parent.name:
        yield "run_id", "it is of another run than its folder"
    if not _HASH.fullmatch(summary.run_hash):
        yield "run_hash", "it is no SHA-256"
    elif not damaged and run_hash(receipts.values()) != summary.run_hash:
        yield "run_hash", "it is not the one that the receipts give"
    if not _COMMIT.fullmatch(summary.git_commit):
        yield "git_commit", "it is no commit"
    if tuple(summary.stages) != STAGES:
        lacking = ", ".join(one for one in STAGES if one not in summary.stages)
        yield "stages", f"a run that finished has five stages, this one lacks {lacking or 'their order'}"
    for stage, receipt in receipts.items():
        if stage in damaged:
            continue
        parts = {
            "in": receipt.records_in,
            "out": receipt.records_out,
            "skipped": receipt.records_skipped,
            "quarantined": receipt.records_quarantined,
        }
        for what, number in parts.items():
            if summary.counts.get(f"{stage}.{what}", number) != number:
                yield f"{stage}.{what}", f"it says another number than the receipt of {stage}"


def _receipts(scope: Scope) -> AuditCheck:
    """Receipts against their seals and themselves; files against what was written last, which receipts speak of too.

    A file that a later run rewrote is held against that run's word and is no error.
    """
    reports, found = scope.run.reports, list[Offender]()
    wanted = scope.summaries.read if scope.deep else dict([scope.newest] if scope.newest else [])
    unsealed = 0
    for path, summary in wanted.items():
        found += check_receipts(reports, path, summary)
        unsealed += summary.receipts is None
    hashed = len(scope.current)
    for offenders in scope.offenders_by_file.values():
        found += offenders
    if not wanted and not hashed:
        return skipped(5, "receipts_valid", "no run has finished and nothing was made yet: there is no receipt")
    refs = [ref for receipt in scope.receipts.values() for ref in receipt.outputs]
    rewritten = sum(1 for ref in refs if ref.path not in scope.current or scope.current[ref.path].sha256 != ref.sha256)
    observed = {"runs": len(wanted), "unsealed": unsealed, "files_hashed": hashed, "rewritten_since": rewritten}
    good = f"the receipts of {len(wanted)} runs are as they were sealed; {hashed} files are what was written"
    if unsealed:
        good += f"; of {unsealed} runs {NO_SEALS}"
    return looked(5, "receipts_valid", found, good, observed=observed)
