"""Comparing: a difference is seen and named, and two answers that are equal because both failed are no match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lakehouse.errors import RecordError
from lakehouse.parity.peers import Answer, Golden, NoAnswer, Patient, Reply
from lakehouse.parity.probe import Fixture, Probe, first_difference, shown
from lakehouse.parity.run import Result, compare, count, silent
from tests.lakehouse.parity.conftest import Program, double, doubling


@dataclass(frozen=True)
class Other:
    """A peer that gives one reply to everything."""

    reply: Reply
    name: str = "other"

    def ask(self, probe: Probe, fixture: Fixture) -> Reply:
        return self.reply


def words(results: list[Result]) -> list[str]:
    return [result.verdict for result in results]


def test_equal_answers_match() -> None:
    results = compare(doubling(), [Golden()])
    assert words(results) == ["match"] * 3
    assert count(results) == {"match": 3, "differ": 0, "invalid": 0, "unavailable": 0}


def test_a_planted_difference_is_seen_and_named(program: Program) -> None:
    peer = program('print(json.dumps({"answer": {"double": 2 * number + (number == 2)}}))')
    results = compare(doubling(), [peer])
    assert words(results) == ["match", "differ", "match"]
    assert (results[1].fixture, results[1].reason) == ("number 2", "$.double is 4 in ours, 5 in theirs")
    assert (results[1].ours, results[1].theirs) == ({"double": 4}, {"double": 5})


def test_a_wrong_answer_of_ours_differs_from_the_pinned_one() -> None:
    results = compare(doubling(ours=lambda q: {"double": 3 * q["number"]}), [Golden()])
    assert words(results) == ["differ"] * 3


def test_both_trivial_alike_is_no_match() -> None:
    results = compare(doubling(ours=lambda q: {"double": 0}), [Other(Answer({"double": 0}))])
    assert words(results) == ["invalid"] * 3
    assert results[0].reason == "ours: zero is the double of nothing"


def test_both_of_a_wrong_shape_alike_is_no_match() -> None:
    results = compare(doubling(ours=lambda q: None), [Other(Answer(None))])
    assert {result.reason for result in results} == {"ours: the answer has no number"}
    assert words(results) == ["invalid"] * 3


@pytest.mark.parametrize("error", [RecordError("broken"), ValueError("broken"), ZeroDivisionError("broken")])
def test_both_raising_alike_is_no_match(error: Exception) -> None:
    def fail(question: Any) -> Any:
        raise error

    results = compare(doubling(ours=fail), [Other(NoAnswer("failed", "broken"))])
    assert words(results) == ["invalid"] * 3
    assert "broken" in results[0].reason


def test_a_trivial_answer_of_theirs_is_invalid() -> None:
    results = compare(doubling(), [Other(Answer({"double": 0}))])
    assert [result.reason for result in results] == ["theirs: zero is the double of nothing"] * 3


def test_a_peer_that_fails_is_invalid_and_one_that_is_not_there_unavailable() -> None:
    failing = compare(doubling(), [Other(NoAnswer("failed", "HTTP 500"))])
    absent = compare(doubling(), [Other(NoAnswer("unreachable", "refused"))])
    strange = compare(doubling(), [Other(NoAnswer("unsupported", "never heard of it"))])
    assert [words(found)[0] for found in (failing, absent, strange)] == ["invalid", "unavailable", "unavailable"]
    assert [found[0].reached for found in (failing, absent, strange)] == [True, False, True]
    assert silent(failing + absent) == {"other": "refused"}
    assert silent(strange) == {"other": "never heard of it"}
    assert silent(failing + strange) == {}


@dataclass
class Counting:
    """A peer that gives replies in turn and counts how often it was asked."""

    replies: list[Reply]
    name: str = "counting"
    asked: int = 0

    def ask(self, probe: Probe, fixture: Fixture) -> Reply:
        self.asked += 1
        return self.replies[(self.asked - 1) % len(self.replies)]


def test_a_peer_that_was_not_reached_three_times_in_a_row_is_not_asked_again() -> None:
    gone, other = NoAnswer("unreachable", "no answer within 30 s"), NoAnswer("failed", "odd")
    peer = Counting([gone])
    patient = Patient(peer)
    results = [one for _ in range(3) for one in compare(doubling(), [patient])]
    assert (words(results), peer.asked) == (["unavailable"] * 9, 3)
    assert results[-1].reason == "not asked: 3 times in a row, no answer within 30 s"
    assert silent(results) == {"counting": "no answer within 30 s"}
    peer = Counting([gone, gone, other])
    patient = Patient(peer)
    results = [one for _ in range(3) for one in compare(doubling(), [patient])]
    assert (words(results), peer.asked) == (["unavailable", "unavailable", "invalid"] * 3, 9)


def test_what_may_differ_is_taken_out_before_the_comparison() -> None:
    results = compare(doubling(normalise=lambda answer: answer["double"] % 2), [Other(Answer({"double": 10}))])
    assert words(results) == ["match"] * 3


def test_we_are_asked_once_however_many_peers_there_are() -> None:
    asked = []

    def ours(question: Any) -> Any:
        asked.append(question["number"])
        return double(question)

    compare(doubling(ours=ours), [Golden(), Golden("again")])
    assert asked == [1, 2, 3]


@pytest.mark.parametrize(
    ("ours", "theirs", "place"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "$.a[1].b is 2 in ours, 3 in theirs"),
        ({"a": 1}, {}, "$.a is missing in theirs"),
        ({}, {"a": None}, "$.a is missing in ours"),
        ([1], [1, 2], "$ has 1 items in ours, 2 in theirs"),
        (True, 1, "$ is true in ours, 1 in theirs"),
        ("1", 1, '$ is "1" in ours, 1 in theirs'),
        (None, False, "$ is null in ours, false in theirs"),
        ({}, [], "$ is {} in ours, [] in theirs"),
        ("abc", "abd", '$ differs at character 2: "abc" in ours, "abd" in theirs'),
        ("ab", "abc", '$ differs at character 2: "ab" in ours, "abc" in theirs'),
    ],
)
def test_the_first_difference_has_its_place(ours: Any, theirs: Any, place: str) -> None:
    assert first_difference(ours, theirs) == place
    assert first_difference(theirs, ours) is not None


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ([], []), (None, None)])
def test_equal_json_values_have_no_difference(one: Any, other: Any) -> None:
    assert first_difference(one, other) is None


def test_a_long_value_is_shown_short() -> None:
    assert len(shown("x" * 1000)) == 120
    assert shown({"a": "é"}) == '{"a": "é"}'
