"""The validator of fills: stage by stage, and nobody is sent who is not there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.validators.fill import is_grounded, validate_fill
from lakehouse.validators.roster import Workers, of_rows
from lakehouse.validators.wire import said
from tests.lakehouse.validators.conftest import ROWS, fill

Found = list[tuple[str, str, str]]


def found(payload: Any, roster: Workers) -> Found:
    return [said(error) for error in validate_fill(payload, roster)]


@pytest.mark.parametrize(
    "payload",
    [
        fill("w-1"),
        fill("w-1", "w-2", "w-7"),
        fill({"worker_id": "w-1", "name": " ann  LEE "}, {"worker_id": "w-2", "name": "Jose\u0301 ORTIZ"}),
        fill("w-1", role="welders", city=" flint ", state="mi"),
        fill({"worker_id": "w-1", "name": None, "role": "Welder", "city": "Flint", "state": "MI"}),
        fill({"worker_id": "w-1", "reason": "", "score": 0}, {"worker_id": "w-2", "score": 0.5}),
        fill("w-3", role="picker"),
    ],
)
def test_a_fill_that_is_right_has_no_errors(payload: Any, roster: Workers) -> None:
    assert found(payload, roster) == []


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in fill("w-1").items() if key != name}


@pytest.mark.parametrize(
    ("payload", "field", "reason"),
    [
        *((without(name), name, "is missing") for name in fill()),
        (fill("w-1", role=None), "role", "must be a text"),
        (fill("w-1", role=7), "role", "must be a text"),
        (fill("w-1", city=""), "city", "is empty"),
        (fill("w-1", city=" \u00a0"), "city", "is empty"),
        (fill("w-1", contract_id="\u200b"), "contract_id", "is empty"),
        (fill("w-1", start="\0"), "start", "is empty"),
        (fill("w-1", start="x" * 201), "start", "is longer than 200 characters"),
        (fill("w-1", contract_id="c\n1"), "contract_id", "must be one line without control characters"),
        (fill("w-1", count="1"), "count", "must be a whole number"),
        (fill("w-1", count=True), "count", "must be a whole number"),
        (fill("w-1", count=1.0), "count", "must be a whole number"),
        (fill(count=0), "count", "must be 1 or more"),
        (fill("w-1", count=-1), "count", "must be 1 or more"),
        (fill("w-1", fills={"worker_id": "w-1"}), "fills", "must be a list"),
        (fill("w-1", priority="high"), "priority", "is no field of a fill"),
        (fill({}), "fills[0].worker_id", "is missing"),
        (fill({"worker_id": None}), "fills[0].worker_id", "must be a text"),
        (fill({"worker_id": 1}), "fills[0].worker_id", "must be a text"),
        (fill({"worker_id": ["w-1"]}), "fills[0].worker_id", "must be a text"),
        (fill({"worker_id": ""}), "fills[0].worker_id", "is empty"),
        (fill("w-1", {"worker_id": "w-2", "name": 3}), "fills[1].name", "must be a text"),
        (fill({"worker_id": "w-1", "score": "high"}), "fills[0].score", "must be a number"),
        (fill({"worker_id": "w-1", "score": True}), "fills[0].score", "must be a number"),
        (fill({"worker_id": "w-1", "id": "w-1"}), "fills[0].id", "is no field of an entry of fills"),
        (fill("w-1", fills=["w-1"]), "fills[0]", "must be an object"),
        (fill("w-1", fills=[None]), "fills[0]", "must be an object"),
        ("w-1", "payload", "must be an object"),
        (None, "payload", "must be an object"),
        ([fill("w-1")], "payload", "must be an object"),
    ],
)
def test_a_field_that_is_missing_unknown_or_of_another_type(
    payload: Any, field: str, reason: str, roster: Workers
) -> None:
    assert ("Schema", field, reason) in found(payload, roster)
    assert {tag for tag, _, _ in found(payload, roster)} == {"Schema"}


def test_the_name_of_an_unknown_field_is_cut_masked_and_can_be_written(roster: Workers) -> None:
    payload = fill("w-1", **{"x" * 500: 1, "ssn 123-45-6789": 1, "\ud800\n": 1})
    long, secret, odd = (field for _, field, _ in found(payload, roster))
    assert long == "x" * 79 + "…"
    assert secret == "ssn [pii_ssn]"
    assert odd == "? "


@pytest.mark.parametrize(("ids", "count"), [(["w-1"], 2), (["w-1", "w-2"], 1), ([], 1)])
def test_as_many_fills_as_were_asked_for(ids: list[str], count: int, roster: Workers) -> None:
    reason = f"the number of fills is {len(ids)}, {count} were asked for"
    assert found(fill(*ids, count=count), roster) == [("Completeness", "", reason)]


# Each looks like w-1 to somebody, and is not it.
LOOK_ALIKES = [
    "w-99",
    "W-1",
    "w-01",
    "w-1 ",
    " w-1",
    "w-1\u200b",
    "w\u20111",
    "w\u22121",
    "w-\uff11",
    "\uff57-1",
    "\u0461-1",
    "w-\u0661",
    "w1",
    "w_1",
    "1",
    "w-1;w-2",
    "w-1' OR '1'='1",
    "*",
    "null",
    "../w-1",
]


@pytest.mark.parametrize("worker_id", LOOK_ALIKES)
def test_an_id_that_the_roster_does_not_hold_as_written_is_rejected(worker_id: str, roster: Workers) -> None:
    for payload in (fill(worker_id), fill("w-1", worker_id), fill({"worker_id": worker_id, "name": "Ann Lee"})):
        errors = found(payload, roster)
        assert [tag for tag, _, _ in errors] == ["Consistency"]
        assert errors[0][2].endswith(": the roster has no such worker")
        assert not is_grounded(payload, roster)


@given(worker_id=st.text(min_size=1) | st.from_regex(r"w-[0-9]{1,3}", fullmatch=True))
def test_only_ids_of_the_roster_ever_pass(worker_id: str) -> None:
    roster = of_rows(ROWS)
    assert bool(validate_fill(fill(worker_id), roster)) == (worker_id not in {"w-1", "w-2", "w-7"})


@pytest.mark.parametrize(
    ("worker_id", "said_of"), [("w-99", "fills[0] (w-99)"), ("W-1", "fills[0] (W-1)"), ("a b", "fills[0]")]
)
def test_an_error_repeats_an_id_only_where_it_looks_like_one(worker_id: str, said_of: str, roster: Workers) -> None:
    assert found(fill(worker_id), roster)[0][2] == f"{said_of}: the roster has no such worker"


def test_without_a_roster_nobody_is_there_and_the_error_says_so() -> None:
    assert found(fill("w-1"), of_rows([])) == [
        ("Consistency", "", "fills[0] (w-1): the roster has no such worker, for there is no roster")
    ]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (fill("w-1", "w-1"), "fills[1] (w-1): is in fills[0] already"),
        (fill("w-3"), "fills[0] (w-3): the role in the roster is Picker, another was asked for"),
        (fill("w-1", role="-"), "fills[0] (w-1): the role in the roster is Welder, another was asked for"),
        (fill("w-1", role="W\u0435lder"), "fills[0] (w-1): the role in the roster is Welder, another was asked for"),
        (fill("w-1", role="Lead Welder"), "fills[0] (w-1): the role in the roster is Welder, another was asked for"),
        (fill("w-4"), "fills[0] (w-4): the place in the roster is Toledo, OH, another was asked for"),
        (fill("w-1", state="OH"), "fills[0] (w-1): the place in the roster is Flint, MI, another was asked for"),
        (fill({"worker_id": "w-1", "name": "Ann Leigh"}), "fills[0] (w-1): the name is not the one in the roster"),
        (fill({"worker_id": "w-1", "name": "José Ortiz"}), "fills[0] (w-1): the name is not the one in the roster"),
        (fill({"worker_id": "w-1", "role": "Picker"}), "fills[0] (w-1): the role is not the one in the roster"),
        (fill({"worker_id": "w-1", "city": "Toledo"}), "fills[0] (w-1): the city is not the one in the roster"),
        (fill({"worker_id": "w-1", "state": "OH"}), "fills[0] (w-1): the state is not the one in the roster"),
    ],
)
def test_what_does_not_agree_with_the_roster(payload: Any, reason: str, roster: Workers) -> None:
    assert found(payload, roster) == [("Consistency", "", reason)]


def test_what_the_roster_does_not_say_fits_nothing(roster: Workers) -> None:
    assert [reason for _, _, reason in found(fill("f-8"), roster)] == [
        "fills[0] (f-8): the roster names no role",
        "fills[0] (f-8): the roster names no city and state",
    ]


def test_all_errors_of_a_stage_are_given(roster: Workers) -> None:
    reasons = [reason for _, _, reason in found(fill("w-99", "w-1", "w-1", "w-3", "w-4"), roster)]
    assert [reason.partition(":")[0] for reason in reasons] == [
        "fills[0] (w-99)",
        "fills[2] (w-1)",
        "fills[3] (w-3)",
        "fills[4] (w-4)",
    ]


@pytest.mark.parametrize(
    ("ids", "exclude", "reasons"),
    [
        (["w-5"], [], ["fills[0] (w-5): is blacklisted"]),
        (["w-6"], [], ["fills[0] (w-6): is not available"]),
        (["w-1", "w-2"], ["w-2"], ["fills[1] (w-2): is excluded"]),
        (["w-5"], ["w-5"], ["fills[0] (w-5): is blacklisted", "fills[0] (w-5): is excluded"]),
        (["w-7"], ["w-1", "w-99", "W-7"], []),
    ],
)
def test_who_may_not_be_sent(ids: list[str], exclude: list[str], reasons: list[str], roster: Workers) -> None:
    assert found(fill(*ids), roster.excluding(exclude)) == [("Policy", "", reason) for reason in reasons]


@pytest.mark.parametrize("number", ["123-45-6789", "SSN 123456789", "SSN: 123 - 45 - 6789", "123-\u200b45-6789"])
def test_no_text_of_a_fill_holds_a_social_security_number(number: str, roster: Workers) -> None:
    one = {"worker_id": "w-1", "reason": f"has a card, {number}"}
    mine = fill("w-5", one, contract_id=f"c-1 {number}", start=f"Monday ({number})")
    assert found(mine, roster) == [
        ("Policy", "", reason)
        for reason in (
            "the contract_id holds a social security number",
            "the start holds a social security number",
            "fills[0] (w-5): is blacklisted",
            "fills[1] (w-1): the reason holds a social security number",
        )
    ]


def test_nor_does_one_leave_because_the_roster_has_it() -> None:
    worker = {name: f"{name} 123-45-6789" for name in ("name", "role", "city", "state")}
    asked = {name: worker[name] for name in ("role", "city", "state")}
    roster = of_rows([{"id": "w-1", **worker}])
    assert [reason for _, _, reason in found(fill({"worker_id": "w-1", **worker}, **asked), roster)] == [
        *(f"the {name} holds a social security number" for name in asked),
        *(f"fills[0] (w-1): the {name} holds a social security number" for name in worker),
    ]


@pytest.mark.parametrize(
    "text", ["call 312-555-0143", "ZIP 60601-1234", "EIN 12-3456789", "2026-05-11", "PO-123-45-6789", "123456789"]
)
def test_other_numbers_may_stand_in_a_fill(text: str, roster: Workers) -> None:
    assert found(fill({"worker_id": "w-1", "reason": text}, contract_id=text, start=text), roster) == []


@pytest.mark.parametrize(
    ("payload", "tag"),
    [
        (fill("w-99", "w-5", count=3, role=1), "Schema"),
        (fill("w-99", "w-5", count=3), "Completeness"),
        (fill("w-99", "w-5"), "Consistency"),
        (fill("w-5"), "Policy"),
    ],
)
def test_a_later_stage_looks_only_where_the_earlier_found_nothing(payload: Any, tag: str, roster: Workers) -> None:
    assert {one for one, _, _ in found(payload, roster)} == {tag}


@pytest.mark.parametrize(
    ("payload", "grounded"),
    [
        (fill("w-1", "w-5"), True),
        (fill("w-1", "w-99"), False),
        (fill(), False),
        ({"fills": [{"worker_id": "w-1"}]}, True),
        ({"fills": [{"worker_id": 1}]}, False),
        ({"fills": ["w-1"]}, False),
        ({"fills": {"worker_id": "w-1"}}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_fill_is_grounded_where_each_of_its_workers_is_in_the_roster(
    payload: Any, grounded: bool, roster: Workers
) -> None:
    assert is_grounded(payload, roster) == grounded


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"role": " "}, "the roster names no role"),
        ({"city": "\u00a0"}, "the roster names no city and state"),
        ({"state": "\t"}, "the roster names no city and state"),
    ],
)
def test_what_is_blank_in_the_roster_is_not_named(row: dict[str, str], fault: str) -> None:
    roster = of_rows([ROWS[0] | row])
    assert found(fill("w-1"), roster) == [("Consistency", "", f"fills[0] (w-1): {fault}")]
