"""The truth table of scoring v1.0.0: one case per row and per edge, then overrides, purity and signatures."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.canonical import canonical
from lakehouse.errors import UsageError
from lakehouse.records import EvidenceRecord, HumanOverride, OverrideRow, Provenance, RetrievedContext
from lakehouse.scoring import RANK, SCORER_VERSION, SCORERS, Override, judge, score, signature
from lakehouse.streams import BUILT_IN

ACCEPTED, PARTIAL, REVIEW, REJECTED = "accepted", "partially_accepted", "needs_human_review", "rejected"
SCRUM = next(stream for stream in BUILT_IN if stream.name == "scrum_reviews")


def placed(source_file: str) -> Provenance:
    return Provenance(
        source_file=source_file, line_offset=0, sig_hash="ab" * 32, recorded_at="2026-05-02T00:00:00.000Z"
    )


def evidence(**fields: Any) -> EvidenceRecord:
    given: dict[str, Any] = {
        "schema_version": 1,
        "run_id": "run-1",
        "task_id": "task-1",
        "timestamp": "2026-05-01T10:00:00Z",
        "provenance": placed("_kb/x.jsonl"),
        "source_class": "verdict",
        "success_markers": [],
        "failure_markers": [],
        "text": "some text",
        **fields,
    }
    return EvidenceRecord(**given)


def marked(*markers: str, **fields: Any) -> EvidenceRecord:
    return evidence(success_markers=list(markers), **fields)


def attempts(made: Any, *markers: str) -> EvidenceRecord:
    return marked(*markers, metadata={"attempts_made": made})


SCRUM_REVIEW = [
    (marked("accepted_on_attempt_1"), ACCEPTED, "accepted on attempt 1"),
    (marked("accepted_on_attempt_2"), PARTIAL, "accepted on attempt 2"),
    (marked("accepted_on_attempt_3"), PARTIAL, "accepted on attempt 3"),
    (marked("accepted_on_attempt_4"), REVIEW, "late_acceptance"),
    (marked("accepted_on_attempt_5"), REVIEW, "late_acceptance"),
    (marked("accepted_on_attempt_999999999999999"), REVIEW, "late_acceptance"),
    (marked("accepted_on_attempt_0"), REVIEW, "bad_value:attempt"),
    (marked("accepted_on_attempt_-1"), REVIEW, "bad_value:attempt"),
    (marked("accepted_on_attempt_1.5"), REVIEW, "bad_value:attempt"),
    (marked("accepted_on_attempt_"), REVIEW, "bad_value:attempt"),
    (marked("accepted_on_attempt_²"), REVIEW, "bad_value:attempt"),
    (marked("accepted_on_attempt_1" + "0" * 15), REVIEW, "bad_value:attempt"),
    (marked("accepted_on_attempt_" + "9" * 5000), REVIEW, "bad_value:attempt"),
    (evidence(failure_markers=["accepted_on_attempt_1"]), ACCEPTED, "accepted on attempt 1"),
    (marked("Accepted_On_Attempt_1"), REVIEW, "no_verdict"),
    (evidence(), REVIEW, "no_verdict"),
    (attempts(0), REVIEW, "no_verdict"),
    (attempts(2), REVIEW, "no_verdict"),
    (attempts(3), REJECTED, "never accepted in 3 attempts or more"),
    (attempts(4), REJECTED, "never accepted in 3 attempts or more"),
    (attempts(None), REVIEW, "no_verdict"),
    (attempts(-1), REVIEW, "bad_value:attempts_made"),
    (attempts("3"), REVIEW, "bad_value:attempts_made"),
    (attempts(True), REVIEW, "bad_value:attempts_made"),
    (attempts(10**400), REVIEW, "bad_value:attempts_made"),
    (attempts(3, "accepted_on_attempt_1"), ACCEPTED, "accepted on attempt 1"),
    (attempts(-1, "accepted_on_attempt_1"), REVIEW, "bad_value:attempts_made"),
    (attempts(5, "accepted_on_attempt_0"), REVIEW, "bad_value:attempt"),
    (marked("accepted_on_attempt_1", "accepted_on_attempt_3"), PARTIAL, "verdict_conflict"),
    (marked("accepted_on_attempt_1", observer_confidence=0), ACCEPTED, "accepted on attempt 1"),
    (marked("accepted_on_attempt_1", observer_confidence=87), REVIEW, "bad_value:confidence"),
    (marked("accepted_on_attempt_1", text=""), ACCEPTED, "accepted on attempt 1"),
]


def observed(verdict: str | None, confidence: Any = None, **fields: Any) -> EvidenceRecord:
    return evidence(observer_verdict=verdict, observer_confidence=confidence, **fields)


BY_VERDICT = [
    *((observed(word), ACCEPTED, f"the verdict is {word}") for word in ("accept", "approve", "pass")),
    *((observed(word), PARTIAL, f"the verdict is {word}") for word in ("cycle", "revise")),
    *((observed(word), REJECTED, f"the verdict is {word}") for word in ("reject", "fail")),
    *((observed(word), REVIEW, f"the verdict is {word}") for word in ("human_review", "escalate")),
    (observed("maybe"), REVIEW, "unknown_verdict:maybe"),
    (observed("Accept"), REVIEW, "unknown_verdict:Accept"),
    (observed(" accept"), REVIEW, "unknown_verdict: accept"),
    (observed(""), REVIEW, "unknown_verdict:"),
    (observed(None), REVIEW, "no_verdict"),
    (observed(None, 0.9), REVIEW, "no_verdict"),
    (observed("accept", 0.5), ACCEPTED, "the verdict is accept"),
    (observed("accept", 0.49), PARTIAL, "accepted with confidence below 0.5"),
    (observed("accept", 0.51), ACCEPTED, "the verdict is accept"),
    (observed("accept", 0), PARTIAL, "accepted with confidence below 0.5"),
    (observed("accept", 1), ACCEPTED, "the verdict is accept"),
    (observed("approve", 0.49), PARTIAL, "accepted with confidence below 0.5"),
    (observed("pass", 0.49), PARTIAL, "accepted with confidence below 0.5"),
    (observed("cycle", 0.1), PARTIAL, "the verdict is cycle"),
    (observed("reject", 0.1), REJECTED, "the verdict is reject"),
    (observed("escalate", 0.1), REVIEW, "the verdict is escalate"),
    (observed("accept", -0.01), REVIEW, "bad_value:confidence"),
    (observed("accept", 1.01), REVIEW, "bad_value:confidence"),
    (observed("accept", float("nan")), REVIEW, "bad_value:confidence"),
    (observed("accept", True), REVIEW, "bad_value:confidence"),
    (observed("cycle", 7), REVIEW, "bad_value:confidence"),
    (observed("reject", 7), REJECTED, "bad_value:confidence"),
    (marked("verdict:accept"), ACCEPTED, "the verdict is accept"),
    (evidence(failure_markers=["verdict:reject"]), REJECTED, "the verdict is reject"),
    (marked("verdict:odd"), REVIEW, "unknown_verdict:odd"),
    (marked("verdict:cycle", observer_verdict="accept"), PARTIAL, "verdict_conflict"),
    (marked("verdict:reject", observer_verdict="escalate"), REJECTED, "verdict_conflict"),
]
OBSERVER_REVIEW = [
    *BY_VERDICT,
    (observed("accept", text=""), ACCEPTED, "the verdict is accept"),
    (marked("resolved"), ACCEPTED, "it is resolved"),
    (evidence(failure_markers=["unresolved"]), PARTIAL, "it is not resolved"),
    (marked("resolved", "unresolved"), PARTIAL, "verdict_conflict"),
    (marked("resolved", observer_verdict="reject"), REJECTED, "verdict_conflict"),
    (marked("resolved", observer_confidence=0.2), PARTIAL, "accepted with confidence below 0.5"),
    (marked("Resolved"), REVIEW, "no_verdict"),
]
CONTRACT_ANALYSIS = [
    *BY_VERDICT,
    (observed("accept", text=""), REJECTED, "empty_text"),
    (observed("accept", text=" \n\t\u00a0\u2003"), REJECTED, "empty_text"),
    (observed(None, text=""), REJECTED, "empty_text"),
    (observed("accept", text=" x "), ACCEPTED, "the verdict is accept"),
    (marked("resolved"), REVIEW, "no_verdict"),
]
AUDIT = [
    (marked("overall:approve"), ACCEPTED, "the audit says approve"),
    (evidence(failure_markers=["overall:request_changes"]), PARTIAL, "the audit says request_changes"),
    (evidence(failure_markers=["overall:block"]), REJECTED, "the audit says block"),
    *((marked(f"severity:{word}"), ACCEPTED, f"the severity is {word}") for word in ("none", "info", "low")),
    (marked("severity:medium"), PARTIAL, "the severity is medium"),
    *(
        (evidence(failure_markers=[f"severity:{word}"]), REJECTED, f"the severity is {word}")
        for word in ("high", "critical", "blocker")
    ),
    (evidence(), REVIEW, "no_verdict"),
    (evidence(text=""), REVIEW, "no_verdict"),
    (marked("overall:accept"), REVIEW, "unknown_overall:accept"),
    (marked("overall:"), REVIEW, "unknown_overall:"),
    (marked("severity:LOW"), REVIEW, "unknown_severity:LOW"),
    (marked("severity:moderate"), REVIEW, "unknown_severity:moderate"),
    (marked("severity:a:b"), REVIEW, "unknown_severity:a:b"),
    (marked("overall:approve", "severity:low"), ACCEPTED, "the severity is low"),
    (marked("overall:approve", "severity:medium"), PARTIAL, "verdict_conflict"),
    (marked("overall:approve", failure_markers=["severity:high"]), REJECTED, "verdict_conflict"),
    (marked("overall:odd", failure_markers=["severity:high"]), REJECTED, "unknown_overall:odd"),
]
AUTO_APPLY = [
    (marked("committed", "build_green"), ACCEPTED, "committed, and the build is not red"),
    (marked("committed"), ACCEPTED, "committed, and the build is not red"),
    (marked("committed", failure_markers=["build_red"]), REJECTED, "committed_on_red"),
    (marked("committed", "build_green", "build_red"), REJECTED, "committed_on_red"),
    (evidence(failure_markers=["build_red_reverted"]), REJECTED, "taken back (build_red_reverted)"),
    (evidence(failure_markers=["test_red_reverted", "build_green"]), REJECTED, "taken back (test_red_reverted)"),
    (marked("reverted"), REVIEW, "unknown_action:reverted"),
    (marked("x_reverted_later"), REVIEW, "unknown_action:x_reverted_later"),
    (marked("dry_run"), PARTIAL, "only tried (dry_run)"),
    (marked("dry_run", "build_red"), PARTIAL, "only tried (dry_run)"),
    (marked("partial"), PARTIAL, "applied in part"),
    (evidence(failure_markers=["no_patches"]), REVIEW, "there was no patch to apply (no_patches)"),
    (evidence(failure_markers=["all_rejected"]), REVIEW, "every patch was refused (all_rejected)"),
    (marked("exploded"), REVIEW, "unknown_action:exploded"),
    (marked("Committed"), REVIEW, "unknown_action:Committed"),
    (marked(""), REVIEW, "unknown_action:"),
    (evidence(), REVIEW, "no_action"),
    (marked("build_green"), REVIEW, "no_action"),
    (marked("committed", "partial"), PARTIAL, "verdict_conflict"),
    (marked("committed", "x_reverted"), REJECTED, "verdict_conflict"),
    (marked("committed", text=""), ACCEPTED, "committed, and the build is not red"),
]


def stated(**metadata: Any) -> EvidenceRecord:
    return evidence(metadata=metadata)


OUTCOME = [
    (marked("events_ok:1/1"), ACCEPTED, "1 of 1 events ok"),
    (marked("events_ok:4/4"), ACCEPTED, "4 of 4 events ok"),
    (marked("events_ok:3/4"), PARTIAL, "3 of 4 events ok"),
    (marked("events_ok:2/4"), PARTIAL, "2 of 4 events ok"),
    (marked("events_ok:1/2"), PARTIAL, "1 of 2 events ok"),
    (marked("events_ok:51/101"), PARTIAL, "51 of 101 events ok"),
    (marked("events_ok:50/101"), REJECTED, "50 of 101 events ok"),
    (marked("events_ok:0/4"), REJECTED, "0 of 4 events ok"),
    (marked("events_ok:0/0"), REVIEW, "no_events"),
    (evidence(), REVIEW, "no_events"),
    (evidence(metadata={"scenario": "a"}, text=""), REVIEW, "no_events"),
    (marked("events_ok:5/4"), REVIEW, "bad_value:events_ok"),
    (marked("events_ok:1/0"), REVIEW, "bad_value:events_ok"),
    (marked("events_ok:-1/4"), REVIEW, "bad_value:events_ok"),
    (marked("events_ok:1/-4"), REVIEW, "bad_value:events_ok"),
    (marked("events_ok:3"), REVIEW, "bad_value:events_ok"),
    (marked("events_ok:a/b"), REVIEW, "bad_value:events_ok"),
    (marked("events_ok:4/4", "events_ok:1/4"), REJECTED, "verdict_conflict"),
    (marked("events_ok:4/4", "events_ok:0/0"), REVIEW, "no_events"),
    (marked("events_ok:0/4", "events_ok:9/4"), REJECTED, "bad_value:events_ok"),
    (stated(reward=1.0), ACCEPTED, "the reward is 1"),
    (stated(reward=1), ACCEPTED, "the reward is 1"),
    (stated(reward=0.999), PARTIAL, "the reward is at least 0.5"),
    (stated(reward=0.501), PARTIAL, "the reward is at least 0.5"),
    (stated(reward=0.5), PARTIAL, "the reward is at least 0.5"),
    (stated(reward=0.499), REJECTED, "the reward is below 0.5"),
    (stated(reward=0), REJECTED, "the reward is below 0.5"),
    (stated(reward=1.001), REVIEW, "bad_value:reward"),
    (stated(reward=-0.001), REVIEW, "bad_value:reward"),
    (stated(reward=True), REVIEW, "bad_value:reward"),
    (stated(reward="1.0"), REVIEW, "bad_value:reward"),
    (stated(reward=10**400), REVIEW, "bad_value:reward"),
    (stated(reward=None), REVIEW, "no_events"),
    (stated(passed=True), ACCEPTED, "it passed"),
    (stated(passed=False), REJECTED, "it did not pass"),
    (stated(passed=1), REVIEW, "bad_value:passed"),
    (stated(passed="true"), REVIEW, "bad_value:passed"),
    (stated(verdict="approve"), ACCEPTED, "the verdict is approve"),
    (stated(verdict="revise"), PARTIAL, "the verdict is revise"),
    (stated(verdict="fail"), REJECTED, "the verdict is fail"),
    (stated(verdict="escalate"), REVIEW, "the verdict is escalate"),
    (stated(verdict="ok"), REVIEW, "unknown_verdict:ok"),
    (stated(verdict=1), REVIEW, "bad_value:verdict"),
    (observed("reject"), REJECTED, "the verdict is reject"),
    (marked("verdict:accept"), ACCEPTED, "the verdict is accept"),
    (stated(reward=1.0, passed=True, verdict="pass"), ACCEPTED, "it passed"),
    (stated(reward=1.0, passed=False), REJECTED, "verdict_conflict"),
    (stated(reward=0.7, passed=True), PARTIAL, "verdict_conflict"),
    (stated(reward=2, passed=False), REJECTED, "bad_value:reward"),
    (marked("events_ok:4/4", metadata={"reward": 0.0}), REJECTED, "verdict_conflict"),
]


def tried(*markers: str, **fields: Any) -> EvidenceRecord:
    return marked(*markers, source_class="telemetry", **fields)


def retrieved(kept: int | None, *corpora: str) -> RetrievedContext:
    return RetrievedContext(corpora=list(corpora), chunks_kept=kept)


MODE_EXPERIMENT = [
    (tried("ok"), ACCEPTED, "the run says ok"),
    (tried(failure_markers=["not_ok"]), REJECTED, "the run says not ok"),
    (tried(), REVIEW, "ok_absent"),
    (tried("OK"), REVIEW, "ok_absent"),
    (tried("ok", failure_markers=["not_ok"]), REJECTED, "verdict_conflict"),
    (tried("ok", text=""), REJECTED, "empty_text"),
    (tried("ok", text=" \r\n"), REJECTED, "empty_text"),
    (tried(text=""), REJECTED, "empty_text"),
    (tried("ok", latency_ms=59_999), ACCEPTED, "the run says ok"),
    (tried("ok", latency_ms=60_000), ACCEPTED, "the run says ok"),
    (tried("ok", latency_ms=60_000.5), PARTIAL, "it took more than 60 s"),
    (tried("ok", latency_ms=60_001), PARTIAL, "it took more than 60 s"),
    (tried("ok", latency_ms=0), ACCEPTED, "the run says ok"),
    (tried("ok", latency_ms=-1), REVIEW, "bad_value:latency_ms"),
    (tried(failure_markers=["not_ok"], latency_ms=-1), REJECTED, "bad_value:latency_ms"),
    (tried(latency_ms=60_001), REVIEW, "ok_absent"),
    (tried("ok", retrieved_context=retrieved(0, "docs")), PARTIAL, "corpora were asked for and no chunk was kept"),
    (tried("ok", retrieved_context=retrieved(1, "docs")), ACCEPTED, "the run says ok"),
    (tried("ok", retrieved_context=retrieved(None, "docs")), ACCEPTED, "the run says ok"),
    (tried("ok", retrieved_context=retrieved(0)), ACCEPTED, "the run says ok"),
    (tried("ok", retrieved_context=retrieved(-1, "docs")), REVIEW, "bad_value:chunks_kept"),
]


def extracted(confidence: Any = None, **fields: Any) -> EvidenceRecord:
    return evidence(source_class="extraction", metadata={"confidence": confidence}, **fields)


EXTRACTION = [
    (extracted(1), ACCEPTED, "the confidence is at least 0.8"),
    (extracted(0.81), ACCEPTED, "the confidence is at least 0.8"),
    (extracted(0.8), ACCEPTED, "the confidence is at least 0.8"),
    (extracted(0.79), PARTIAL, "the confidence is at least 0.5"),
    (extracted(0.51), PARTIAL, "the confidence is at least 0.5"),
    (extracted(0.5), PARTIAL, "the confidence is at least 0.5"),
    (extracted(0.49), REJECTED, "the confidence is below 0.5"),
    (extracted(0), REJECTED, "the confidence is below 0.5"),
    (extracted(None), REVIEW, "no_confidence"),
    (evidence(source_class="extraction"), REVIEW, "no_confidence"),
    (extracted(1.01), REVIEW, "bad_value:confidence"),
    (extracted(-0.01), REVIEW, "bad_value:confidence"),
    (extracted(True), REVIEW, "bad_value:confidence"),
    (extracted("0.9"), REVIEW, "bad_value:confidence"),
    (extracted(None, observer_confidence=0.8), ACCEPTED, "the confidence is at least 0.8"),
    (extracted(0.1, observer_confidence=0.8), REJECTED, "the confidence is below 0.5"),
    (extracted(0.9, text=""), REJECTED, "empty_text"),
    (extracted(0.9, text="\u2028 "), REJECTED, "empty_text"),
    (extracted(7, text=""), REJECTED, "bad_value:confidence"),
    (
        extracted(None, provenance=placed("_kb/audit_facts.jsonl")),
        PARTIAL,
        "facts of an audit, which carry no confidence",
    ),
    (
        extracted(None, provenance=placed("data/_kb/audit_facts/a.jsonl")),
        PARTIAL,
        "facts of an audit, which carry no confidence",
    ),
    (extracted(None, provenance=placed("_kb/audit_facts_of_mine.jsonl")), REVIEW, "no_confidence"),
    (extracted(None, provenance=placed("_kb/mine/audit_facts.jsonl")), REVIEW, "no_confidence"),
    (extracted(0.9, provenance=placed("_kb/audit_facts.jsonl")), ACCEPTED, "the confidence is at least 0.8"),
    (extracted(None, provenance=placed("_kb/audit_facts.jsonl"), text=""), REJECTED, "empty_text"),
    (extracted(None, task_id="audit_fact:abc"), REVIEW, "no_confidence"),
]
TABLE: dict[str, list[tuple[EvidenceRecord, str, str]]] = {
    "scrum_review": SCRUM_REVIEW,
    "observer_review": OBSERVER_REVIEW,
    "audit": AUDIT,
    "auto_apply": AUTO_APPLY,
    "outcome": OUTCOME,
    "mode_experiment": MODE_EXPERIMENT,
    "contract_analysis": CONTRACT_ANALYSIS,
    "extraction": EXTRACTION,
}
CASES = [
    pytest.param(scorer, *case, id=f"{scorer}-{number}-{case[1]}-{case[2][:40]}")
    for scorer, cases in TABLE.items()
    for number, case in enumerate(cases)
]


def test_the_table_covers_every_scorer() -> None:
    assert list(TABLE) == list(SCORERS)


@pytest.mark.parametrize(("scorer", "record", "category", "reason"), CASES)
def test_the_truth_table_holds(scorer: str, record: EvidenceRecord, category: str, reason: str) -> None:
    judgement = judge(record, scorer)
    assert (judgement.category, reason in judgement.reasons) == (category, True), judgement


@pytest.mark.parametrize(("scorer", "record", "category", "reason"), CASES)
def test_every_judgement_says_why_in_words(scorer: str, record: EvidenceRecord, category: str, reason: str) -> None:
    assert any(" " in words and not words.startswith("unknown_") for words in judge(record, scorer).reasons)


@pytest.mark.parametrize(("scorer", "record", "category", "reason"), CASES)
def test_one_signal_is_no_conflict(scorer: str, record: EvidenceRecord, category: str, reason: str) -> None:
    if reason != "verdict_conflict" and len(record.success_markers + record.failure_markers) < 2:
        assert "verdict_conflict" not in judge(record, scorer).reasons


@pytest.mark.parametrize(
    ("scorer", "record"),
    [
        ("observer_review", marked("verdict:approve", observer_verdict="accept")),
        ("outcome", marked("events_ok:1/2", "events_ok:2/3")),
        ("outcome", stated(reward=5, passed=True)),
        ("auto_apply", marked("dry_run", "partial")),
    ],
)
def test_verdicts_of_one_category_are_no_conflict(scorer: str, record: EvidenceRecord) -> None:
    assert "verdict_conflict" not in judge(record, scorer).reasons


def test_a_signal_that_is_repeated_is_one_reason() -> None:
    assert judge(marked("ok", "ok"), "mode_experiment").reasons == ["the run says ok"]
    assert judge(marked("verdict:accept", observer_verdict="accept"), "observer_review").reasons == [
        "the verdict is accept"
    ]


SUB_SCORES = [
    ("scrum_review", attempts(2, "accepted_on_attempt_2"), {"attempt": 2.0, "attempts_made": 2.0}),
    ("scrum_review", marked("accepted_on_attempt_3", "accepted_on_attempt_1"), {"attempt": 3.0}),
    ("scrum_review", evidence(observer_confidence=1), {"confidence": 1.0}),
    ("observer_review", observed("accept", 0.25), {"confidence": 0.25}),
    ("observer_review", observed("accept", 7), {}),
    ("auto_apply", marked("committed", "build_green"), {"build_green": True}),
    ("auto_apply", marked("committed", "build_red"), {"build_green": False}),
    ("outcome", marked("events_ok:4/4", "events_ok:1/4"), {"ok_ratio": 0.25}),
    ("outcome", stated(reward=0, passed=False), {"reward": 0.0, "passed": False}),
    (
        "mode_experiment",
        tried("ok", latency_ms=60_001, retrieved_context=retrieved(3, "docs")),
        {"ok": True, "latency_ok": False, "chunks_kept": 3.0},
    ),
    ("mode_experiment", tried("not_ok", latency_ms=60_000), {"ok": False, "latency_ok": True}),
    ("extraction", extracted(0.8), {"confidence": 0.8}),
]


@pytest.mark.parametrize(("scorer", "record", "sub_scores"), SUB_SCORES)
def test_sub_scores_hold_the_numbers_by_name(scorer: str, record: EvidenceRecord, sub_scores: dict[str, Any]) -> None:
    given = judge(record, scorer).sub_scores
    # As JSON: 1, 1.0 and true are equal in Python and not on the wire.
    assert msgspec.json.encode(given, order="sorted") == msgspec.json.encode(sub_scores, order="sorted")


def test_an_unknown_scorer_is_a_usage_error_that_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no scorer 'scrum'.*scrum_review"):
        judge(evidence(), "scrum")


def own(category: str, at: str | None = None, by: str = "own") -> HumanOverride:
    return msgspec.convert({"category": category, "by": by, "at": at}, HumanOverride)


def row(category: str, at: str, by: str = "row", reason: str = "") -> OverrideRow:
    fields = {"sig_hash": "ab" * 32, "category": category, "by": by, "reason": reason, "at": at}
    return msgspec.convert(fields, OverrideRow)


@pytest.mark.parametrize("category", RANK)
@pytest.mark.parametrize("scorer", SCORERS)
def test_an_override_wins_over_every_scorer(scorer: str, category: str) -> None:
    judgement = judge(evidence(text=""), scorer, own(category, by="ann"))
    assert (judgement.category, judgement.reasons[0]) == (category, "human_override:ann")


def test_an_override_inside_the_row_wins_over_the_rules() -> None:
    judgement = judge(marked("accepted_on_attempt_1", human_override=own(REJECTED, by="ann")), "scrum_review")
    assert judgement.category == REJECTED
    assert judgement.reasons == ["human_override:ann", "the rules alone say accepted"]


def test_an_override_keeps_its_reason_and_the_numbers_of_the_rules() -> None:
    record = marked("accepted_on_attempt_4")
    judgement = judge(record, "scrum_review", row(ACCEPTED, "2026-05-01T00:00:00Z", reason="worth the wait"))
    assert judgement.reasons == ["human_override:row", "worth the wait", "the rules alone say needs_human_review"]
    assert judgement.sub_scores == {"attempt": 4.0}


@pytest.mark.parametrize(
    ("in_row", "passed", "winner"),
    [
        ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", "row"),
        ("2026-05-02T00:00:00Z", "2026-05-01T00:00:00Z", "own"),
        ("2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z", "row"),
        ("2026-05-01T01:00:00+02:00", "2026-05-01T00:00:00Z", "row"),
        ("2026-05-01T00:00:00-02:00", "2026-05-01T00:00:00Z", "own"),
        ("2026-05-01T00:00:00.001Z", "2026-05-01T00:00:00Z", "own"),
        ("2026-05-01T00:00:01", "2026-05-01T00:00:00Z", "own"),
        (None, "2026-05-01T00:00:00Z", "row"),
        ("2026-05-02T00:00:00Z", "", "row"),
        ("yesterday", "2026-05-01T00:00:00Z", "row"),
    ],
)
def test_of_two_overrides_the_later_wins_and_the_passed_one_in_doubt(
    in_row: str | None, passed: str, winner: str
) -> None:
    record = evidence(human_override=own(REJECTED, in_row))
    judgement = judge(record, "audit", row(ACCEPTED, passed))
    assert judgement.reasons[0] == f"human_override:{winner}"
    assert judgement.category == {"own": REJECTED, "row": ACCEPTED}[winner]


def test_a_scored_run_names_its_evidence_stream_and_scorer() -> None:
    record = marked("accepted_on_attempt_2")
    run = score(record, SCRUM, "2026-05-02T00:00:00.000Z")
    assert (run.evidence_run_id, run.evidence_task_id, run.provenance) == ("run-1", "task-1", record.provenance)
    assert (run.stream, run.scorer, run.scorer_version) == ("scrum_reviews", "scrum_review", "v1.0.0")
    assert (run.category, run.scored_at, run.schema_version) == (PARTIAL, "2026-05-02T00:00:00.000Z", 1)


def test_the_signature_is_the_hash_of_the_canonical_json_of_the_five_fields() -> None:
    run = score(attempts(2, "accepted_on_attempt_2"), SCRUM, "2026-05-02T00:00:00.000Z")
    signed = (
        '{"category":"partially_accepted","evidence_sig_hash":"' + "ab" * 32 + '","reasons":["accepted on attempt 2"],'
        '"scorer_version":"v1.0.0","sub_scores":{"attempt":2,"attempts_made":2}}'
    )
    assert run.sig_hash == sha256(signed.encode()).hexdigest()


def test_the_time_of_scoring_is_not_signed() -> None:
    record = marked("accepted_on_attempt_1")
    first, second = score(record, SCRUM, "2026-05-02T00:00:00.000Z"), score(record, SCRUM, "2027-01-01T00:00:00.000Z")
    assert first.sig_hash == second.sig_hash


@pytest.mark.parametrize(
    "changed",
    [
        {"category": REJECTED},
        {"evidence_sig_hash": "cd" * 32},
        {"reasons": ["another"]},
        {"sub_scores": {"attempt": 2.0}},
        {"scorer_version": "v1.0.1"},
    ],
)
def test_a_change_in_any_signed_field_changes_the_signature(changed: dict[str, Any]) -> None:
    fields: dict[str, Any] = {
        "evidence_sig_hash": "ab" * 32,
        "category": ACCEPTED,
        "reasons": ["accepted on attempt 1"],
        "sub_scores": {"attempt": 1.0},
        "scorer_version": SCORER_VERSION,
    }
    assert signature(**fields) != signature(**{**fields, **changed})


WORDS = st.sampled_from(
    [
        "accept",
        "cycle",
        "reject",
        "escalate",
        "approve",
        "block",
        "low",
        "high",
        "medium",
        "0",
        "1",
        "7",
        "4/4",
        "5/4",
        "",
    ]
) | st.text(max_size=5)
MARKERS = st.lists(
    st.sampled_from(["committed", "build_red", "build_green", "x_reverted", "ok", "not_ok", "resolved", "unresolved"])
    | st.builds(
        str.__add__,
        st.sampled_from(["accepted_on_attempt_", "verdict:", "overall:", "severity:", "events_ok:", ""]),
        WORDS,
    ),
    max_size=4,
)
NUMBERS = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.floats(0, 1)
ANYTHING = NUMBERS | st.booleans() | WORDS | st.lists(NUMBERS, max_size=2)
OVERRIDES = st.none() | st.builds(
    own, st.sampled_from(list(RANK)), st.none() | st.text(max_size=3), st.text(max_size=3)
)
RECORDS = st.builds(
    evidence,
    provenance=st.sampled_from(["_kb/x.jsonl", "_kb/audit_facts.jsonl"]).map(placed),
    source_class=st.sampled_from(["verdict", "telemetry", "extraction"]),
    success_markers=MARKERS,
    failure_markers=MARKERS,
    observer_verdict=st.none() | WORDS,
    observer_confidence=NUMBERS,
    latency_ms=NUMBERS,
    text=st.text(max_size=3),
    human_override=OVERRIDES,
    retrieved_context=st.none() | st.builds(retrieved, st.none() | st.integers()),
    metadata=st.none()
    | st.dictionaries(st.sampled_from(["reward", "passed", "verdict", "confidence", "attempts_made"]), ANYTHING),
)


@given(record=RECORDS, scorer=st.sampled_from(list(SCORERS)), override=OVERRIDES)
def test_any_evidence_gets_one_category_and_a_reason_twice_the_same_and_stays_as_it_was(
    record: EvidenceRecord, scorer: str, override: Override | None
) -> None:
    before = msgspec.json.encode(record)
    first, second = judge(record, scorer, override), judge(record, scorer, override)
    assert first == second
    assert first.category in RANK
    assert first.reasons
    assert all(reason != "" for reason in first.reasons)
    assert msgspec.json.encode(record) == before


@given(record=RECORDS)
def test_any_scored_run_survives_a_write_and_a_read_with_its_signature(record: EvidenceRecord) -> None:
    run = score(record, SCRUM, "2026-05-02T00:00:00.000Z")
    line = msgspec.json.encode(run)
    read = msgspec.json.decode(line, type=type(run))
    assert msgspec.json.encode(read) == line
    again = signature(read.provenance.sig_hash, read.category, read.reasons, read.sub_scores, read.scorer_version)
    assert again == run.sig_hash


@given(record=RECORDS)
def test_the_signature_equals_a_hash_made_by_hand(record: EvidenceRecord) -> None:
    run = score(record, SCRUM, "2026-05-02T00:00:00.000Z")
    signed = {
        "evidence_sig_hash": record.provenance.sig_hash,
        "scorer_version": run.scorer_version,
        "category": run.category,
        "reasons": run.reasons,
        "sub_scores": run.sub_scores,
    }
    assert run.sig_hash == sha256(canonical(signed)).hexdigest()
