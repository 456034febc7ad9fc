"""The peer in Node beyond the fixtures: emails, text messages, chains with every fault, sessions full of odd values."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
import rfc8785

from lakehouse.errors import LakehouseError
from lakehouse.gates.parity import node_peer
from lakehouse.parity.peers import Answer, NoAnswer
from lakehouse.parity.probe import Fixture, Probe, first_difference
from lakehouse.parity.probes.session_log import SESSION_LOG
from lakehouse.parity.probes.subject_audit import SUBJECT_AUDIT
from lakehouse.parity.probes.validator import VALIDATOR

NODE, NO_NODE = node_peer()
pytestmark = pytest.mark.skipif(NODE is None, reason=NO_NODE)

ZEROS = "0" * 64
KEYS = {name: (name * 32)[:32].encode() for name in ("k1", "k2")}
ROSTER = [
    {"id": "w-1", "name": "Ann Lee", "role": "Welder", "email": "ann@staff.example", "phone": "810-555-0151"},
    {"id": "w-2", "name": "Bo Ortiz", "role": "Picker", "email": "bo@staff.example", "phone": "+1 312 555 0143"},
    {"id": "w-3", "name": "Mai Tran"},
]


def agreed(probe: Probe, question: Any) -> Any:
    """Put a question to both sides, and give the answer that they agree on."""
    ours = probe.ours(question)
    assert NODE is not None
    theirs = NODE.ask(probe, Fixture("beyond the fixtures", question, None))
    assert isinstance(theirs, Answer), theirs
    assert first_difference(probe.normalise(ours), probe.normalise(theirs.value)) is None
    return ours


def reasons(kind: str, roster: Any = ROSTER, **payload: Any) -> list[str]:
    """Say what both sides find wrong with a payload."""
    question = {"kind": kind, "payload": payload, "roster": roster, "exclude_ids": []}
    errors = agreed(VALIDATOR, question)["body"]["errors"]
    return [next(iter(error.values()))["reason"] for error in errors]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, []),
        ({"to": "ANN@staff.example", "worker_id": "w-1"}, []),
        ({"to": "ann@localhost"}, ["is no email address"]),
        ({"to": "eve@staff.example"}, ["to: no worker of the roster has this email"]),
        ({"worker_id": "w-2"}, ["to: is not the email of w-2"]),
        ({"worker_id": "w-3"}, ["to: the roster has no email of w-3"]),
        ({"worker_id": "w-9"}, ["worker_id (w-9): the roster has no such worker"]),
        ({"subject": "é" * 201}, ["the subject has 201 characters, 200 at most"]),
        ({"body": "Dear {{name}},"}, ["the body holds a placeholder that was not filled in"]),
        ({"body": "SSN: 123456789"}, ["the body holds a social security number"]),
        ({"body": "call (312) 555-0143."}, ["the body holds the phone number of another worker"]),
        ({"subject": "ask Bo@Staff.example"}, ["the subject holds the email of another worker"]),
        ({"body": "810-555-0151, 48502-1234, 12-3456789, 2026-05-11, order 123456789"}, []),
        ({"cc": "bo@staff.example"}, ["is no field of an email"]),
        ({"to": " "}, ["is empty"]),
        ({"body": "ask 'Bo@Staff.example'. jo.bo@staff.example"}, ["the body holds the email of another worker"]),
        ({"body": "jo.bo@staff.example, 48502-1234"}, []),
        ({"body": "call 3 1 2/555 \u2014 0143\u00b2"}, ["the body holds the phone number of another worker"]),
        ({"body": "ORD-123-45-6789, Order #123-45-6789, invoice-123-45-6789"}, []),
        ({"body": "SSN-123-45-6789"}, ["the body holds a social security number"]),
        ({"body": "Dear [Hiring Manager],"}, ["the body holds a placeholder that was not filled in"]),
        ({"body": "pay is [$AMOUNT]"}, ["the body holds a placeholder that was not filled in"]),
        ({"body": "reply [STOP] or [YES], [REDACTED], [same day], [up to date], <address>"}, []),
        (
            {"subject": "a" * 201, "body": " "},
            ["the body is empty", "the subject has 201 characters, 200 at most"],
        ),
        (
            {"subject": "Bo@staff.example 123-45-6789", "body": "123-45-6789 312-555-0143"},
            [
                "the subject holds a social security number",
                "the body holds a social security number",
                "the subject holds the email of another worker",
                "the body holds the phone number of another worker",
            ],
        ),
    ],
)
def test_emails_are_judged_alike(payload: dict[str, Any], expected: list[str]) -> None:
    assert (
        reasons("email", **({"to": "ann@staff.example", "subject": "Monday", "body": "At six."} | payload)) == expected
    )


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"body": "a" * 160}, []),
        ({"body": "a" * 161}, ["the body has 161 septets in GSM-7, 160 at most"]),
        ({"body": "€" * 81}, ["the body has 162 septets in GSM-7, 160 at most"]),
        ({"body": "😀" * 35}, []),
        ({"body": "😀" * 36}, ["the body has 72 units in UCS-2, 70 at most"]),
        ({"body": "hi", "to": "(810) 555-0151", "worker_id": "w-1"}, []),
        ({"body": "hi", "to": "810-555-0152", "worker_id": "w-1"}, ["to: is not the phone number of w-1"]),
        ({"body": "hi", "to": "911"}, ["is no phone number"]),
        ({"body": 1, "to": " "}, ["is empty", "must be a text"]),
        (
            {"body": "a" * 155 + "[NAME]"},
            ["the body has 163 septets in GSM-7, 160 at most", "the body holds a placeholder that was not filled in"],
        ),
        ({"body": "your number is 123-45-6789"}, ["the body holds a social security number"]),
        ({"body": "call 312-555-0143 or +1 312 555 0143, not 900-45-6789"}, []),
    ],
)
def test_text_messages_are_judged_alike(payload: dict[str, Any], expected: list[str]) -> None:
    assert reasons("sms", **payload) == expected


def test_no_roster_is_said_by_both() -> None:
    found = reasons("sms", roster=[], body="hi", worker_id="w-1")
    assert found == ["worker_id (w-1): the roster has no such worker, for there is no roster"]


def row(previous: str, key: str = "k1", **fields: Any) -> dict[str, Any]:
    """Sign a row with the standard library and a published implementation of RFC 8785."""
    value = {"schema": "subject_audit.v1", "subject_id": "S", "key_id": key, "prev_hmac": previous, **fields}
    return value | {"hmac": hmac.new(KEYS[key], rfc8785.dumps(value), hashlib.sha256).hexdigest()}


def chain(count: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number in range(count):
        rows.append(row(rows[-1]["hmac"] if rows else ZEROS, number=number, who="Zoë 😀", trace_id=""))
    return rows


def edited(rows: list[dict[str, Any]], at: int) -> list[dict[str, Any]]:
    return [*rows[:at], rows[at] | {"who": "bob"}, *rows[at + 1 :]]


R = chain(5)
FAULTS = [
    (R, None),
    ([], None),
    (edited(R, 2), (3, "edited")),
    ([*R[:2], *R[3:]], (3, "deleted")),
    ([R[0], R[2], R[1], *R[3:]], (2, "swapped")),
    ([*R[:3], R[1], *R[3:]], (4, "repeated")),
    ([*R[:2], row(ZEROS, who="eve"), *R[2:]], (3, "inserted")),
    ([*R, row(R[1]["hmac"], who="eve")], (6, "forked")),
    ([*R[:4], row(R[3]["hmac"], "k2")], (5, "unannounced_key")),
    ([*R[:3], row(R[2]["hmac"], subject_id="T")], (4, "other_subject")),
    ([one | {"hmac": "ab" * 32} for one in R], (1, "wrong_key")),
    ([*R[:4], row(R[3]["hmac"], key="k1") | {"key_id": "k3"}], (5, "unannounced_key")),
    ([*R[:1], {"schema": "subject_audit.v2"}], (2, "unreadable")),
]


@pytest.mark.parametrize(("rows", "expected"), FAULTS, ids=[str(fault) for _, fault in FAULTS])
def test_the_faults_of_a_log_are_named_alike(rows: list[dict[str, Any]], expected: tuple[int, str] | None) -> None:
    log = "".join(json.dumps(one) + "\n" for one in rows)
    keys = {name: secret.hex() for name, secret in KEYS.items()}
    found = agreed(SUBJECT_AUDIT, {"do": "verify", "log": log, "keys": keys})
    error = found["error"]
    assert (error and (error["line"], error["kind"])) == expected
    assert found["count"] == (len(rows) if error is None else error["line"] - 1)


def anchor(rows: list[dict[str, Any]], **other: Any) -> str:
    last = rows[-1]
    value = {"subject_id": "S", "count": len(rows), "tip": last["hmac"], "key_id": last["key_id"]} | other
    signature = hmac.new(KEYS[value["key_id"]], rfc8785.dumps(value), hashlib.sha256).hexdigest()
    return json.dumps(value | {"hmac": signature})


@pytest.mark.parametrize(
    ("rows", "given", "end", "expected"),
    [
        (R, anchor(R), "\n", None),
        (R, anchor(R[:3]), "\n", None),
        (R[:3], anchor(R), "\n", (4, "truncated")),
        ([], anchor(R), "", (1, "log_missing")),
        (R[:4], anchor(R[:4]), "\n{", (5, "torn_last_line")),
        ([*R[:4], row(R[3]["hmac"], who="eve")], anchor(R), "\n", (5, "rewritten")),
        (R, anchor(R).replace('"count": 5', '"count": 4'), "\n", (0, "anchor_forged")),
        (R, anchor(R, subject_id="T"), "\n", (0, "anchor_forged")),
        (R, anchor(R, key_id="k2"), "\n", (0, "anchor_forged")),
        (R, "", "\n", (0, "anchor_forged")),
    ],
)
def test_anchors_are_read_alike(
    rows: list[dict[str, Any]], given: str, end: str, expected: tuple[int, str] | None
) -> None:
    log = "\n".join(map(json.dumps, rows)) + end
    keys = {name: secret.hex() for name, secret in KEYS.items()}
    found = agreed(SUBJECT_AUDIT, {"do": "verify", "log": log, "keys": keys, "anchor": given, "subject": "S"})
    assert (found["error"] and (found["error"]["line"], found["error"]["kind"])) == expected


@pytest.mark.parametrize(
    "artifact",
    [
        None,
        False,
        0,
        "",
        [],
        {},
        {"10": 1, "9": None, "__proto__": 2},
        [1.0, -0.0, 1e16, 1e-6, 2**64, 0.1 + 0.2],
        "\x7f\u2028<&>\ufeff",
    ],
)
def test_lines_of_sessions_are_written_alike(artifact: Any) -> None:
    line = agreed(SESSION_LOG, SESSION_LOG.fixtures[0].input | {"artifact": artifact})["line"]
    assert ('"artifact"' in line) == (artifact is not None)


NO_SESSIONS = [{}, *(SESSION_LOG.fixtures[0].input | change for change in ({"iterations": 1.5}, {"session_id": ""}))]
NO_PROPOSALS = [
    {"kind": "fill", "payload": {}, "roster": [], "exclude_ids": []} | change
    for change in ({"roster": [{"id": 1}]}, {"roster": [{"id": "w 1"}]}, {"roster": {}}, {"exclude_ids": "w-1"})
]


@pytest.mark.parametrize(
    ("probe", "question"),
    [
        *((SESSION_LOG, question) for question in NO_SESSIONS),
        *((VALIDATOR, question) for question in NO_PROPOSALS),
        (SUBJECT_AUDIT, {"do": "sign", "line": "{}", "key": "00"}),
    ],
)
def test_a_question_that_is_none_gets_a_reason_and_no_answer(probe: Probe, question: Any) -> None:
    assert NODE is not None
    found = NODE.ask(probe, Fixture("no question", question, None))
    assert isinstance(found, NoAnswer)
    assert found.kind == "failed"
    assert "exit code" not in found.why


@pytest.mark.parametrize(
    ("probe", "question"),
    [
        *((SESSION_LOG, question) for question in NO_SESSIONS),
        *((VALIDATOR, question) for question in NO_PROPOSALS),
    ],
)
def test_nor_do_we_answer_it(probe: Probe, question: Any) -> None:
    with pytest.raises(LakehouseError):
        probe.ours(question)
