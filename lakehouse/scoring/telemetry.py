"""Scorers of what a run left behind: a patch and its build, events, a reward, a response with its latency.

Here: what actions, events, rewards and run markers are worth. Not here: the judgement of others (`reviews.py`), how
signals are settled (`judgement.py`). Source: specification 02, "Scoring", version v1.0.0. Values match exactly.
"""

from __future__ import annotations

from typing import Any, Final

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
    bad_value,
    count,
    count_in,
    fraction,
    is_blank,
    markers,
    settle,
    unknown,
)
from lakehouse.scoring.reviews import spoken, verdict_words

EVENTS_MARKER: Final = "events_ok:"
SLOW_MS: Final = 60_000
HALF: Final = 0.5

ACTIONS: dict[str, Signal] = {
    "committed": (ACCEPTED, ("committed, and the build is not red",)),
    "dry_run": (PARTIAL, ("only tried (dry_run)",)),
    "partial": (PARTIAL, ("applied in part",)),
    "no_patches": (REVIEW, ("there was no patch to apply (no_patches)",)),
    "all_rejected": (REVIEW, ("every patch was refused (all_rejected)",)),
}
COMMITTED_ON_RED: Signal = (REJECTED, ("committed_on_red", "committed although the build is red"))
NO_ACTION: Signal = (REVIEW, ("no_action", "nothing says what became of the patch"))
NO_EVENTS: Signal = (REVIEW, ("no_events", "no event, reward or verdict says how it went"))
OK: Signal = (ACCEPTED, ("the run says ok",))
NOT_OK: Signal = (REJECTED, ("the run says not ok",))
OK_ABSENT: Signal = (REVIEW, ("ok_absent", "the run says neither ok nor not ok"))
SLOW: Signal = (PARTIAL, ("it took more than 60 s",))
NOTHING_RETRIEVED: Signal = (PARTIAL, ("corpora were asked for and no chunk was kept",))
PASSED: Signal = (ACCEPTED, ("it passed",))
NOT_PASSED: Signal = (REJECTED, ("it did not pass",))


def auto_apply(evidence: EvidenceRecord) -> Judgement:
    """Judge a patch by what became of it and whether the build stayed green."""
    all_markers = markers(evidence)
    red = "build_red" in all_markers
    sub_scores: SubScores = {}
    if red or "build_green" in all_markers:
        sub_scores["build_green"] = not red
    verdicts: list[Signal] = []
    for action in all_markers:
        if action == "build_green" or action == "build_red":
            continue
        if action == "committed" and red:
            verdicts.append(COMMITTED_ON_RED)
        elif action.endswith("_reverted"):
            verdicts.append((REJECTED, (f"taken back ({action})",)))
        else:
            verdicts.append(ACTIONS.get(action) or unknown("action", action))
    return settle(verdicts or [NO_ACTION], [], sub_scores)


def outcome(evidence: EvidenceRecord) -> Judgement:
    """Judge a run by its events, its reward, whether it passed, and its verdict: each of them that is given."""
    remarks: list[Signal] = []
    sub_scores: SubScores = {}
    verdicts = [
        signal
        for marker in markers(evidence)
        if marker.startswith(EVENTS_MARKER) and (signal := _events(marker, remarks, sub_scores))
    ]
    words = verdict_words(evidence)
    if evidence.metadata:
        verdicts += _stated(evidence.metadata, words, remarks, sub_scores)
    verdicts += spoken(words)
    if not verdicts and not remarks:
        remarks.append(NO_EVENTS)
    return settle(verdicts, remarks, sub_scores)


def _events(marker: str, remarks: list[Signal], sub_scores: SubScores) -> Signal | None:
    ok_digits, _, total_digits = marker[len(EVENTS_MARKER) :].partition("/")
    ok, total = count_in(ok_digits), count_in(total_digits)
    if ok is None or total is None or ok > total:
        remarks.append(bad_value("events_ok", "a count of events out of at least as many"))
        return None
    if total == 0:
        remarks.append(NO_EVENTS)
        return None
    words = f"{ok} of {total} events ok"
    sub_scores["ok_ratio"] = min(ok / total, sub_scores.get("ok_ratio", 1.0))
    # In whole numbers, so that exactly half is half whatever the counts.
    if ok == total:
        return ACCEPTED, (words,)
    return PARTIAL if 2 * ok >= total else REJECTED, (words,)


def _stated(metadata: dict[str, Any], words: list[str], remarks: list[Signal], sub_scores: SubScores) -> list[Signal]:
    """Give the signals of `reward` and `passed`, and add `verdict` to the words."""
    verdicts: list[Signal] = []
    reward = fraction(metadata.get("reward"), "reward", remarks, sub_scores)
    if reward is not None:
        verdicts.append(_rewarded(reward))
    passed = metadata.get("passed")
    if isinstance(passed, bool):
        sub_scores["passed"] = passed
        verdicts.append(PASSED if passed else NOT_PASSED)
    elif passed is not None:
        remarks.append(bad_value("passed", "true or false"))
    verdict = metadata.get("verdict")
    if isinstance(verdict, str):
        words.append(verdict)
    elif verdict is not None:
        remarks.append(bad_value("verdict", "a word"))
    return verdicts


def _rewarded(reward: float) -> Signal:
    if reward == 1:
        return ACCEPTED, ("the reward is 1",)
    if reward >= HALF:
        return PARTIAL, ("the reward is at least 0.5",)
    return REJECTED, ("the reward is below 0.5",)


def mode_experiment(evidence: EvidenceRecord) -> Judgement:
    """Judge a prompting mode by whether the run was ok, gave text, was fast enough and found what it looked for."""
    all_markers = markers(evidence)
    verdicts: list[Signal] = []
    remarks: list[Signal] = [EMPTY_TEXT] if is_blank(evidence.text) else []
    sub_scores: SubScores = {}
    if "ok" in all_markers:
        verdicts.append(OK)
    if "not_ok" in all_markers:
        verdicts.append(NOT_OK)
    if verdicts:
        sub_scores["ok"] = NOT_OK not in verdicts
    latency = count(evidence.latency_ms, "latency_ms", remarks)
    if latency is not None:
        sub_scores["latency_ok"] = latency <= SLOW_MS
        if latency > SLOW_MS:
            remarks.append(SLOW)
    retrieved = evidence.retrieved_context
    if retrieved is not None:
        kept = count(retrieved.chunks_kept, "chunks_kept", remarks)
        if kept is not None:
            sub_scores["chunks_kept"] = kept
            if kept == 0 and retrieved.corpora:
                remarks.append(NOTHING_RETRIEVED)
    return settle(verdicts or [OK_ABSENT], remarks, sub_scores)
