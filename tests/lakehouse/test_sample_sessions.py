"""The sessions of a sample lake: the same bytes from the same seed, of the courses that were dealt, grounded all."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from lakehouse.errors import UsageError
from lakehouse.gates.sessions import SESSION_GATES, accepted_fills_grounded
from lakehouse.lake import Lake
from lakehouse.roster.generate import write_rosters
from lakehouse.sample.draw import Draw
from lakehouse.sample.proposals import KINDS, tasks
from lakehouse.sample.sessions import DECK, roster_rows, write_sample_sessions
from lakehouse.sessions import Session, sessions
from lakehouse.sessions.counts import count
from lakehouse.validators.kinds import validate
from lakehouse.validators.roster import workers_of

FIRST = date(2026, 5, 1)
NOW = "2026-05-10T12:00:00.000Z"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    root = tmp_path_factory.mktemp("sample")
    write_rosters(root, 7)
    assert write_sample_sessions(root, 7, FIRST, 4) == 60
    return Lake(root)


@pytest.fixture(scope="module")
def found(lake: Lake) -> list[Session]:
    return list(sessions(lake.sessions, pytest.fail))


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(lake: Lake, tmp_path: Path) -> None:
    made = []
    for name, seed in (("same", 7), ("other", 8)):
        write_rosters(tmp_path / name, 7)
        write_sample_sessions(tmp_path / name, seed, FIRST, 4)
        made.append(Lake(tmp_path / name).sessions.read_bytes())
    assert made[0] == lake.sessions.read_bytes() != made[1]


def test_they_lie_in_order_on_every_day(found: list[Session]) -> None:
    moments = [one.moment.micros for one in found]
    assert moments == sorted(moments)
    assert Counter(one.moment.day for one in found) == {f"2026-05-0{day}": 15 for day in (1, 2, 3, 4)}


def test_every_session_ends_as_it_was_dealt(found: list[Session]) -> None:
    """What a task calls wrong is found to be wrong by the validators, and what it calls right is not."""
    signs = {"accepted": "+", "validation_failed": "-", "no_json": ".", "infra_error": "!"}
    played = Counter("".join(signs[attempt.verdict] for attempt in one.record.attempts) for one in found)
    assert played == Counter(course for _, course in DECK)


def test_models_differ_in_their_first_shots(found: list[Session]) -> None:
    rates = {one.model: one.rate for one in count(found).first_shots}
    assert rates == {
        "qwen3-coder:480b": pytest.approx(15 / 18),
        "qwen2.5:latest": pytest.approx(12 / 18),
        "llama3.2:3b": pytest.approx(6 / 18),
    }


def test_some_are_rejected_three_times_running_and_some_fail_outside(found: list[Session]) -> None:
    counts = count(found)
    assert counts.rejected_in_all == 10
    assert counts.verdicts["infra_error"] == 6


def test_two_daemons_write_and_one_of_them_says_more(lake: Lake, found: list[Session]) -> None:
    assert {one.record.daemon for one in found} == {"gateway", "lakehouse"}
    for line in map(json.loads, lake.sessions.read_bytes().splitlines()):
        assert ("runtime" in line) == (line["daemon"] == "gateway")


def test_the_gates_are_green_and_had_something_to_look_at(lake: Lake) -> None:
    for gate in SESSION_GATES:
        assert gate.look(lake, NOW).passed, gate.name
    assert accepted_fills_grounded(lake, NOW).rows_checked > 20


def test_accepted_artifacts_are_valid_against_the_rosters_of_the_lake(lake: Lake, found: list[Session]) -> None:
    roster = workers_of(lake)
    accepted = [one.record for one in found if one.record.verdict == "accepted"]
    assert {record.kind for record in accepted} == set(KINDS)
    assert [validate(record.kind, record.artifact, roster) for record in accepted] == [[]] * len(accepted)


@pytest.mark.parametrize("kind", KINDS)
def test_every_wrong_answer_to_a_task_is_wrong(lake: Lake, kind: str) -> None:
    roster = workers_of(lake)
    for task in tasks(kind, roster_rows(lake), Draw("9"), 12):
        assert validate(kind, task.right, roster) == []
        assert all(validate(kind, payload, roster) for payload in task.wrong)


def test_without_a_roster_or_with_a_log_it_refuses(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no roster"):
        write_sample_sessions(tmp_path, 7, FIRST, 4)
    with pytest.raises(UsageError, match="a log already"):
        write_sample_sessions(lake.root, 7, FIRST, 4)


def test_ids_are_their_own(found: list[Session]) -> None:
    assert len({one.record.session_id for one in found}) == 60
