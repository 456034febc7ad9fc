"""What is counted of sessions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.records import SessionRecord
from lakehouse.sessions import Session
from lakehouse.sessions.counts import MOST_REJECTED, SessionCounts, count, is_first_shot, rejected_running
from lakehouse.timestamps import read
from tests.lakehouse.sessions.conftest import session

BAD, PROSE, GOOD, OUT = "validation_failed", "no_json", "accepted", "infra_error"


def counted(*records: SessionRecord) -> SessionCounts:
    return count(Session(line, record, read(record.timestamp)) for line, record in enumerate(records, start=1))


def test_the_first_shot_rate_leaves_what_failed_outside_out_of_its_denominator() -> None:
    found = counted(session(), session(), session(BAD, GOOD), session(BAD, BAD, PROSE), session(OUT), session(BAD, OUT))
    (one,) = found.first_shots
    assert (one.sessions, one.infra_errors, one.judged, one.accepted, one.first_shot, one.rate) == (6, 2, 4, 3, 2, 0.5)


def test_a_model_that_was_never_judged_has_no_rate() -> None:
    assert counted(session(OUT)).first_shots[0].rate is None


def test_one_model_of_two_providers_is_two() -> None:
    found = counted(session(), session(provider="ollama_cloud"), session(model="b"))
    assert [(one.provider, one.model) for one in found.first_shots] == [
        ("ollama", "b"),
        ("ollama", "qwen2.5:latest"),
        ("ollama_cloud", "qwen2.5:latest"),
    ]


@pytest.mark.parametrize(
    ("attempts", "running"),
    [
        ([GOOD], 0),
        ([BAD, GOOD], 1),
        ([BAD, BAD, BAD], 3),
        ([BAD, BAD, BAD, GOOD], 3),
        ([BAD, PROSE, BAD, GOOD], 3),
        ([PROSE, PROSE, PROSE], 3),
        ([PROSE, BAD, BAD, BAD, BAD], 5),
        ([BAD, BAD, OUT], 2),
        ([BAD, BAD, OUT, BAD], 2),
    ],
)
def test_rejections_count_while_nothing_comes_between_them(attempts: list[str], running: int) -> None:
    record = session(*attempts)
    assert rejected_running(record) == running
    assert bool(counted(record).rejected) == (running >= 3)


def test_a_session_rejected_three_times_is_listed_with_the_last_error() -> None:
    (one,) = counted(session(), session(BAD, BAD, BAD, GOOD, session_id="x")).rejected
    assert (one.line, one.session_id, one.running, one.verdict, one.error) == (2, "x", 3, "accepted", "wrong 2")


def test_of_many_rejected_ones_the_newest_are_kept_and_all_are_counted() -> None:
    found = counted(*(session(BAD, BAD, BAD, session_id=f"s{number}") for number in range(MOST_REJECTED + 5)))
    assert (found.rejected_in_all, len(found.rejected)) == (MOST_REJECTED + 5, MOST_REJECTED)
    assert [one.session_id for one in found.rejected[:2]] == [f"s{MOST_REJECTED + 4}", f"s{MOST_REJECTED + 3}"]


def test_verdicts_are_counted_by_day_kind_and_model() -> None:
    found = counted(
        session(),
        session(OUT),
        session(kind="sms"),
        session(PROSE),
        session(timestamp="2026-05-01T23:59:59Z"),
        session(timestamp="2026-05-02T00:30:00+01:00"),
    )
    assert [(x.day, x.kind, x.accepted, x.max_iter_exhausted, x.infra_error) for x in found.by_day] == [
        ("2026-05-01", "fill", 2, 0, 0),
        ("2026-05-02", "fill", 1, 1, 1),
        ("2026-05-02", "sms", 1, 0, 0),
    ]
    assert found.verdicts == {"accepted": 4, "max_iter_exhausted": 1, "infra_error": 1}


def test_without_sessions_all_is_zero() -> None:
    found = counted()
    assert (found.sessions, found.first_shots, found.by_day, found.rejected) == (0, [], [], [])


RECORD = st.builds(
    lambda attempts, kind, model, day: session(
        *attempts, kind=kind, model=model, timestamp=f"2026-05-0{day}T10:00:00Z"
    ),
    st.sampled_from([[GOOD], [BAD, GOOD], [BAD] * 3, [PROSE] * 2, [OUT], [BAD, OUT]]),
    st.sampled_from(["fill", "sms"]),
    st.sampled_from(["a", "b"]),
    st.integers(1, 3),
)


@given(st.lists(RECORD, max_size=30))
def test_the_counts_add_up(records: list[SessionRecord]) -> None:
    found = counted(*records)
    assert found.sessions == len(records) == sum(found.verdicts.values()) == sum(found.daemons.values())
    assert sum(one.sessions for one in found.first_shots) == len(records)
    assert sum(x.accepted + x.max_iter_exhausted + x.infra_error for x in found.by_day) == len(records)
    assert sum(one.first_shot for one in found.first_shots) == sum(map(is_first_shot, records))
    assert all(one.first_shot <= one.accepted <= one.judged for one in found.first_shots)
