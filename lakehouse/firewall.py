"""The firewall: which verdicts may never reach an SFT export. It is not negotiable.

Here: the set, and the first two of the three places that hold it and do not trust each other: asking for a sample
(`admit`) and the written file before it is moved into place (`check_file`). The third place joins the published file
back to the scored runs and shares no code with these: `gates/contamination.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from lakehouse.errors import SftContamination
from lakehouse.jsonl import JsonlReader
from lakehouse.records import Category, ScoredRun, SourceClass

SFT_NEVER: frozenset[Category] = frozenset({"rejected", "needs_human_review"})
QUALITY: dict[Category, float] = {"accepted": 1.0, "partially_accepted": 0.5}

Skip = Literal["rejected", "needs_human_review", "extraction_class", "partial_not_requested"]


def withheld(scored: ScoredRun, source_class: SourceClass, include_partial: bool) -> Skip | None:
    """Say why a run makes no sample, or `None` where it may."""
    category = scored.category
    if category == "rejected" or category == "needs_human_review":
        return category
    if source_class == "extraction":
        return "extraction_class"
    if category == "partially_accepted" and not include_partial:
        return "partial_not_requested"
    return None


def admit(scored: ScoredRun, source_class: SourceClass, include_partial: bool) -> float:
    """Give the quality score of a run that may be trained on; raises `SftContamination` for every other."""
    reason = withheld(scored, source_class, include_partial)
    if reason is not None or scored.category in SFT_NEVER:
        raise SftContamination(
            f"run {scored.evidence_run_id!r} must not be trained on ({reason or scored.category})",
            where=f"{scored.provenance.source_file}:{scored.provenance.line_offset}",
        )
    return QUALITY[scored.category]


class _Claim(msgspec.Struct, gc=False):
    """What a written sample says of itself."""

    id: str
    category: str
    quality_score: float
    source_run_id: str


def check_file(path: Path, include_partial: bool) -> None:
    """Read a written file of samples again before it is moved into place; raises `SftContamination` naming the line.

    It trusts nothing that happened while the file was written: a sample must claim an exportable category and carry
    that category's quality score.
    """
    allowed = {"accepted": 1.0, **({"partially_accepted": 0.5} if include_partial else {})}
    for number, claim in JsonlReader(_Claim).lines(path):
        if allowed.get(claim.category) != claim.quality_score or claim.category in SFT_NEVER:
            raise SftContamination(
                f"sample {claim.id} of run {claim.source_run_id!r} claims category {claim.category!r}",
                where=f"{path}:{number}",
            )
