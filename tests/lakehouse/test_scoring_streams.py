"""From a raw row to its verdict: each built-in stream with each category that it can give."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lakehouse.records import Provenance, ScoredRun
from lakehouse.scoring import RANK, SCORERS, score
from lakehouse.streams import BUILT_IN, Seen

STREAMS = {stream.name: stream for stream in BUILT_IN}
ACCEPTED, PARTIAL, REVIEW, REJECTED = "accepted", "partially_accepted", "needs_human_review", "rejected"


def scored(name: str, row: dict[str, Any]) -> ScoredRun:
    stream = STREAMS[name]
    place = Provenance(source_file=f"_kb/{name}.jsonl", line_offset=0, sig_hash="ab" * 32, recorded_at="x")
    seen = Seen(stream=stream, provenance=place, timestamp="2026-05-01T10:00:00Z")
    evidence = stream.transform(msgspec.convert(row, stream.row_type), seen)
    return score(evidence, stream, "2026-05-02T00:00:00.000Z")


REVIEWED = {"file": "a.rs", "suggestions": ["handle the empty input"]}
NOTED = {"file": "a.rs", "notes": "reads well"}
PHASE = {"phase": 3, "reasoning": "all gates hold"}
PERMIT = {"permit_id": 7, "analysis": "the contractor is licensed"}
CLUSTER = {"cluster_id": "c1", "analysis": "a timeout each time"}
PATCH = {"file": "a.rs", "patch": "- a\n+ b"}
SCENARIO = {"scenario": "fill the shift"}
MODE = {"task_class": "review", "file": "a.rs", "response": "looks fine"}
FOUND = {"source_run_id": "r1", "text": "retries help"}
AUDITED = {"head_sha": "abc"}
RUN = {"task_id": "t1", "prompt": "do it", "response": "done"}


def events(*oks: bool) -> list[dict[str, Any]]:
    return [{"name": f"event {number}", "ok": ok} for number, ok in enumerate(oks)]


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("scrum_reviews", {**REVIEWED, "accepted_on_attempt": 1, "attempts_made": 1, "confidence_avg": 0.9}, ACCEPTED),
    ("scrum_reviews", {**REVIEWED, "accepted_on_attempt": 3}, PARTIAL),
    ("scrum_reviews", {**REVIEWED, "accepted_on_attempt": 4}, REVIEW),
    ("scrum_reviews", {**REVIEWED, "attempts_made": 2}, REVIEW),
    ("scrum_reviews", {**REVIEWED, "accepted_on_attempt": None, "attempts_made": 3}, REJECTED),
    ("observer_reviews", {**NOTED, "verdict": "accept", "confidence": 0.5}, ACCEPTED),
    ("observer_reviews", {**NOTED, "verdict": "accept", "confidence": 0.4}, PARTIAL),
    ("observer_reviews", {**NOTED, "verdict": "cycle"}, PARTIAL),
    ("observer_reviews", {**NOTED, "verdict": "escalate"}, REVIEW),
    ("observer_reviews", NOTED, REVIEW),
    ("observer_reviews", {**NOTED, "verdict": "reject"}, REJECTED),
    ("audits", {**PHASE, "overall": "approve"}, ACCEPTED),
    ("audits", {**PHASE, "severity": "low"}, ACCEPTED),
    ("audits", {**PHASE, "overall": "request_changes"}, PARTIAL),
    ("audits", {**PHASE, "severity": "medium"}, PARTIAL),
    ("audits", PHASE, REVIEW),
    ("audits", {**PHASE, "overall": "block"}, REJECTED),
    ("audits", {**PHASE, "overall": "approve", "severity": "critical"}, REJECTED),
    ("contract_analyses", {**PERMIT, "observer_verdict": "approve", "observer_conf": 1}, ACCEPTED),
    ("contract_analyses", {**PERMIT, "observer_verdict": "revise"}, PARTIAL),
    ("contract_analyses", {**PERMIT, "observer_verdict": "human_review"}, REVIEW),
    ("contract_analyses", {**PERMIT, "observer_verdict": "fail"}, REJECTED),
    ("contract_analyses", {"permit_id": 7, "observer_verdict": "accept"}, REJECTED),
    ("observer_escalations", {**CLUSTER, "resolved": True}, ACCEPTED),
    ("observer_escalations", {**CLUSTER, "resolved": False}, PARTIAL),
    ("observer_escalations", CLUSTER, REVIEW),
    ("auto_apply", {**PATCH, "action": "committed", "build_green": True}, ACCEPTED),
    ("auto_apply", {**PATCH, "action": "committed"}, ACCEPTED),
    ("auto_apply", {**PATCH, "action": "dry_run"}, PARTIAL),
    ("auto_apply", {**PATCH, "action": "no_patches"}, REVIEW),
    ("auto_apply", {**PATCH, "action": "slept"}, REVIEW),
    ("auto_apply", PATCH, REVIEW),
    ("auto_apply", {**PATCH, "action": "committed", "build_green": False}, REJECTED),
    ("auto_apply", {**PATCH, "action": "build_red_reverted", "build_green": False}, REJECTED),
    ("outcomes", {**SCENARIO, "events": events(True, True)}, ACCEPTED),
    ("outcomes", {**SCENARIO, "total_events": 2, "ok_events": 1}, PARTIAL),
    ("outcomes", {**SCENARIO, "events": []}, REVIEW),
    ("outcomes", {**SCENARIO, "total_events": 0, "ok_events": 0}, REVIEW),
    ("outcomes", {**SCENARIO, "total_events": 1, "ok_events": 2}, REVIEW),
    ("outcomes", {**SCENARIO, "events": events(True, False, False)}, REJECTED),
    ("outcomes", {**SCENARIO, "events": events(True, True), "total_events": 4, "ok_events": 1}, REJECTED),
    ("mode_experiments", {**MODE, "ok": True, "latency_ms": 60_000}, ACCEPTED),
    ("mode_experiments", {**MODE, "ok": True, "latency_ms": 60_001}, PARTIAL),
    ("mode_experiments", {**MODE, "ok": True, "sources": {"corpora": ["docs"], "chunks_kept": 0}}, PARTIAL),
    ("mode_experiments", {**MODE, "ok": True, "sources": {"chunks_kept": 0}}, ACCEPTED),
    ("mode_experiments", MODE, REVIEW),
    ("mode_experiments", {**MODE, "ok": False}, REJECTED),
    ("mode_experiments", {**MODE, "ok": True, "response": " "}, REJECTED),
    ("agent_runs", {**RUN, "reward": 1.0}, ACCEPTED),
    ("agent_runs", {**RUN, "passed": True}, ACCEPTED),
    ("agent_runs", {**RUN, "verdict": "accept"}, ACCEPTED),
    ("agent_runs", {**RUN, "reward": 0.5}, PARTIAL),
    ("agent_runs", {**RUN, "verdict": "cycle"}, PARTIAL),
    ("agent_runs", RUN, REVIEW),
    ("agent_runs", {**RUN, "verdict": "fine"}, REVIEW),
    ("agent_runs", {**RUN, "reward": 0.0}, REJECTED),
    ("agent_runs", {**RUN, "reward": 1.0, "passed": False}, REJECTED),
    *(
        (stream, row, category)
        for stream in ("distilled_facts", "distilled_procedures", "distilled_config_hints")
        for row, category in (
            ({**FOUND, "confidence": 0.8}, ACCEPTED),
            ({**FOUND, "confidence": 0.5}, PARTIAL),
            (FOUND, REVIEW),
            ({**FOUND, "confidence": 0.1}, REJECTED),
            ({"source_run_id": "r1", "confidence": 0.9}, REJECTED),
        )
    ),
    ("distilled_procedures", {"source_run_id": "r1", "confidence": 0.9, "steps": ["look"]}, ACCEPTED),
    ("distilled_config_hints", {"source_run_id": "r1", "confidence": 0.9, "key": "retries", "value": 0}, ACCEPTED),
    ("audit_facts", {**AUDITED, "facts": ["the build is green"]}, PARTIAL),
    ("audit_facts", {**AUDITED, "entities": ["build"]}, REJECTED),
]


@pytest.mark.parametrize(
    ("stream", "row", "category"), [pytest.param(*case, id=f"{case[0]}-{n}-{case[2]}") for n, case in enumerate(CASES)]
)
def test_a_row_reaches_its_verdict(stream: str, row: dict[str, Any], category: str) -> None:
    run = scored(stream, row)
    assert run.category == category, run.reasons


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("category", RANK)
def test_a_row_may_carry_a_persons_verdict_in_every_stream(stream: str, category: str) -> None:
    row = next(row for name, row, _ in CASES if name == stream)
    run = scored(stream, {**row, "human_override": {"category": category, "by": "ann"}})
    assert (run.category, run.reasons[0]) == (category, "human_override:ann")


def test_every_built_in_stream_is_covered_and_names_a_scorer() -> None:
    assert {name for name, _, _ in CASES} == set(STREAMS)
    assert {stream.scorer for stream in BUILT_IN} == set(SCORERS)
