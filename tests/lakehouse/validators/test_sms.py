"""The validator of text messages: one message long, finished, without a social security number."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.validators.gsm7 import BASIC, EXTENSION, length_of
from lakehouse.validators.roster import Workers, of_rows
from lakehouse.validators.sms import validate_sms
from lakehouse.validators.wire import said


def found(payload: Any, roster: Workers) -> list[tuple[str, str, str]]:
    return [said(error) for error in validate_sms(payload, roster)]


@pytest.mark.parametrize(
    "payload",
    [
        {"body": "Shift Mon 6:00, call (312) 555-0143."},
        {"body": "x" * 160},
        {"body": "€" * 80},
        {"body": "é" * 160},
        {"body": "ж" * 70},
        {"body": "😀" * 35},
        {"body": "ok", "to": "+1 810 555 0151", "worker_id": "w-1"},
        {"body": "ok", "to": "8105550151", "worker_id": "w-1"},
        {"body": "ok", "to": "312-555-0143"},
        {"body": "ok", "worker_id": "w-3"},
        {"body": "ok", "to": None, "worker_id": None},
    ],
)
def test_a_message_that_is_right_has_no_errors(payload: Any, roster: Workers) -> None:
    assert found(payload, roster) == []


@pytest.mark.parametrize(
    ("payload", "field", "reason"),
    [
        ({}, "body", "is missing"),
        ({"body": 1}, "body", "must be a text"),
        ({"body": "ok", "to": 8105550151}, "to", "must be a text"),
        *(
            ({"body": "ok", "to": to}, "to", "is no phone number")
            for to in (
                "ann",
                "911",
                "555-01",
                "810-555-0151; 313-555-0152",
                "8105550151" * 2,
                "810-555-0151\n",
                "++8105550151",
            )
        ),
        *(({"body": "ok", "to": to}, "to", "is empty") for to in ("", " ", "\u00a0")),
        ({"body": "ok", "from": "us"}, "from", "is no field of a text message"),
        ([], "payload", "must be an object"),
    ],
)
def test_a_field_that_is_missing_unknown_or_of_another_form(
    payload: Any, field: str, reason: str, roster: Workers
) -> None:
    assert found(payload, roster) == [("Schema", field, reason)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "the body is empty"),
        (" \n", "the body is empty"),
        ("\u200b", "the body is empty"),
        ("\0", "the body is empty"),
        ("Hi ___", "the body holds a placeholder that was not filled in"),
        ("x" * 161, "the body has 161 septets in GSM-7, 160 at most"),
        ("x" * 159 + "€", "the body has 161 septets in GSM-7, 160 at most"),
        ("[" * 81, "the body has 162 septets in GSM-7, 160 at most"),
        ("x" * 70 + "ж", "the body has 71 units in UCS-2, 70 at most"),
        ("x" * 69 + "😀", "the body has 71 units in UCS-2, 70 at most"),
        ("e\u0301" * 36, "the body has 72 units in UCS-2, 70 at most"),
        ("Hi {name}", "the body holds a placeholder that was not filled in"),
    ],
)
def test_what_is_empty_too_long_or_unfinished(body: str, reason: str, roster: Workers) -> None:
    assert found({"body": body}, roster) == [("Completeness", "", reason)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"worker_id": "w-99"}, "worker_id (w-99): the roster has no such worker"),
        ({"worker_id": "w-3", "to": "810-555-0151"}, "to: the roster has no phone number of w-3"),
        ({"worker_id": "w-1", "to": "313-555-0152"}, "to: is not the phone number of w-1"),
    ],
)
def test_the_number_is_the_workers_own(payload: dict[str, Any], reason: str, roster: Workers) -> None:
    assert found({"body": "ok", **payload}, roster) == [("Consistency", "", reason)]


def test_what_has_too_few_digits_is_nobodys_number() -> None:
    roster = of_rows([{"id": "w-1", "phone": "00 9"}])
    payload = {"body": "ok", "to": "00 12 34 5", "worker_id": "w-1"}
    assert found(payload, roster) == [("Consistency", "", "to: is not the phone number of w-1")]


def test_the_fields_of_a_message_are_judged_in_the_order_to_body_worker(roster: Workers) -> None:
    assert [field for _, field, _ in found({"worker_id": "", "to": "x"}, roster)] == ["to", "body", "worker_id"]


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        (" " * 161, ["the body is empty", "the body has 161 septets in GSM-7, 160 at most"]),
        (
            "x" * 155 + "[NAME]",
            ["the body has 163 septets in GSM-7, 160 at most", "the body holds a placeholder that was not filled in"],
        ),
    ],
)
def test_a_stage_gives_all_its_errors_by_rule(body: str, reasons: list[str], roster: Workers) -> None:
    assert [reason for _, _, reason in found({"body": body}, roster)] == reasons


def test_no_social_security_number_leaves(roster: Workers) -> None:
    assert found({"body": "SSN 123-45-6789"}, roster) == [("Policy", "", "the body holds a social security number")]


def test_without_a_roster_a_message_to_nobody_in_particular_is_checked_all_the_same() -> None:
    assert found({"body": "ok", "to": "312-555-0143"}, of_rows([])) == []
    assert "for there is no roster" in found({"body": "ok", "worker_id": "w-1"}, of_rows([]))[0][2]


def test_the_alphabet_has_its_127_characters_and_nine_that_are_escaped() -> None:
    assert len(set(BASIC)) == len(BASIC) == 127
    # By their places in the table of 3GPP TS 23.038, where the escape stands at 0x1B.
    table = BASIC[:0x1B] + "\x1b" + BASIC[0x1B:]
    places = {
        "@": 0,
        "\n": 0x0A,
        "\r": 0x0D,
        "Δ": 0x10,
        "_": 0x11,
        "Ξ": 0x1A,
        "Æ": 0x1C,
        "É": 0x1F,
        " ": 0x20,
        "¤": 0x24,
    }
    places |= {
        "¡": 0x40,
        "A": 0x41,
        "Z": 0x5A,
        "Ä": 0x5B,
        "§": 0x5F,
        "¿": 0x60,
        "a": 0x61,
        "z": 0x7A,
        "ä": 0x7B,
        "à": 0x7F,
    }
    assert {sign: table.index(sign) for sign in places} == places
    assert sorted(EXTENSION) == sorted("^{}\\[~]|€\f")
    assert set(EXTENSION).isdisjoint(BASIC)


@given(text=st.text(alphabet=BASIC + EXTENSION))
def test_septets_are_counted_one_by_one(text: str) -> None:
    assert length_of(text) == ("GSM-7", sum(2 if sign in EXTENSION else 1 for sign in text), 160)


@given(text=st.text().filter(lambda text: not set(text) <= set(BASIC + EXTENSION)))
def test_anything_else_is_counted_in_units_of_16_bits(text: str) -> None:
    assert length_of(text) == ("UCS-2", sum(2 if ord(sign) > 0xFFFF else 1 for sign in text), 70)
