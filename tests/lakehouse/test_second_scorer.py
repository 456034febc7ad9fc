"""The rules in SQL: the table of the specification, row by row and edge by edge, and the same as Python on anything.

Here: the second scorer on evidence files. Not here: the gates that use it (`test_scorer_gates.py`).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse import second_scorer
from lakehouse.errors import UsageError
from lakehouse.records import OverrideRow
from lakehouse.scoring import RANK, SCORERS, judge
from lakehouse.second_scorer import BUILT_IN, RULES, Judged, prepare, score
from lakehouse.streams import BUILT_IN as STREAMS
from tests.lakehouse.test_scoring import RECORDS, TABLE, row

ACCEPTED, PARTIAL, REVIEW, REJECTED = "accepted", "partially_accepted", "needs_human_review", "rejected"
SIG = "ab" * 32
Row = dict[str, Any]


def record(*markers: str, **fields: Any) -> Row:
    place = {"source_file": "_kb/x.jsonl", "line_offset": 0, "sig_hash": SIG, "recorded_at": "2026-05-02T00:00:00.000Z"}
    given = {"run_id": "r", "task_id": "t", "provenance": place, "text": "some text", **fields}
    return {"success_markers": list(markers), "failure_markers": [], **given}


def against(*markers: str, **fields: Any) -> Row:
    return record(failure_markers=list(markers), **fields)


def meta(*markers: str, **metadata: Any) -> Row:
    return record(*markers, metadata=metadata)


def attempt(n: Any, **fields: Any) -> Row:
    return record(f"accepted_on_attempt_{n}", **fields)


def said(word: str | None, confidence: Any = None, **fields: Any) -> Row:
    return record(observer_verdict=word, observer_confidence=confidence, **fields)


def found(kept: Any, *corpora: str) -> Row:
    return record("ok", retrieved_context={"corpora": list(corpora), "chunks_kept": kept})


BLANK = " \t\r\n\x0b\x0c\x1c\x1f\x85\u00a0\u2003\u2028\u3000"
SCRUM = [
    (attempt(1), ACCEPTED),
    (attempt(2), PARTIAL),
    (attempt(3), PARTIAL),
    (attempt(4), REVIEW),
    (attempt(10), REVIEW),
    (attempt(0), REVIEW),
    (attempt(-1), REVIEW),
    (attempt("x"), REVIEW),
    (attempt(""), REVIEW),
    (attempt("9" * 400), REVIEW),
    (against("accepted_on_attempt_1"), ACCEPTED),
    (record("Accepted_on_attempt_1"), REVIEW),
    (record("accepted_on_attempt_1", "accepted_on_attempt_3"), PARTIAL),
    (record("accepted_on_attempt_1", "accepted_on_attempt_4"), REVIEW),
    (record(), REVIEW),
    (meta(attempts_made=2), REVIEW),
    (meta(attempts_made=2.99), REVIEW),
    (meta(attempts_made=3), REJECTED),
    (meta(attempts_made=4), REJECTED),
    (meta(attempts_made=None), REVIEW),
    (meta(attempts_made="3"), REVIEW),
    (meta(attempts_made=True), REVIEW),
    (meta(attempts_made=-1), REVIEW),
    (meta(attempts_made=10**15 - 1), REJECTED),
    (meta(attempts_made=10**15), REVIEW),
    (meta(attempts_made=10**400), REVIEW),
    (meta("accepted_on_attempt_1", attempts_made=3), ACCEPTED),
    (meta("accepted_on_attempt_0", attempts_made=5), REVIEW),
    (attempt(1, observer_confidence=0), ACCEPTED),
    (attempt(1, observer_confidence=1), ACCEPTED),
    (attempt(1, observer_confidence=1.01), REVIEW),
    (attempt(1, text=""), ACCEPTED),
]
REVIEW_WORDS = [
    *((said(word), ACCEPTED) for word in ("accept", "approve", "pass")),
    *((said(word), PARTIAL) for word in ("cycle", "revise")),
    *((said(word), REJECTED) for word in ("reject", "fail")),
    *((said(word), REVIEW) for word in ("human_review", "escalate", "maybe", "Accept", "ACCEPT", " accept", "passed")),
    (said(""), REVIEW),
    (said(None), REVIEW),
    (said(None, 0.9), REVIEW),
    (said("accept", 0.5), ACCEPTED),
    (said("accept", 0.51), ACCEPTED),
    (said("accept", 0.49), PARTIAL),
    (said("accept", 0), PARTIAL),
    (said("accept", 1), ACCEPTED),
    (said("accept", 1.01), REVIEW),
    (said("accept", -0.01), REVIEW),
    (said("accept", True), REVIEW),
    (said("accept", "0.9"), REVIEW),
    (said("cycle", 0.1), PARTIAL),
    (said("reject", 0.1), REJECTED),
    (said("reject", 7), REJECTED),
    (said("escalate", 0.1), REVIEW),
    (record("verdict:accept"), ACCEPTED),
    (against("verdict:reject"), REJECTED),
    (record("verdict:odd"), REVIEW),
    (record("verdict:"), REVIEW),
    (record("verdict:accept", observer_verdict="accept"), ACCEPTED),
    (record("verdict:cycle", observer_verdict="accept"), PARTIAL),
    (record("verdict:escalate", observer_verdict="accept"), REVIEW),
    (record("verdict:reject", observer_verdict="escalate"), REJECTED),
]
OBSERVER = [
    *REVIEW_WORDS,
    (said("accept", text=""), ACCEPTED),
    (record("resolved"), ACCEPTED),
    (against("unresolved"), PARTIAL),
    (record("Resolved"), REVIEW),
    (record("resolved", observer_confidence=0.2), PARTIAL),
    (record("resolved", failure_markers=["unresolved"]), PARTIAL),
    (record("resolved", observer_verdict="reject"), REJECTED),
]
CONTRACT = [
    *REVIEW_WORDS,
    (said("accept", text=""), REJECTED),
    (said("accept", text=BLANK), REJECTED),
    (said("accept", text="\u200b"), ACCEPTED),
    (said("accept", text=f"{BLANK}.{BLANK}"), ACCEPTED),
    (said(None, text=""), REJECTED),
    (record("resolved"), REVIEW),
]
AUDIT = [
    (record("overall:approve"), ACCEPTED),
    (against("overall:request_changes"), PARTIAL),
    (against("overall:block"), REJECTED),
    *((record(f"severity:{word}"), ACCEPTED) for word in ("none", "info", "low")),
    (record("severity:medium"), PARTIAL),
    *((against(f"severity:{word}"), REJECTED) for word in ("high", "critical", "blocker")),
    (record(), REVIEW),
    (record("overall:accept"), REVIEW),
    (record("overall:"), REVIEW),
    (record("severity:LOW"), REVIEW),
    (record("severity:a:b"), REVIEW),
    (record("overall:low"), REVIEW),
    (record("severity:approve"), REVIEW),
    (record("overall:approve", "severity:low"), ACCEPTED),
    (record("overall:approve", "severity:medium"), PARTIAL),
    (record("overall:approve", failure_markers=["severity:high"]), REJECTED),
    (record("overall:odd", failure_markers=["severity:high"]), REJECTED),
    (record("overall:odd", "severity:low"), REVIEW),
]
APPLY = [
    (record("committed", "build_green"), ACCEPTED),
    (record("committed"), ACCEPTED),
    (record("committed", failure_markers=["build_red"]), REJECTED),
    (record("committed", "build_green", "build_red"), REJECTED),
    (against("build_red_reverted"), REJECTED),
    (against("anything_reverted", "build_green"), REJECTED),
    (record("dry_run"), PARTIAL),
    (record("dry_run", "build_red"), PARTIAL),
    (record("partial"), PARTIAL),
    (against("no_patches"), REVIEW),
    (against("all_rejected"), REVIEW),
    (record("exploded"), REVIEW),
    (record("reverted"), REVIEW),
    (record("a_reverted_b"), REVIEW),
    (record("Committed"), REVIEW),
    (record(""), REVIEW),
    (record(), REVIEW),
    (record("build_green"), REVIEW),
    (record("committed", "partial"), PARTIAL),
    (record("committed", "no_patches"), REVIEW),
    (record("committed", "x_reverted"), REJECTED),
]
OUTCOME = [
    (record("events_ok:1/1"), ACCEPTED),
    (record("events_ok:4/4"), ACCEPTED),
    (record("events_ok:3/4"), PARTIAL),
    (record("events_ok:2/4"), PARTIAL),
    (record("events_ok:51/101"), PARTIAL),
    (record("events_ok:50/101"), REJECTED),
    (record("events_ok:0/4"), REJECTED),
    (record("events_ok:0/0"), REVIEW),
    (record(), REVIEW),
    *((record(f"events_ok:{bad}"), REVIEW) for bad in ("5/4", "1/0", "-1/4", "1/-4", "3", "a/b", "1/2/3", "1/2 ", "")),
    (record("events_ok:4/4", "events_ok:1/4"), REJECTED),
    (record("events_ok:4/4", "events_ok:0/0"), REVIEW),
    (record("events_ok:499999999999999/999999999999999"), REJECTED),
    (record("events_ok:500000000000000/999999999999999"), PARTIAL),
    (record("events_ok:1000000000000000/1000000000000000"), REVIEW),
    (meta(reward=1.0), ACCEPTED),
    (meta(reward=1), ACCEPTED),
    (meta(reward=0.999), PARTIAL),
    (meta(reward=0.5), PARTIAL),
    (meta(reward=0.501), PARTIAL),
    (meta(reward=0.499), REJECTED),
    (meta(reward=0), REJECTED),
    (meta(reward=1.001), REVIEW),
    (meta(reward=-0.001), REVIEW),
    (meta(reward=True), REVIEW),
    (meta(reward="1.0"), REVIEW),
    (meta(reward=None), REVIEW),
    (meta(Reward=1.0), REVIEW),
    (meta(inner={"reward": 1.0}), REVIEW),
    (meta(passed=True), ACCEPTED),
    (meta(passed=False), REJECTED),
    (meta(passed=1), REVIEW),
    (meta(passed="true"), REVIEW),
    (meta(verdict="approve"), ACCEPTED),
    (meta(verdict="revise"), PARTIAL),
    (meta(verdict="fail"), REJECTED),
    (meta(verdict="escalate"), REVIEW),
    (meta(verdict="fine"), REVIEW),
    (meta(verdict=1), REVIEW),
    (said("reject"), REJECTED),
    (record("verdict:accept"), ACCEPTED),
    (meta(reward=1.0, passed=True, verdict="pass"), ACCEPTED),
    (meta(reward=1.0, passed=False), REJECTED),
    (meta(reward=0.7, passed=True), PARTIAL),
    (meta(reward=2, passed=False), REJECTED),
    (meta("events_ok:4/4", reward=0.0), REJECTED),
]
MODE = [
    (record("ok"), ACCEPTED),
    (against("not_ok"), REJECTED),
    (record(), REVIEW),
    (record("OK"), REVIEW),
    (record("ok", failure_markers=["not_ok"]), REJECTED),
    (record("ok", text=""), REJECTED),
    (record("ok", text=BLANK), REJECTED),
    (record(text=""), REJECTED),
    (record("ok", latency_ms=59_999), ACCEPTED),
    (record("ok", latency_ms=60_000), ACCEPTED),
    (record("ok", latency_ms=60_000.5), PARTIAL),
    (record("ok", latency_ms=60_001), PARTIAL),
    (record("ok", latency_ms=-1), REVIEW),
    (record("ok", latency_ms=10**15), REVIEW),
    (against("not_ok", latency_ms=-1), REJECTED),
    (record(latency_ms=60_001), REVIEW),
    (found(0, "docs"), PARTIAL),
    (found(1, "docs"), ACCEPTED),
    (found(None, "docs"), ACCEPTED),
    (found(0), ACCEPTED),
    (found(-1, "docs"), REVIEW),
]
EXTRACTION = [
    (meta(confidence=1), ACCEPTED),
    (meta(confidence=0.81), ACCEPTED),
    (meta(confidence=0.8), ACCEPTED),
    (meta(confidence=0.79), PARTIAL),
    (meta(confidence=0.51), PARTIAL),
    (meta(confidence=0.5), PARTIAL),
    (meta(confidence=0.49), REJECTED),
    (meta(confidence=0), REJECTED),
    (meta(confidence=1.01), REVIEW),
    (meta(confidence=-0.01), REVIEW),
    (meta(confidence=True), REVIEW),
    (meta(confidence="0.9"), REVIEW),
    (meta(confidence=None), REVIEW),
    (record(), REVIEW),
    (record(observer_confidence=0.8), ACCEPTED),
    (record(observer_confidence=0.8, metadata={"confidence": 0.1}), REJECTED),
    (record(text="", metadata={"confidence": 0.9}), REJECTED),
    (record(text=BLANK, metadata={"confidence": 7}), REJECTED),
]
SPECIFIED: dict[str, list[tuple[Row, str]]] = {
    "scrum_reviews": SCRUM,
    "observer_reviews": OBSERVER,
    "observer_escalations": OBSERVER,
    "audits": AUDIT,
    "contract_analyses": CONTRACT,
    "auto_apply": APPLY,
    "outcomes": OUTCOME,
    "agent_runs": OUTCOME,
    "mode_experiments": MODE,
    "distilled_facts": EXTRACTION,
    "distilled_procedures": EXTRACTION,
    "distilled_config_hints": EXTRACTION,
    "audit_facts": [
        (record(), PARTIAL),
        (record(text=""), REJECTED),
        (meta(confidence=0.9), ACCEPTED),
        (meta(confidence=0.1), REJECTED),
    ],
}
"""By stream: what the evidence says, and the verdict of the specification's table."""

STAMPS = ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00+02:00", "2026-05-01T12:00:00.000001", "1777600000", "x")
Ask = Callable[..., list[Judged]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Give a function that judges records in SQL: write them to a file, score it."""
    import duckdb

    folder = tmp_path_factory.mktemp("evidence")

    with closing(duckdb.connect()) as connection:
        prepare(connection)

        def judged(records: Sequence[Any], stream: str, declared: str | None = None, **more: Any) -> list[Judged]:
            path = folder / "evidence.jsonl"
            path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in records))
            return list(score(connection, path, stream, declared, **more))

        yield judged


@pytest.fixture(scope="module")
def by_table(ask: Ask) -> dict[str, list[str]]:
    """Judge all cases of a stream at once: a call for each would cost more than all of them."""
    return {
        stream: [one.category for one in ask([record for record, _ in cases], stream)]
        for stream, cases in SPECIFIED.items()
    }


@pytest.mark.parametrize(
    ("stream", "number"),
    [
        pytest.param(stream, number, id=f"{stream}-{number}-{category}")
        for stream, cases in SPECIFIED.items()
        for number, (_, category) in enumerate(cases)
    ],
)
def test_the_table_of_the_specification_holds(by_table: dict[str, list[str]], stream: str, number: int) -> None:
    case, category = SPECIFIED[stream][number]
    assert by_table[stream][number] == category, case


def test_the_table_covers_every_stream_and_each_verdict_of_its_rule() -> None:
    assert {stream.name: stream.scorer for stream in STREAMS} == BUILT_IN
    assert set(SPECIFIED) == set(BUILT_IN)
    assert set(RULES) == set(SCORERS)
    for stream, cases in SPECIFIED.items():
        assert {category for _, category in cases} == set(RANK) or stream == "audit_facts"


@pytest.mark.parametrize("rule", RULES)
def test_a_declared_stream_is_judged_by_the_rule_it_names(ask: Ask, rule: str) -> None:
    stream = next(name for name, of in BUILT_IN.items() if of == rule)
    cases = SPECIFIED[stream]
    assert [one.category for one in ask([case for case, _ in cases], "tickets", rule)] == [said for _, said in cases]


def test_only_the_stream_of_audit_facts_may_lack_a_confidence(ask: Ask) -> None:
    assert [one.category for one in ask([record()], "tickets", "extraction")] == [REVIEW]


@pytest.mark.parametrize("rule", RULES)
def test_sql_says_what_the_truth_table_of_python_says(ask: Ask, rule: str) -> None:
    cases = [
        (evidence, category)
        for evidence, category, _ in TABLE[rule]
        if evidence.observer_confidence == evidence.observer_confidence  # no file holds NaN
    ]
    for stream, some in by_stream(cases, lambda case: case[0]):
        assert [one.category for one in ask([evidence for evidence, _ in some], stream, rule)] == [
            category for _, category in some
        ]


def by_stream(things: Sequence[Any], of: Callable[[Any], Any]) -> list[tuple[str, list[Any]]]:
    """Part the records of audit facts, which SQL is told of by their stream, from the others."""
    held = ("_kb/audit_facts.jsonl", "data/_kb/audit_facts/")
    facts = [one for one in things if of(one).provenance.source_file.startswith(held)]
    return [("tickets", [one for one in things if one not in facts]), ("audit_facts", facts)]


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(records=st.lists(RECORDS, min_size=20, max_size=25))
def test_sql_and_python_say_the_same_of_anything(ask: Ask, rule: str, records: list[Any]) -> None:
    groups = by_stream(records, lambda one: one) if rule == "extraction" else [("tickets", records)]
    for stream, some in groups:
        if some:
            declared = [one.category for one in ask(some, stream, rule)]
            assert declared == [judge(one, rule).category for one in some]


OVERRIDES = st.none() | st.builds(row, st.sampled_from(list(RANK)), st.sampled_from(STAMPS) | st.text(max_size=3))


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(records=st.lists(RECORDS, min_size=4, max_size=8), passed=OVERRIDES)
def test_sql_and_python_let_the_same_person_win(ask: Ask, records: list[Any], passed: OverrideRow | None) -> None:
    overrides = {} if passed is None else {SIG: passed}
    found = [one.category for one in ask(records, "audits", overrides=overrides)]
    assert found == [judge(one, "audit", passed).category for one in records]


@pytest.mark.parametrize("stream", SPECIFIED)
@pytest.mark.parametrize("category", RANK)
def test_a_persons_verdict_wins_in_every_stream(ask: Ask, stream: str, category: str) -> None:
    decided = record(human_override={"category": category, "by": "ann"})
    assert [one.category for one in ask([decided], stream)] == [category]
    passed = {SIG: row(category, "2026-05-01T00:00:00Z")}
    assert [one.category for one in ask([record()], stream, overrides=passed)] == [category]


@pytest.mark.parametrize(
    ("in_row", "in_log", "winner"),
    [
        ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", "log"),
        ("2026-05-02T00:00:00Z", "2026-05-01T00:00:00Z", "row"),
        ("2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z", "log"),
        ("2026-05-01T01:00:00+02:00", "2026-05-01T00:00:00Z", "log"),
        ("2026-05-01T00:00:00-02:00", "2026-05-01T00:00:00Z", "row"),
        ("2026-05-01T00:00:01", "2026-05-01T00:00:00Z", "row"),
        (None, "2026-05-01T00:00:00Z", "log"),
        ("yesterday", "2026-05-01T00:00:00Z", "log"),
    ],
)
def test_of_two_persons_the_later_wins_and_the_log_in_doubt(
    ask: Ask, in_row: str | None, in_log: str, winner: str
) -> None:
    decided = record(human_override={"category": REJECTED, "by": "ann", "at": in_row})
    (found,) = ask([decided], "audits", overrides={SIG: row(ACCEPTED, in_log)})
    assert found.category == {"row": REJECTED, "log": ACCEPTED}[winner]


def test_records_come_back_in_their_order_with_their_place(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    # DuckDB reads 32 MiB at a time then, which ends in a chunk of about 20 lines; its joins hold such a chunk back.
    monkeypatch.setattr(second_scorer, "LONGEST", 16 << 20)
    records = [record("committed", text="x" * 7_879) for _ in range(7_000)]
    for number, one in enumerate(records):
        one["provenance"] = {**one["provenance"], "line_offset": number + 1_000, "sig_hash": f"{number:064x}"}
    given = {f"{number:064x}": row(REJECTED, "2026-05-01T00:00:00Z") for number in range(0, 7_000, 7)}
    assert {len(msgspec.json.encode(one)) for one in records} == {8_151}
    assert ask(records, "auto_apply", overrides=given) == [
        Judged("_kb/x.jsonl", number + 1_000, f"{number:064x}", ACCEPTED if number % 7 else REJECTED)
        for number in range(7_000)
    ]


def test_a_file_without_records_has_no_verdicts(ask: Ask) -> None:
    assert ask([], "audits") == []


def test_a_line_of_a_row_of_16_mib_is_read(ask: Ask) -> None:
    long = record("ok", text="\\" * (17 << 20))
    assert [one.category for one in ask([long, record("ok")], "mode_experiments")] == [ACCEPTED, ACCEPTED]


def test_a_scorer_without_a_rule_in_sql_is_an_error_that_says_what_to_do(ask: Ask) -> None:
    with pytest.raises(UsageError, match=r"no rule 'mood' in SQL.*second_scorer"):
        ask([record()], "tickets", "mood")


def test_the_instrument_loads_nothing_of_what_it_measures() -> None:
    code = "import sys, lakehouse.second_scorer; print([name for name in sys.modules if 'scoring' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
