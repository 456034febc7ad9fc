"""The queue of runs that need a person: listing it, and finding the run that a decision is about.

Here: reading scored runs. Not here: writing the decision (`overrides.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from lakehouse.errors import UsageError
from lakehouse.jsonl import JsonlReader
from lakehouse.lake import Lake
from lakehouse.overrides import load_overrides
from lakehouse.records import EvidenceRecord, ScoredRun

MINIMUM_PREFIX = 8


class Waiting(msgspec.Struct):
    """A run that waits for a person: what it is, why, and the start of what it said."""

    sig_hash: str
    day: str
    stream: str
    run_id: str
    task_id: str
    reasons: list[str]
    source: str
    text: str


def queue(lake: Lake, *, day: str | None = None, stream: str | None = None) -> Iterator[Waiting]:
    """Give the runs in `needs_human_review` on which nobody decided yet, newest day first."""
    decided = load_overrides(lake)
    for path in _scored_files(lake, day, stream):
        wanted = {
            scored.provenance.sig_hash: scored
            for scored in JsonlReader(ScoredRun).records(path)
            if scored.category == "needs_human_review" and scored.provenance.sig_hash not in decided
        }
        if wanted:
            yield from _with_text(lake, path, wanted)


def find(lake: Lake, prefix: str) -> ScoredRun:
    """Give the one scored run whose row's signature starts with `prefix`; raises `UsageError` for none or several."""
    if len(prefix) < MINIMUM_PREFIX:
        raise UsageError(f"{prefix!r} is too short", mend=f"give at least {MINIMUM_PREFIX} digits of the signature")
    found: dict[str, ScoredRun] = {}
    for path in _scored_files(lake, None, None):
        for scored in JsonlReader(ScoredRun).records(path):
            if scored.provenance.sig_hash.startswith(prefix):
                found[scored.provenance.sig_hash] = scored
    if len(found) != 1:
        what = "no run has" if not found else f"{len(found)} runs have"
        raise UsageError(f"{what} a signature that starts with {prefix!r}", mend="take it from `lakehouse triage list`")
    return next(iter(found.values()))


def _scored_files(lake: Lake, day: str | None, stream: str | None) -> list[Path]:
    folder = lake.scored(day) if day else lake.root / "scored-runs"
    pattern = f"{'' if day else '*/*/*/'}{stream or '*'}.jsonl"
    return sorted(folder.glob(pattern), reverse=True)


def _with_text(lake: Lake, path: Path, wanted: dict[str, ScoredRun]) -> Iterator[Waiting]:
    day = "-".join(path.parts[-4:-1])
    for evidence in JsonlReader(EvidenceRecord).records(lake.evidence(day, path.stem)):
        scored = wanted.get(evidence.provenance.sig_hash)
        if scored is not None:
            place = evidence.provenance
            yield Waiting(
                sig_hash=place.sig_hash,
                day=day,
                stream=scored.stream,
                run_id=scored.evidence_run_id,
                task_id=scored.evidence_task_id,
                reasons=scored.reasons,
                source=f"{place.source_file}:{place.line_offset}",
                text=evidence.text[:400],
            )
