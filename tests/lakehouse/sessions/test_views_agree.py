"""The page and the views over the same log count the same."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from lakehouse.gates.sessions import accepted_fills_grounded
from lakehouse.lake import Lake
from lakehouse.roster.generate import write_rosters
from lakehouse.sample.sessions import write_sample_sessions
from lakehouse.sessions import SessionLog, sessions
from lakehouse.sessions.counts import SessionCounts, count
from lakehouse.views.asking import ask
from tests.lakehouse.sessions.conftest import session

NOW = "2026-05-10T12:00:00.000Z"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    root: Path = tmp_path_factory.mktemp("views")
    write_rosters(root, 7)
    write_sample_sessions(root, 7, date(2026, 5, 1), 4)
    made = Lake(root)
    SessionLog(made.sessions).append(session(session_id="planted", grounded_in_roster=False))
    return made


@pytest.fixture(scope="module")
def counts(lake: Lake) -> SessionCounts:
    return count(sessions(lake.sessions, pytest.fail))


def test_the_first_shot_rate_is_one_number(lake: Lake, counts: SessionCounts) -> None:
    found = ask(lake, "SELECT provider, model, sessions, first_shot, infra_errors FROM first_shot_rate ORDER BY ALL")
    assert [tuple(row) for row in found.rows] == [
        (one.provider, one.model, one.judged, one.first_shot, one.infra_errors) for one in counts.first_shots
    ]


def test_rejected_three_times_running_are_the_same_sessions(lake: Lake, counts: SessionCounts) -> None:
    found = ask(lake, "SELECT session_id, rejected_running FROM rejected_three_times_running ORDER BY ALL")
    assert [tuple(row) for row in found.rows] == sorted((one.session_id, one.running) for one in counts.rejected)


def test_the_alarm_is_the_gate(lake: Lake) -> None:
    found = ask(lake, "SELECT session_id FROM accepted_not_grounded")
    offenders = accepted_fills_grounded(lake, NOW).offenders
    assert [row[0] for row in found.rows] == ["planted"]
    assert ["planted" in one["why"] for one in offenders] == [True]
