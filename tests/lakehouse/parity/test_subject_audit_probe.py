"""Probe `subject_audit`: what its fixtures hold, what counts as an answer, and that the old faults of runtimes are seen."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from lakehouse.parity.peers import Golden
from lakehouse.parity.probes.subject_audit import SUBJECT_AUDIT
from lakehouse.parity.run import compare
from lakehouse.subjects import chain

FIXTURES = SUBJECT_AUDIT.fixtures


def test_our_answers_are_the_pinned_ones() -> None:
    assert [(one.verdict, one.reason) for one in compare(SUBJECT_AUDIT, [Golden()])] == [("match", "")] * 6


def test_the_known_answer_is_that_of_the_standard_library_alone() -> None:
    given, expected = FIXTURES[0].input, FIXTURES[0].expected
    row = {key: value for key, value in json.loads(given["line"]).items() if key != "hmac"}
    data = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert data == expected["canonical"]
    assert hmac.new(bytes.fromhex(given["key"]), data.encode(), hashlib.sha256).hexdigest() == expected["hmac"]
    assert '"trace_id":""' in data
    assert "461439210Z" in data


def test_the_logs_are_whole_edited_cut_torn_and_of_mixed_keys() -> None:
    kinds = [one.expected["error"] and one.expected["error"]["kind"] for one in FIXTURES[1:]]
    assert kinds == [None, "edited", "truncated", "torn_last_line", "unannounced_key"]
    whole = FIXTURES[1].input["log"]
    assert any(not line.startswith('{"schema"') for line in whole.splitlines()), "in another order of keys"
    assert "9007199254740993" in whole


@pytest.mark.parametrize("position", range(6))
@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"canonical": "{}", "hmac": "0" * 64},
        {"canonical": "{...}", "hmac": "AB" * 32},
        {"count": 0, "tip": "0" * 64, "verified": True, "error": None},
        {"count": 0, "tip": "0" * 64, "verified": False, "error": {"line": 1, "kind": "unreadable"}},
        {"count": 3, "tip": "0" * 64, "verified": True, "error": None},
        {"count": 3, "tip": "ab" * 32, "verified": True, "error": {"line": 4, "kind": "edited"}},
        {"count": 3, "tip": "ab" * 32, "verified": False, "error": None},
        {"count": 3, "tip": "ab" * 32, "verified": False, "error": {"line": "4", "kind": "edited"}},
        {"count": 3, "tip": "ab" * 32, "verified": False, "error": "edited"},
        {"count": True, "tip": "ab" * 32, "verified": True, "error": None},
        {"count": 3, "verified": True, "error": None},
        {"count": 3, "tip": "ab" * 32, "verified": True},
    ],
)
def test_an_answer_of_the_wrong_shape_or_a_trivial_one_does_not_count(position: int, answer: Any) -> None:
    assert SUBJECT_AUDIT.fault(FIXTURES[position], answer)


def test_why_it_is_may_be_told_in_other_words() -> None:
    told = {**FIXTURES[2].expected, "error": {"line": 3, "kind": "edited", "why": "it is"}}
    assert SUBJECT_AUDIT.normalise(told) == FIXTURES[2].expected
    assert SUBJECT_AUDIT.normalise(FIXTURES[0].expected) == FIXTURES[0].expected


def _without_empty_trace(value: dict[str, Any]) -> dict[str, Any]:
    """As a runtime that leaves out what is empty."""
    value["accessor"].pop("trace_id")
    return value


def _with_trimmed_stamp(value: dict[str, Any]) -> dict[str, Any]:
    """As a runtime that writes stamps anew, without zeros at their end."""
    value["ts"] = value["ts"].rstrip("Z").rstrip("0") + "Z"
    return value


@pytest.mark.parametrize("forget", [_without_empty_trace, _with_trimmed_stamp])
def test_what_once_set_two_runtimes_apart_is_seen(forget: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = chain.signed_part

    def through_a_type(data: bytes) -> tuple[dict[str, Any], str, bytes]:
        value = json.loads(data)
        return real(json.dumps(forget(value) if "accessor" in value else value).encode())

    monkeypatch.setattr("lakehouse.parity.probes.subject_audit.signed_part", through_a_type)
    monkeypatch.setattr(chain, "signed_part", through_a_type)
    results = compare(SUBJECT_AUDIT, [Golden()])
    assert results[0].verdict == "differ"
    assert "match" not in [one.verdict for one in results[1:]]
