"""The validator of emails: to the worker's own address, finished, and about nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lakehouse.validators.email import validate_email
from lakehouse.validators.roster import Workers, of_rows
from lakehouse.validators.text import placeholder
from lakehouse.validators.wire import said
from tests.lakehouse.validators.conftest import email


def found(payload: Any, roster: Workers) -> list[tuple[str, str, str]]:
    return [said(error) for error in validate_email(payload, roster)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"worker_id": None},
        {"to": "ANN.Lee@Staff.Example"},
        {"to": "jose.ortiz@staff.example", "worker_id": "w-2"},
        {"subject": "x"},
        {"subject": "x" * 200},
        {"subject": "[URGENT] Shift in Flint, MI 48502-1234"},
        {"body": "Your number with us is 810-555-0151 and your email ann.lee@staff.example."},
        {"body": "Write to dispatch@agency.example or call 312-555-0143."},
        {"body": "See [the map](https://x.example/map), [1] and - [ ] the list."},
        {"body": "Order 123456789, EIN 12-3456789, start 2026-05-11."},
    ],
)
def test_an_email_that_is_right_has_no_errors(changes: dict[str, Any], roster: Workers) -> None:
    assert found(email(**changes), roster) == []


@pytest.mark.parametrize(
    ("payload", "field", "reason"),
    [
        *(
            ({key: value for key, value in email().items() if key != name}, name, "is missing")
            for name in ("to", "subject", "body")
        ),
        *(
            (email(to=to), "to", "is no email address")
            for to in (
                "ann",
                "ann@",
                "@staff.example",
                "ann@staff",
                "ann lee@staff.example",
                "ann@staff.example, mai@staff.example",
                "Ann <ann@staff.example>",
                "ann@staff.test",
                "ann@localhost",
                "ann@[127.0.0.1]",
                "ann@staff..example",
                " ann.lee@staff.example",
                "ann.lee@staff.example\n",
                "\ud800@staff.example",
                "a" * 250 + "@staff.example",
                "ann@st\u00e4ff\u0000.example",
            )
        ),
        *((email(to=to), "to", "is empty") for to in ("", " ", "\u00a0", "\u200b", "\0")),
        (email(to=["ann.lee@staff.example"]), "to", "must be a text"),
        (email(subject=1), "subject", "must be a text"),
        (email(subject="Hi\r\nBcc: all@staff.example"), "subject", "must be one line without control characters"),
        (email(body=None), "body", "must be a text"),
        (email(worker_id=1), "worker_id", "must be a text"),
        (email(cc="mai@staff.example"), "cc", "is no field of an email"),
        ("Hi", "payload", "must be an object"),
    ],
)
def test_a_field_that_is_missing_unknown_or_of_another_form(
    payload: Any, field: str, reason: str, roster: Workers
) -> None:
    assert found(payload, roster) == [("Schema", field, reason)]


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"subject": ""}, ["the subject is empty"]),
        ({"subject": " \u00a0"}, ["the subject is empty"]),
        ({"subject": "x" * 201}, ["the subject has 201 characters, 200 at most"]),
        ({"body": "\n\n"}, ["the body is empty"]),
        ({"body": "\u200b"}, ["the body is empty"]),
        ({"body": "\0"}, ["the body is empty"]),
        ({"subject": "\u2060", "body": " \ufeff\n\u00ad"}, ["the subject is empty", "the body is empty"]),
        ({"body": "Hi ___"}, ["the body holds a placeholder that was not filled in"]),
        ({"subject": "", "body": ""}, ["the subject is empty", "the body is empty"]),
        ({"body": "Hi [NAME],"}, ["the body holds a placeholder that was not filled in"]),
        ({"subject": "Shift on {{date}}"}, ["the subject holds a placeholder that was not filled in"]),
        (
            {"subject": "x" * 196 + "[NAME]", "body": " "},
            [
                "the body is empty",
                "the subject has 202 characters, 200 at most",
                "the subject holds a placeholder that was not filled in",
            ],
        ),
        (
            {"subject": "[NAME]", "body": "{{date}}"},
            [
                "the subject holds a placeholder that was not filled in",
                "the body holds a placeholder that was not filled in",
            ],
        ),
    ],
)
def test_what_is_empty_too_long_or_unfinished(changes: dict[str, Any], reasons: list[str], roster: Workers) -> None:
    assert found(email(**changes), roster) == [("Completeness", "", reason) for reason in reasons]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"worker_id": "w-99"}, "worker_id (w-99): the roster has no such worker"),
        ({"worker_id": "w-1 "}, "worker_id: the roster has no such worker"),
        ({"worker_id": "w-2"}, "to: is not the email of w-2"),
        ({"worker_id": "w-3"}, "to: the roster has no email of w-3"),
        ({"to": "ann.lee2@staff.example"}, "to: is not the email of w-1"),
        ({"to": "\uff41nn.lee@staff.example"}, "to: is not the email of w-1"),
        ({"to": "\uff41nn.lee@staff.example", "worker_id": None}, "to: no worker of the roster has this email"),
        ({"to": "nobody@staff.example", "worker_id": None}, "to: no worker of the roster has this email"),
    ],
)
def test_the_address_is_the_workers_own(changes: dict[str, Any], reason: str, roster: Workers) -> None:
    assert found(email(**changes), roster) == [("Consistency", "", reason)]


def test_without_a_roster_an_address_is_nobodys() -> None:
    assert found(email(), of_rows([]))[0][2].endswith("for there is no roster")
    assert found(email(worker_id=None), of_rows([]))[0][2].endswith("for there is no roster")


ALL = "jose.ortiz@staff.example, 313-555-0152, 123-45-6789"


def test_policy_gives_all_its_errors_by_rule_the_subject_first(roster: Workers) -> None:
    assert [reason for _, _, reason in found(email(subject=ALL, body=ALL), roster)] == [
        f"the {part} holds {what}"
        for what in (
            "a social security number",
            "the email of another worker",
            "the phone number of another worker",
        )
        for part in ("subject", "body")
    ]


OTHERS = [
    ("email", "write to jose.ortiz@staff.example"),
    ("email", "JOSE.ORTIZ@STAFF.EXAMPLE"),
    ("email", "(jose.ortiz@staff.example)."),
    ("email", "mailto:jose.ortiz@staff.example?subject=x"),
    ("email", "**jose.ortiz@staff.example**"),
    ("email", "_jose.ortiz@staff.example_"),
    ("email", "\uff4aose.ortiz@staff.example"),
    ("email", "ann.lee@staff.example,jose.ortiz@staff.example"),
    ("phone number", "call 313-555-0152"),
    ("phone number", "(313) 555-0152"),
    ("phone number", "+1 313 555 0152"),
    ("phone number", "1-313-555-0152"),
    ("phone number", "313.555.0152"),
    ("phone number", "3135550152"),
    ("phone number", "tel:+13135550152"),
    ("phone number", "001 313 555 0152"),
    ("phone number", "313\u2011555\u20110152"),
    ("phone number", "\uff13\uff11\uff13 555 0152"),
    ("phone number", "313-555-0152 x12"),
    ("phone number", "810-555-0151 / 313-555-0152"),
    ("phone number", "at 6 313 555 0152"),
    ("phone number", "3 1 3 5 5 5 0 1 5 2"),
    ("phone number", "313_555_0152"),
    ("phone number", "313 - 555 - 0152"),
    ("phone number", "313 \u2003 555/ 0152"),
    ("phone number", "*313*, 555:0152"),
    ("email", "ok?jose.ortiz@staff.example!"),
    ("email", "write to...jose.ortiz@staff.example..."),
    ("email", "jose.ortiz@staff.example.Then rest."),
    ("email", "'jose.ortiz@staff.example'"),
    ("email", "d'jose.ortiz@staff.example-"),
    ("email", "\u00b9jose.ortiz@staff.example\u00b2"),
    ("phone number", "\u00b9313-555-0152\u00b2"),
    ("email", "jose\u00ad.ortiz@\u200bstaff.example"),
    ("phone number", "31\u200b3-555\u2060-0152"),
]


@pytest.mark.parametrize(("what", "text"), OTHERS)
@pytest.mark.parametrize("part", ["subject", "body"])
def test_nothing_private_of_another_worker_leaves(what: str, text: str, part: str, roster: Workers) -> None:
    errors = found(email(**{part: text}), roster)
    assert errors == [("Policy", "", f"the {part} holds the {what} of another worker")]


@pytest.mark.parametrize(
    "text",
    [
        "313-555-0153",
        "ortiz@staff.example",
        "xjose.ortiz@staff.example",
        "mary.jose.ortiz@staff.example",
        "mary+jose.ortiz@staff.example",
        "no-jose.ortiz@staff.example",
        "jose.ortiz@staff.examples",
        "13-555-0152",
        "9313-555-0152",
        "3135550152999",
        "313 555 x 0152",
    ],
)
def test_what_is_nearly_anothers_is_nobodys(text: str, roster: Workers) -> None:
    assert found(email(body=text), roster) == []


ODD = [
    "o'hara@staff.example",
    "x+y@staff.example",
    "#1!$%&*/=?^_`{|}~-@staff.example",
    '"ann, or [bo]"@staff.example',
    '"a@b"@staff.example',
    "-.-@staff.example",
    "jörg@staff.example",
    "用户@例子.example",
    "ΣΑΣ@straße.example",
    "a" * 64 + "@" + "b" * 60 + ".example",
]


@pytest.mark.parametrize("address", ODD)
@pytest.mark.parametrize("around", ["{}", "to {}.", "'{}'", '"{}"', "<{}>,", "mailto:{}?x", "**{}**", "…{}…", "({})"])
def test_an_address_is_found_whatever_signs_are_in_it_and_around_it(address: str, around: str) -> None:
    roster = of_rows([{"id": "w-1", "email": "ann.lee@staff.example"}, {"id": "w-2", "email": f" {address} "}])
    for written in (address, address.upper()):
        errors = found(email(body=around.format(written)), roster)
        assert errors == [("Policy", "", "the body holds the email of another worker")]


SIGNS = "abyz019.!#$%&'*+/=?^_`{|}~-éøж"


@given(
    local=st.text(SIGNS, min_size=1, max_size=12),
    before=st.text(" \t\n<>()[]{},;:\"'*_/=|~`!?…„«", max_size=4),
    after=st.text(" \t\n<>()[]{},;:\"'*_/=|~`!?….-", max_size=4),
)
def test_no_sign_around_an_address_hides_it(local: str, before: str, after: str) -> None:
    roster = of_rows(
        [{"id": "w-1", "email": "ann.lee@staff.example"}, {"id": "w-2", "email": f"{local}@staff.example"}]
    )
    body = f"mail {before}{local}@staff.example{after}"
    assume(placeholder(body) is None)  # `{_}` and `___` are something else, and come first.
    errors = found(email(body=body), roster)
    assert errors == [("Policy", "", "the body holds the email of another worker")]


@given(
    cuts=st.sets(st.integers(1, 9)),
    between=st.text(" .-()/_\u00a0\u2011\u2013\n,:", min_size=1, max_size=4),
    country=st.sampled_from(["", "1", "+1", "001", "+1 ", "00 1 ", "1-"]),
)
def test_no_way_of_grouping_a_number_hides_it(cuts: set[int], between: str, country: str) -> None:
    roster = of_rows([{"id": "w-1", "email": "ann.lee@staff.example"}, {"id": "w-2", "phone": "(313) 555-0152 x7"}])
    number = "".join(between + digit if place in cuts else digit for place, digit in enumerate("3135550152"))
    errors = found(email(body=f"call {country}{number}."), roster)
    assert errors == [("Policy", "", "the body holds the phone number of another worker")]


def test_what_stands_within_something_longer_of_the_roster_is_not_said() -> None:
    rows = [
        {"id": "w-1", "email": "o'hara@staff.example.org", "phone": "810-555-0151"},
        {"id": "w-2", "email": "hara@staff.example", "phone": "555-0151"},
    ]
    mine = email(to=rows[0]["email"], body="o'hara@staff.example.org, 810-555-0151")
    assert found(mine, of_rows(rows)) == []
    for body in ("hara@staff.example, o'hara@staff.example.org", "555-0151 810-555-0151"):
        assert len(found(mine | {"body": body}, of_rows(rows))) == 1


def test_what_two_workers_share_is_no_secret_between_them() -> None:
    rows = [{"id": f"w-{number}", "email": "couple@staff.example", "phone": "810 555 0160"} for number in (1, 2)]
    roster = of_rows([*rows, {"id": "w-3", "email": "x@staff.example"}])
    mine = email(to="couple@staff.example", body="couple@staff.example, 810-555-0160")
    assert found(mine, roster) == found(mine | {"worker_id": None}, roster) == []
    assert len(found(mine | {"to": "x@staff.example", "worker_id": "w-3"}, roster)) == 2


@pytest.mark.parametrize("part", ["subject", "body"])
@pytest.mark.parametrize(
    "text",
    [
        "123-45-6789",
        "SSN: 123456789",
        "\uff11\uff12\uff13-45-6789",
        "123-45-6789\u00b2",
        "123 - 45 - 6789",
        "123-\u206645-6789",
    ],
)
def test_no_social_security_number_leaves(part: str, text: str, roster: Workers) -> None:
    assert found(email(**{part: text}), roster) == [("Policy", "", f"the {part} holds a social security number")]


def test_a_key_beside_a_social_security_number_does_not_hide_it(roster: Workers) -> None:
    text = "gh" + "p_" + "a1B2" * 9 + " 123-45-6789"
    assert found(email(body=text), roster) == [("Policy", "", "the body holds a social security number")]


def test_no_error_repeats_what_is_private(roster: Workers) -> None:
    told = repr(found(email(body="123-45-6789 jose.ortiz@staff.example 313-555-0152"), roster))
    assert told.count("Policy") == 3
    assert not any(secret in told for secret in ("6789", "jose", "0152", "w-2"))
