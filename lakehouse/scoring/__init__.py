"""Scoring v1.0.0: every evidence record gets exactly one category and at least one reason.

Here: the registry of the class scorers, overrides, and the scored run with its signature. Not here: the rules
(`reviews.py`, `telemetry.py`, `extraction.py`), their shared steps (`judgement.py`), reading and writing files. To add
a scorer, write one pure function from evidence to judgement and list it in `SCORERS`; streams name it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lakehouse import timestamps
from lakehouse.canonical import signature as canonical_signature
from lakehouse.errors import UsageError
from lakehouse.records import Category, EvidenceRecord, HumanOverride, OverrideRow, ScoredRun
from lakehouse.scoring.extraction import extraction
from lakehouse.scoring.judgement import RANK, Judgement, SubScores
from lakehouse.scoring.reviews import audit, contract_analysis, observer_review, scrum_review
from lakehouse.scoring.telemetry import auto_apply, mode_experiment, outcome

if TYPE_CHECKING:
    # A declared stream is checked against `SCORERS`, so the streams import this package and not the other way round.
    from lakehouse.streams.spec import Stream

__all__ = ["RANK", "SCORERS", "SCORER_VERSION", "Judgement", "Override", "Scorer", "judge", "score", "signature"]

SCORER_VERSION: Final = "v1.0.0"
Scorer = Callable[[EvidenceRecord], Judgement]
Override = HumanOverride | OverrideRow

SCORERS: dict[str, Scorer] = {
    "scrum_review": scrum_review,
    "observer_review": observer_review,
    "audit": audit,
    "auto_apply": auto_apply,
    "outcome": outcome,
    "mode_experiment": mode_experiment,
    "contract_analysis": contract_analysis,
    "extraction": extraction,
}


def judge(evidence: EvidenceRecord, scorer_name: str, override: Override | None = None) -> Judgement:
    """Judge evidence by the named class scorer; a person's verdict, from the row or passed, wins over the rules.

    Of two overrides the one with the later `at` wins, the passed one where they tie or a time is missing. The numbers
    of the rules stay in the sub-scores. Raises `UsageError` where no scorer has that name.
    """
    scorer = SCORERS.get(scorer_name)
    if scorer is None:
        raise UsageError(f"there is no scorer {scorer_name!r}", mend=f"use one of {', '.join(SCORERS)}")
    judgement = scorer(evidence)
    own = evidence.human_override
    if own is None and override is None:
        return judgement
    return _overridden(judgement, _later(own, override))


def score(evidence: EvidenceRecord, stream: Stream, scored_at: str, override: Override | None = None) -> ScoredRun:
    """Judge evidence of a stream and give the scored run; `scored_at` is written but not signed."""
    judgement = judge(evidence, stream.scorer, override)
    category, reasons, sub_scores = judgement.category, judgement.reasons, judgement.sub_scores
    provenance = evidence.provenance
    return ScoredRun(
        schema_version=1,
        evidence_run_id=evidence.run_id,
        evidence_task_id=evidence.task_id,
        stream=stream.name,
        category=category,
        reasons=reasons,
        sub_scores=sub_scores,
        scorer=stream.scorer,
        scorer_version=SCORER_VERSION,
        scored_at=scored_at,
        provenance=provenance,
        sig_hash=signature(provenance.sig_hash, category, reasons, sub_scores),
    )


def signature(
    evidence_sig_hash: str,
    category: Category,
    reasons: list[str],
    sub_scores: SubScores,
    scorer_version: str = SCORER_VERSION,
) -> str:
    """Give the signature of a scored run: SHA-256 (hex) of the canonical JSON of what it says about which evidence."""
    return canonical_signature(
        {
            "evidence_sig_hash": evidence_sig_hash,
            "scorer_version": scorer_version,
            "category": category,
            "reasons": reasons,
            "sub_scores": sub_scores,
        }
    )


def _overridden(judgement: Judgement, override: Override) -> Judgement:
    reasons = [f"human_override:{override.by}"]
    if override.reason:
        reasons.append(override.reason)
    reasons.append(f"the rules alone say {judgement.category}")
    return Judgement(override.category, reasons, judgement.sub_scores)


def _later(own: HumanOverride | None, passed: Override | None) -> Override:
    if passed is None:
        assert own is not None
        return own
    if own is None:
        return passed
    own_at, passed_at = _instant(own.at), _instant(passed.at)
    if own_at is not None and passed_at is not None and own_at > passed_at:
        return own
    return passed


def _instant(at: str | None) -> int | None:
    """Read a time in microseconds; what is no time counts as missing, for a verdict is not lost over its stamp."""
    if at is None:
        return None
    try:
        return timestamps.read(at).micros
    except timestamps.BadTimestamp:
        return None
