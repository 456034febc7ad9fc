"""The scorer of what a model extracted from other runs: facts, procedures, hints.

Here: what an extraction's confidence is worth. Not here: how signals are settled (`judgement.py`).
Source: specification 02, "Scoring", version v1.0.0.
"""

from __future__ import annotations

import re
from typing import Final

from lakehouse.records import EvidenceRecord
from lakehouse.scoring.judgement import (
    ACCEPTED,
    EMPTY_TEXT,
    PARTIAL,
    REJECTED,
    REVIEW,
    Judgement,
    Signal,
    SubScores,
    fraction,
    is_blank,
    settle,
)

SURE: Final = 0.8
LIKELY: Final = 0.5
AUDIT_FACTS: Final = re.compile(r"(data/)?_kb/audit_facts(/|\.jsonl$)")
"""Where the stream of audit facts lies: the one kind of extraction that never carries a confidence."""

CONFIDENT: Signal = (ACCEPTED, ("the confidence is at least 0.8",))
FAIRLY_CONFIDENT: Signal = (PARTIAL, ("the confidence is at least 0.5",))
DOUBTFUL: Signal = (REJECTED, ("the confidence is below 0.5",))
NO_CONFIDENCE: Signal = (REVIEW, ("no_confidence", "nothing says how sure the extractor was"))
AUDITED: Signal = (PARTIAL, ("facts of an audit, which carry no confidence",))


def extraction(evidence: EvidenceRecord) -> Judgement:
    """Judge an extraction by its confidence (metadata's, else the observer's); there must be text."""
    remarks: list[Signal] = [EMPTY_TEXT] if is_blank(evidence.text) else []
    sub_scores: SubScores = {}
    given = evidence.metadata.get("confidence") if evidence.metadata else None
    if given is None:
        given = evidence.observer_confidence
    if given is None:
        verdicts = [AUDITED if AUDIT_FACTS.match(evidence.provenance.source_file) else NO_CONFIDENCE]
    else:
        confidence = fraction(given, "confidence", remarks, sub_scores)
        verdicts = [] if confidence is None else [_confident(confidence)]
    return settle(verdicts, remarks, sub_scores)


def _confident(confidence: float) -> Signal:
    if confidence >= SURE:
        return CONFIDENT
    return FAIRLY_CONFIDENT if confidence >= LIKELY else DOUBTFUL
