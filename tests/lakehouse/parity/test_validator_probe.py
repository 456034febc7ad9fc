"""The probe `validator`: what counts as an answer, what its fixtures hold, and how a server is asked."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lakehouse.parity.peers import Golden
from lakehouse.parity.probes.validator import VALIDATOR
from lakehouse.parity.run import compare
from lakehouse.validators.wire import read_error, said

BY_NAME = {fixture.name: fixture for fixture in VALIDATOR.fixtures}
POLICY = {"Policy": {"reason": "no"}}


def test_our_answers_are_the_pinned_ones() -> None:
    assert [(one.verdict, one.reason) for one in compare(VALIDATOR, [Golden()])] == [("match", "")] * 6


@pytest.mark.parametrize(
    ("name", "status", "tags"),
    [
        ("valid fill", 200, set()),
        ("schema", 200, {"Schema"}),
        ("completeness", 200, {"Completeness"}),
        ("consistency", 200, {"Consistency"}),
        ("policy", 200, {"Policy"}),
        ("unknown kind", 400, {"Schema"}),
    ],
)
def test_each_fixture_shows_one_kind_of_error(name: str, status: int, tags: set[str]) -> None:
    expected = BY_NAME[name].expected
    assert expected["status"] == status
    assert {said(read_error(error))[0] for error in expected["body"]["errors"]} == tags
    assert len(BY_NAME) == 6


def answer(*errors: Any, status: Any = 200, ok: Any = False) -> Any:
    return {"status": status, "body": {"ok": ok, "errors": list(errors)}}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("policy", None),
        ("policy", {"status": 200}),
        ("policy", {"body": {"ok": False, "errors": [POLICY]}}),
        ("policy", answer(POLICY, status="200")),
        ("policy", answer(POLICY, status=True)),
        ("policy", answer(POLICY, status=422)),
        ("policy", answer(POLICY, status=500)),
        ("policy", answer(POLICY, ok="no")),
        ("policy", {"status": 200, "body": {"ok": False, "errors": POLICY}}),
        ("policy", answer()),
        ("policy", answer(POLICY, ok=True)),
        ("policy", answer(ok=True)),
        ("policy", answer("no")),
        ("policy", answer({})),
        ("policy", answer({"Kind": "policy", "Field": "", "Reason": "no"})),
        ("policy", answer({"Policy": {}})),
        ("policy", answer({"Legal": {"reason": "no"}})),
        ("valid fill", answer(POLICY)),
    ],
)
def test_an_answer_of_the_wrong_shape_or_a_trivial_one_does_not_count(name: str, given: Any) -> None:
    assert VALIDATOR.fault(BY_NAME[name], given)


def test_an_answer_of_the_right_shape_counts_and_other_words_differ() -> None:
    fixture = BY_NAME["policy"]
    assert VALIDATOR.fault(fixture, answer(POLICY)) is None
    assert VALIDATOR.difference(fixture.expected, answer(POLICY)) is not None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"exclude_ids": "w-1"}, "the ids to exclude are no list of texts: they are given as str"),
        ({"exclude_ids": None}, "the ids to exclude are no list of texts: they are given as NoneType"),
        ({"exclude_ids": [1]}, "the ids to exclude are no list of texts: one of them is int"),
        ({"roster": {}}, "this is no list of workers"),
        ({"roster": [{"id": "w 1"}]}, "the id is no id"),
    ],
)
def test_a_question_that_is_none_is_refused_and_its_fixture_invalid(change: dict[str, Any], why: str) -> None:
    good, other = VALIDATOR.fixtures[:2]
    bad = dataclasses.replace(other, input={**other.input, **change})
    results = compare(dataclasses.replace(VALIDATOR, fixtures=(good, bad)), [Golden()])
    assert [(one.verdict, one.reason) for one in results] == [("match", ""), ("invalid", f"ours: {why}")]


def test_a_server_is_asked_with_the_question_as_it_stands_and_its_body_is_the_answer() -> None:
    (adapter,) = VALIDATOR.http
    fixture = BY_NAME["policy"]
    assert adapter.path == "/v1/validate"
    assert adapter.request(fixture.input) == fixture.input
    assert adapter.answer(fixture.expected["body"]) == fixture.expected
