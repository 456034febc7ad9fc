"""The views that answer questions: small tables of sessions, and what is said of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lakehouse.views.conftest import attempt, session

A, V, N, I = "accepted", "validation_failed", "no_json", "infra_error"  # noqa: E741


def test_the_first_shot_rate_leaves_infra_errors_out_of_its_denominator(lab: Any, rows: Any) -> None:
    lab.write(
        "sessions", session("1", A), session("2", V, A), session("3", N, V, V), session("4", I), session("5", N, I)
    )
    lab.write("sessions", session("6", A, model="gemma"), session("7", I, model="mistral"))
    assert rows("FROM first_shot_rate ORDER BY model") == [
        ("ollama", "gemma", 1, 1, 1.0, 0),
        ("ollama", "mistral", 0, 0, None, 1),
        ("ollama", "qwen2.5", 3, 1, 0.3333, 2),
    ]


def test_one_model_of_two_providers_is_two(lab: Any, rows: Any) -> None:
    lab.write("sessions", session("1", A), session("2", V, A, provider="openrouter"))
    assert rows("SELECT provider, rate FROM first_shot_rate ORDER BY ALL") == [("ollama", 1.0), ("openrouter", 0.0)]


@pytest.mark.parametrize(
    ("verdicts", "running"),
    [
        ((V, V, V), 3),
        ((N, V, N), 3),
        ((V, V, V, A), 3),
        ((V, N, V, V, A), 4),
        ((V, V, I), None),
        ((V, V, I, V), None),
        ((V, V), None),
        ((V, V, A), None),
        ((A,), None),
        ((), None),
    ],
)
def test_three_rejections_in_a_row_are_found(lab: Any, rows: Any, verdicts: Any, running: int | None) -> None:
    lab.write("sessions", session("s", *verdicts))
    found = rows("SELECT session_id, rejected_running FROM rejected_three_times_running")
    assert found == ([] if running is None else [("s", running)])


@pytest.mark.parametrize(
    ("change", "alarm"),
    [
        ({}, False),
        ({"grounded_in_roster": False}, True),
        ({"grounded_in_roster": None}, True),
        ({"grounded_in_roster": "yes indeed"}, True),
        ({"grounded_in_roster": False, "prompt": None, "duration_ms": "x", "attempts": 3}, True),
        ({"grounded_in_roster": False, "kind": "sms"}, False),
        ({"grounded_in_roster": False, "verdict": "max_iter_exhausted"}, False),
    ],
)
def test_an_accepted_fill_that_is_not_grounded_is_an_alarm(lab: Any, rows: Any, change: Any, alarm: bool) -> None:
    lab.write("sessions", session("s", A, **change))
    assert rows("SELECT session_id, entry FROM accepted_not_grounded") == ([("s", 1)] if alarm else [])


def test_an_absent_mark_is_an_alarm_too(lab: Any, rows: Any) -> None:
    row = session("s", A)
    del row["grounded_in_roster"]
    lab.write("sessions", row)
    assert rows("SELECT session_id FROM accepted_not_grounded") == [("s",)]


def test_sessions_are_counted_by_their_day_in_utc(lab: Any, rows: Any) -> None:
    lab.write("sessions", session("1", A), session("2", V, V, V), session("3", I))
    lab.write("sessions", session("4", V, A, timestamp="2026-05-02T23:30:00-02:00"), session("5", A, timestamp="soon"))
    assert rows("SELECT * REPLACE (day::VARCHAR AS day) FROM sessions_by_day ORDER BY day") == [
        ("2026-05-02", 3, 1, 1, 1, 1, 5),
        ("2026-05-03", 1, 1, 0, 0, 0, 2),
        (None, 1, 1, 1, 0, 0, 1),
    ]


@pytest.mark.parametrize(
    ("verdict", "error", "told"),
    [
        (
            V,
            '[{"Consistency":{"reason":"w-9001 is not in the roster"}},{"Schema":{"field":"fills[2].name","reason":"\'x\' is no name"}}]',
            [
                ("consistency", None, "w-9001 is not in the roster", "w-# is not in the roster"),
                ("schema", "fills[2].name", "'x' is no name", '"…" is no name'),
            ],
        ),
        (
            V,
            '{"Policy":{"reason":"w-1 is blacklisted"}}',
            [("policy", None, "w-1 is blacklisted", "w-# is blacklisted")],
        ),
        (V, '{"Kind":"schema","Field":"x","Reason":"no number"}', [("schema", "x", "no number", "no number")]),
        (V, "the count is 3, not 2", [("other", None, "the count is 3, not 2", "the count is #, not #")]),
        (V, "[1]", [("other", None, "[1]", "[#]")]),
        (V, "[]", []),
        (V, None, [("other", None, None, None)]),
        (N, "there is no JSON object in the answer of 1,204 characters", [("no_json", None, ..., ...)]),
        (I, "it timed out", []),
        (A, None, []),
    ],
)
def test_errors_are_told_apart_in_every_form_that_they_are_written_in(
    lab: Any, rows: Any, verdict: str, error: str | None, told: Any
) -> None:
    lab.write("sessions", session("s", verdict, attempts=[attempt(0, verdict, error=error)]))
    found = rows("SELECT tag, field, reason, pattern FROM validation_errors")
    wanted = [
        tuple(got if want is ... else want for got, want in zip(*pair, strict=True))
        for pair in zip(found, told, strict=True)
    ]
    assert found == wanted


def test_a_session_and_its_replay_are_joined_by_their_id(lab: Any, rows: Any) -> None:
    def replay(name: str, ok: bool) -> dict[str, Any]:
        said = {"schema": "replay_run.v1", "run_id": f"r-{name}", "session_id": name, "task": "t", "retrieved": []}
        said |= {"model": "gemma", "provider": "ollama", "response": "", "validation": {"ok": ok, "errors": []}}
        return {**said, "escalated": not ok, "recorded_at": "2026-05-02T11:00:00.000Z", "duration_ms": 1}

    lab.write("sessions", session("1", A), session("2", V, V, V), session("3", A))
    lab.write("replay_runs", replay("1", True), replay("2", True), replay("x", False))
    found = rows("SELECT session_id, session_verdict, replay_ok, agree FROM replay_agreement ORDER BY session_id")
    assert found == [("1", "accepted", True, True), ("2", "max_iter_exhausted", True, False)]


def test_numbers_of_a_long_log_are_exact(lab: Any, rows: Any) -> None:
    lines = [json.dumps(session(f"s{one}", A if one % 3 else V, model=f"m{one % 2}")).encode() for one in range(20_000)]
    lab.write("sessions", *lines)
    assert rows("SELECT model, sessions, first_shot FROM first_shot_rate ORDER BY model") == [
        (f"m{model}", 10_000, sum(one % 3 > 0 for one in range(model, 20_000, 2))) for model in (0, 1)
    ]
    assert rows("SELECT count(*) FROM sessions WHERE session_id <> 's' || (entry - 1)") == [(0,)]
