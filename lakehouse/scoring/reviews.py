"""Scorers of streams in which somebody judged: a scrum review, an observer, an audit, an observer of an analysis.

Here: what attempts, verdicts and severities are worth. Not here: what a run says of itself (`telemetry.py`), how
signals are settled (`judgement.py`). Source: specification 02, "Scoring", version v1.0.0. Values match exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from lakehouse.records import EvidenceRecord
from lakehouse.scoring.judgement import (
    ACCEPTED,
    EMPTY_TEXT,
    NO_VERDICT,
    PARTIAL,
    REJECTED,
    REVIEW,
    Judgement,
    Signal,
    SubScores,
    bad_value,
    count,
    count_in,
    fraction,
    is_blank,
    markers,
    settle,
    unknown,
)

ATTEMPT_MARKER: Final = "accepted_on_attempt_"
LATE_ATTEMPT: Final = 4
GIVEN_UP_AFTER: Final = 3
LOW_CONFIDENCE: Final = 0.5

NEVER_ACCEPTED: Signal = (REJECTED, ("never accepted in 3 attempts or more",))
NOT_YET: Signal = (REVIEW, ("no_verdict", "not accepted in the attempts made so far"))
UNSURE: Signal = (PARTIAL, ("accepted with confidence below 0.5",))

VERDICTS: dict[str, Signal] = {
    "accept": (ACCEPTED, ("the verdict is accept",)),
    "approve": (ACCEPTED, ("the verdict is approve",)),
    "pass": (ACCEPTED, ("the verdict is pass",)),
    "cycle": (PARTIAL, ("the verdict is cycle",)),
    "revise": (PARTIAL, ("the verdict is revise",)),
    "reject": (REJECTED, ("the verdict is reject",)),
    "fail": (REJECTED, ("the verdict is fail",)),
    "human_review": (REVIEW, ("the verdict is human_review",)),
    "escalate": (REVIEW, ("the verdict is escalate",)),
}
RESOLUTIONS: dict[str, Signal] = {
    "resolved": (ACCEPTED, ("it is resolved",)),
    "unresolved": (PARTIAL, ("it is not resolved",)),
}
AUDITS: dict[str, dict[str, Signal]] = {
    "overall": {
        "approve": (ACCEPTED, ("the audit says approve",)),
        "request_changes": (PARTIAL, ("the audit says request_changes",)),
        "block": (REJECTED, ("the audit says block",)),
    },
    "severity": {
        "none": (ACCEPTED, ("the severity is none",)),
        "info": (ACCEPTED, ("the severity is info",)),
        "low": (ACCEPTED, ("the severity is low",)),
        "medium": (PARTIAL, ("the severity is medium",)),
        "high": (REJECTED, ("the severity is high",)),
        "critical": (REJECTED, ("the severity is critical",)),
        "blocker": (REJECTED, ("the severity is blocker",)),
    },
}


def scrum_review(evidence: EvidenceRecord) -> Judgement:
    """Judge by the attempt on which the review accepted, else by how many were made."""
    verdicts: list[Signal] = []
    remarks: list[Signal] = []
    sub_scores: SubScores = {}
    for marker in markers(evidence):
        if marker.startswith(ATTEMPT_MARKER):
            attempt, signal = _accepted_on(marker)
            if attempt:
                verdicts.append(signal)
                sub_scores["attempt"] = max(attempt, sub_scores["attempt"]) if "attempt" in sub_scores else attempt
            else:
                remarks.append(signal)
    accepted = bool(verdicts or remarks)
    metadata = evidence.metadata
    made = count(metadata.get("attempts_made"), "attempts_made", remarks) if metadata else None
    if made is not None:
        sub_scores["attempts_made"] = made
    if not accepted:
        verdicts.append(NEVER_ACCEPTED if made is not None and made >= GIVEN_UP_AFTER else NOT_YET)
    fraction(evidence.observer_confidence, "confidence", remarks, sub_scores)
    return settle(verdicts, remarks, sub_scores)


@lru_cache(maxsize=64)
def _accepted_on(marker: str) -> tuple[float, Signal]:
    """Read the attempt of a marker (0 where it is none) and what it is worth; remembered, for most rows say 1 to 3."""
    attempt = count_in(marker[len(ATTEMPT_MARKER) :])
    if not attempt:
        return 0.0, bad_value("attempt", "a whole number from 1")
    words = f"accepted on attempt {attempt}"
    if attempt >= LATE_ATTEMPT:
        return float(attempt), (REVIEW, ("late_acceptance", words))
    return float(attempt), (ACCEPTED if attempt == 1 else PARTIAL, (words,))


def spoken(words: Iterable[str]) -> list[Signal]:
    """Give the signal of each verdict word, each word once."""
    return [VERDICTS.get(word) or unknown("verdict", word) for word in dict.fromkeys(words)]


def verdict_words(evidence: EvidenceRecord) -> list[str]:
    """List the verdict words of an evidence record: the observer's and those of `verdict:` markers."""
    words = [] if evidence.observer_verdict is None else [evidence.observer_verdict]
    words += [marker[len("verdict:") :] for marker in markers(evidence) if marker.startswith("verdict:")]
    return words


def observer_review(evidence: EvidenceRecord) -> Judgement:
    """Judge by the observer's verdict and confidence; an escalation by whether it is resolved."""
    verdicts = spoken(verdict_words(evidence))
    verdicts += [RESOLUTIONS[marker] for marker in markers(evidence) if marker in RESOLUTIONS]
    return _observed(evidence, verdicts, [])


def contract_analysis(evidence: EvidenceRecord) -> Judgement:
    """Judge an analysis by its observer's verdict and confidence; there must be an analysis."""
    return _observed(evidence, spoken(verdict_words(evidence)), [EMPTY_TEXT] if is_blank(evidence.text) else [])


def _observed(evidence: EvidenceRecord, verdicts: list[Signal], remarks: list[Signal]) -> Judgement:
    sub_scores: SubScores = {}
    confidence = fraction(evidence.observer_confidence, "confidence", remarks, sub_scores)
    if confidence is not None and confidence < LOW_CONFIDENCE and any(verdict[0] == ACCEPTED for verdict in verdicts):
        remarks.append(UNSURE)
    return settle(verdicts or [NO_VERDICT], remarks, sub_scores)


def audit(evidence: EvidenceRecord) -> Judgement:
    """Judge a phase audit by its overall word (legacy) and by its severity."""
    verdicts: list[Signal] = []
    for marker in markers(evidence):
        field, colon, value = marker.partition(":")
        if colon and field in AUDITS:
            verdicts.append(AUDITS[field].get(value) or unknown(field, value))
    return settle(verdicts or [NO_VERDICT], [], {})
