"""Iterate: what a session comes to, what the model is told, and that every call leaves one line."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.chat.answer import ChatError
from lakehouse.errors import RecordError, UsageError
from lakehouse.gates.sessions import contradictions
from lakehouse.iterate import AttemptSeen, IterateRequest, iterate
from lakehouse.iterate.session import MOST_ITERATIONS, check
from lakehouse.records import Fault, FieldFault, SessionRecord, ValidationError
from lakehouse.sessions import SessionLog
from tests.lakehouse.iterate.conftest import NOON, OWN_ID, UNREACHABLE, Desk, answer, big_enough

GOOD, SMALL, PROSE = '{"n": 12}', '{"n": 3}', "I would rather not."


def verdicts(record: SessionRecord) -> list[str]:
    return [attempt.verdict for attempt in record.attempts]


def test_a_valid_answer_is_accepted_at_once(desk: Desk) -> None:
    outcome = desk.ask(f"Here: {GOOD}, as asked.")
    assert (outcome.verdict, outcome.artifact, outcome.errors, outcome.usable) == ("accepted", {"n": 12}, (), True)
    record = desk.record
    assert (record.verdict, record.iterations, verdicts(record), record.artifact) == (
        "accepted",
        1,
        ["accepted"],
        {"n": 12},
    )
    assert record == outcome.record


def test_a_record_says_all_that_the_wire_asks_for(desk: Desk) -> None:
    desk.ask(SMALL, GOOD)
    assert json.loads(desk.lines[0]) == {
        "schema": "session.iterate.v1",
        "session_id": OWN_ID,
        "timestamp": "2026-05-10T12:00:00.000Z",
        "daemon": "lakehouse",
        "kind": "email",
        "provider": "ollama",
        "model": "qwen2.5:latest",
        "prompt": "a number",
        "max_iterations": 3,
        "iterations": 2,
        "verdict": "accepted",
        "attempts": [
            {
                "iteration": 0,
                "verdict": "validation_failed",
                "error": '[{"Completeness":{"reason":"n is 3, at least 10"}}]',
                "latency_ms": 40,
                "prompt_tokens": 11,
                "completion_tokens": 7,
            },
            {"iteration": 1, "verdict": "accepted", "latency_ms": 40, "prompt_tokens": 11, "completion_tokens": 7},
        ],
        "artifact": {"n": 12},
        "duration_ms": 750,
    }


def test_asking_again_shows_the_answer_and_its_errors_and_nothing_older(desk: Desk) -> None:
    desk.ask('{"n": 1}', SMALL, GOOD)
    first, second, third = desk.chat.asked
    assert [message["role"] for message in first] == ["system", "user"]
    assert first[1]["content"] == "a number"
    assert [message["role"] for message in third] == ["system", "user", "assistant", "user"]
    assert second[2]["content"] == '{"n": 1}'
    assert third[2]["content"] == SMALL
    assert '[{"Completeness":{"reason":"n is 3, at least 10"}}]' in third[3]["content"]
    assert "n is 1" not in str(third)


def test_an_answer_without_json_is_asked_for_again(desk: Desk) -> None:
    outcome = desk.ask(PROSE, GOOD)
    assert verdicts(outcome.record) == ["no_json", "accepted"]
    assert outcome.attempts[0].error == "there is no JSON object in the answer of 19 characters"
    assert "no JSON object" in desk.chat.asked[1][3]["content"]


def test_an_answer_that_was_cut_off_says_so(desk: Desk) -> None:
    desk.ask(answer('{"n": 1', finish_reason="length"), GOOD)
    assert "cut off at its limit of tokens" in (desk.record.attempts[0].error or "")


def test_out_of_attempts_there_is_no_artifact_and_the_last_errors_are_told(desk: Desk) -> None:
    outcome = desk.ask(PROSE, SMALL, '{"n": 4}')
    assert (outcome.verdict, outcome.artifact, outcome.usable) == ("max_iter_exhausted", None, False)
    assert outcome.errors == (ValidationError(completeness=Fault(reason="n is 4, at least 10")),)
    assert verdicts(desk.record) == ["no_json", "validation_failed", "validation_failed"]
    assert b'"artifact"' not in desk.lines[0]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_no_more_is_asked_than_allowed(desk: Desk, most: int) -> None:
    outcome = desk.ask(*[SMALL] * 9, max_iterations=most)
    assert (len(desk.chat.asked), outcome.record.iterations, outcome.record.max_iterations) == (most, most, most)


def test_an_answer_without_a_word_counts_against_the_model_and_it_is_asked_again(desk: Desk) -> None:
    blank = ChatError.of("blank_answer", "the server gives an answer without a word", where="ollama", mend="ask again")
    outcome = desk.ask(blank, '{"n": 12}')
    assert outcome.verdict == "accepted"
    assert [(one.verdict, one.error) for one in desk.record.attempts] == [
        ("no_json", "the model answered without a word"),
        ("accepted", None),
    ]
    assert desk.chat.asked[0] == desk.chat.asked[1]
    assert desk.ask(blank, blank, blank).verdict == "max_iter_exhausted"


@pytest.mark.parametrize("kind", ["provider_not_configured", "timeout", "rate_limited", "upstream", "bad_answer"])
def test_a_failing_chat_ends_the_session_at_once(desk: Desk, kind: Any) -> None:
    failure = ChatError.of(kind, "it is so", where="somewhere", mend="do this")
    outcome = desk.ask(SMALL, failure, GOOD)
    assert (outcome.verdict, outcome.failure, outcome.artifact, outcome.errors) == ("infra_error", failure, None, ())
    assert verdicts(desk.record) == ["validation_failed", "infra_error"]
    assert desk.record.attempts[1].error == f"{kind}: somewhere: it is so"
    assert desk.record.attempts[1].latency_ms == 250
    assert len(desk.chat.asked) == 2


def test_what_failed_is_kept_without_keys(desk: Desk) -> None:
    key = "sk-ant-api03-" + "x" * 80 + "AA"
    desk.ask(ChatError.of("unauthorized", f"the server said {key}", where="kimi", mend=""))
    assert key.encode() not in desk.lines[0]
    assert (desk.record.attempts[0].error or "").startswith("unauthorized: kimi: the server said [secret:")


def test_the_errors_of_a_validator_are_kept_and_sent_without_keys(desk: Desk) -> None:
    key = "sk-ant-api03-" + "x" * 80 + "AA"
    wrong = [ValidationError(schema=FieldFault(field=key, reason=f"{key} is no field"))]
    desk.ask(SMALL, SMALL, max_iterations=2, validate=lambda kind, payload: wrong)
    assert key.encode() not in desk.lines[0]
    assert key not in str(desk.chat.asked[1])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ZeroDivisionError("hunter2"), "ZeroDivisionError while validating"),
        (KeyboardInterrupt(), "KeyboardInterrupt while validating"),
        (SystemExit(1), "SystemExit while validating"),
        (RecordError("this is no roster", where="w.csv"), "RecordError while validating: w.csv: this is no roster"),
    ],
)
def test_what_breaks_a_validator_is_recorded_and_raised_again(desk: Desk, error: BaseException, told: str) -> None:
    def broken(kind: str, payload: Any) -> list[ValidationError]:
        if payload["n"] < 10:
            return big_enough(kind, payload)
        raise error

    with pytest.raises(type(error)):
        desk.ask(SMALL, GOOD, validate=broken)
    record = desk.record
    assert (record.verdict, record.artifact, record.iterations) == ("infra_error", None, 2)
    assert (record.attempts[1].error, record.attempts[1].latency_ms) == (told, 40)
    assert list(contradictions(record)) == []


def test_an_interrupt_while_the_model_thinks_is_recorded(desk: Desk) -> None:
    with pytest.raises(KeyboardInterrupt):
        desk.ask(KeyboardInterrupt())
    assert desk.record.attempts[0].error == "KeyboardInterrupt while asking the model"


class TestGrounded:
    @pytest.mark.parametrize("there", [True, False])
    def test_an_accepted_fill_is_held_against_the_roster_whatever_the_validator_said(
        self, desk: Desk, there: bool
    ) -> None:
        outcome = desk.ask(GOOD, kind="fill", grounded=lambda payload: there)
        assert (desk.record.verdict, desk.record.grounded_in_roster) == ("accepted", there)
        assert outcome.usable is there

    def test_it_is_asked_of_the_accepted_artifact(self, desk: Desk) -> None:
        seen: list[Any] = []
        desk.ask(SMALL, GOOD, kind="fill", grounded=lambda payload: not seen.append(payload))
        assert seen == [{"n": 12}]

    @pytest.mark.parametrize(("kind", "answers"), [("sms", [GOOD]), ("fill", [SMALL] * 3), ("fill", [UNREACHABLE])])
    def test_where_no_fill_is_accepted_nothing_is_stamped(self, desk: Desk, kind: str, answers: Any) -> None:
        desk.ask(*answers, kind=kind)
        assert b"grounded_in_roster" not in desk.lines[0]

    def test_a_roster_that_cannot_answer_accepts_nothing(self, desk: Desk) -> None:
        def gone(payload: Any) -> bool:
            raise OSError("no roster")

        with pytest.raises(OSError, match="no roster"):
            desk.ask(GOOD, kind="fill", grounded=gone)
        assert (desk.record.verdict, desk.record.artifact) == ("infra_error", None)


class TestNames:
    @pytest.mark.parametrize(
        ("given", "kept"), [("", OWN_ID), ("  ", OWN_ID), ("abc", "abc"), (" abc ", "abc"), ("séance", "séance")]
    )
    def test_the_id_is_the_callers_or_one_made_here(self, desk: Desk, given: str, kept: str) -> None:
        outcome = desk.ask(GOOD, trace_id=given)
        assert (desk.record.session_id, outcome.session_id, outcome.trace_id) == (kept, kept, kept)

    def test_no_session_is_without_an_id(self, desk: Desk) -> None:
        with pytest.raises(ValueError, match="gave no id"):
            iterate(
                IterateRequest(kind="sms", prompt="p", model="m"),
                desk.chat,
                big_enough,
                log=desk.log,
                clock=lambda: NOON,
                monotonic=lambda: 0.0,
                new_id=str,
                grounded=bool,
            )

    def test_without_any_answer_a_model_has_the_name_that_it_would_have_had_with_one(self, desk: Desk) -> None:
        desk.ask(UNREACHABLE, model="openrouter/x-ai/grok")
        assert (desk.record.provider, desk.record.model) == ("openrouter", "x-ai/grok")

    def test_the_chat_is_asked_by_the_name_that_it_routes(self, desk: Desk) -> None:
        desk.ask(GOOD, model="openrouter/x-ai/grok")
        assert desk.chat.models == ["openrouter/x-ai/grok"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("max_iterations", 0),
            ("max_iterations", -1),
            ("max_iterations", MOST_ITERATIONS + 1),
            ("max_tokens", 0),
            ("prompt", " \n"),
            ("prompt", "lone \ud800"),
            ("kind", ""),
            ("model", " "),
            ("daemon", ""),
            ("trace_id", "two\nlines"),
            ("trace_id", "x" * 257),
            ("trace_id", "\udcff"),
            ("model", "a\x00b"),
            ("model", "ollama/"),
        ],
    )
    def test_what_could_be_no_session_is_refused_before_anybody_is_asked(
        self, desk: Desk, field: str, value: Any
    ) -> None:
        with pytest.raises(UsageError, match=field):
            desk.ask(GOOD, **{field: value})
        assert desk.chat.asked == []
        assert desk.lines == []


class TestTheLog:
    @pytest.mark.parametrize("log", [None, SessionLog(None), SessionLog("")])
    def test_it_can_be_switched_off(self, desk: Desk, log: SessionLog | None) -> None:
        outcome = desk.ask(GOOD, log=log)
        assert (outcome.verdict, outcome.logged) == ("accepted", None)

    def test_one_that_cannot_be_written_fails_no_call(
        self, desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        log = SessionLog(tmp_path)
        with caplog.at_level(logging.WARNING):
            outcome = desk.ask(GOOD, log=log)
        assert (outcome.verdict, outcome.logged, log.failed) == ("accepted", False, 1)
        assert [record.levelname for record in caplog.records] == ["WARNING"]


class TestWhatModelsWrite:
    @pytest.mark.parametrize(
        ("content", "verdict"),
        [
            ("", "no_json"),
            ("{" * 200_000, "no_json"),
            ('{"n":' + "[" * 100_000, "no_json"),
            ('{"a":' * 5_000 + "1" + "}" * 5_000, "validation_failed"),
            ("x" * 2_000_000 + SMALL, "validation_failed"),
            ("\x00\x01\x7f\ud83d" + SMALL, "validation_failed"),
            ('{"n": 3, "k": "' + "y" * 500_000 + '"}', "validation_failed"),
            ('{"n": ' + "-9" * 1 + "9" * 4_000 + "}", "validation_failed"),
        ],
        ids=["empty", "braces", "brackets", "deep", "prose", "binary", "long", "digits"],
    )
    def test_nothing_crashes_the_loop_and_little_of_it_goes_back(self, desk: Desk, content: str, verdict: str) -> None:
        desk.ask(content, SMALL, max_iterations=2)
        assert verdicts(desk.record)[0] == verdict
        sent = str(desk.chat.asked[1])
        assert len(sent) < 8_000
        assert sent.encode()
        assert "\x00" not in sent

    def test_a_number_beyond_64_bits_is_kept_with_its_digits(self, desk: Desk) -> None:
        desk.ask('{"n": 123456789012345678901234567890}')
        assert b'"artifact":{"n":123456789012345678901234567890}' in desk.lines[0]

    def test_a_hundred_errors_are_told_in_short(self, desk: Desk) -> None:
        many = [ValidationError(schema=FieldFault(field=f"f{n}", reason="x" * 5_000)) for n in range(100)]
        outcome = desk.ask(SMALL, SMALL, max_iterations=2, validate=lambda kind, payload: many)
        kept = json.loads(desk.record.attempts[0].error or "")
        assert len(kept) == 20
        assert all(len(one["Schema"]["reason"]) <= 300 for one in kept)
        assert "There are 80 more." in desk.chat.asked[1][3]["content"]
        assert len(outcome.errors) == 100


class TestWatching:
    def test_each_attempt_is_shown_as_it_ends(self, desk: Desk) -> None:
        seen: list[AttemptSeen] = []
        desk.ask(SMALL, UNREACHABLE, watch=seen.append)
        assert [(one.session_id, one.raw, one.attempt.verdict, len(one.messages)) for one in seen] == [
            (OWN_ID, SMALL, "validation_failed", 2),
            (OWN_ID, None, "infra_error", 4),
        ]

    def test_who_watches_cannot_fail_the_call(self, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
        def dead(seen: AttemptSeen) -> None:
            raise OSError("no collector")

        assert desk.ask(GOOD, watch=dead).verdict == "accepted"
        assert ["was not traced" in record.message for record in caplog.records] == [True]

    @pytest.mark.parametrize("answers", [[GOOD], [SMALL] * 3, [UNREACHABLE], [SMALL, UNREACHABLE]])
    def test_an_interrupt_right_after_an_attempt_leaves_a_record_that_agrees_with_itself(
        self, desk: Desk, answers: list[Any]
    ) -> None:
        seen: list[AttemptSeen] = []

        def interrupt(one: AttemptSeen) -> None:
            seen.append(one)
            if len(seen) == len(answers):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            desk.ask(*answers, watch=interrupt)
        record = desk.record
        assert (record.verdict, record.iterations, record.artifact) == ("infra_error", len(answers), None)
        assert list(contradictions(record)) == []

    def test_an_interrupt_between_two_attempts_keeps_the_one_before(self, desk: Desk) -> None:
        def interrupt(one: AttemptSeen) -> None:
            if one.attempt.verdict == "validation_failed":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            desk.ask(SMALL, GOOD, watch=interrupt)
        assert verdicts(desk.record) == ["validation_failed", "infra_error"]
        assert list(contradictions(desk.record)) == []


SAID = st.one_of(
    st.sampled_from([GOOD, SMALL, PROSE, UNREACHABLE, ValueError("bug"), KeyboardInterrupt()]),
    st.text(max_size=40),
    st.integers(-5, 30).map(lambda n: f'```json\n{{"n": {n}}}\n```'),
)


@given(said=st.lists(SAID, min_size=6, max_size=6), most=st.integers(1, 6), kind=st.sampled_from(["fill", "sms"]))
def test_whatever_is_answered_there_is_one_line_that_agrees_with_itself_and_the_outcome(
    said: list[Any], most: int, kind: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        try:
            outcome = desk.ask(*said, kind=kind, max_iterations=most)
        except (ValueError, KeyboardInterrupt):
            outcome = None
        record = desk.record
    assert list(contradictions(record)) == []
    assert record.iterations == len(desk.chat.asked) <= most
    assert (record.artifact is not None) == (record.verdict == "accepted")
    assert (record.grounded_in_roster is not None) == (record.verdict == "accepted" and kind == "fill")
    assert all((attempt.error is None) == (attempt.verdict == "accepted") for attempt in record.attempts)
    if outcome is None:
        assert record.verdict == "infra_error"
    else:
        assert msgspec.to_builtins(record) == msgspec.to_builtins(outcome.record)
        assert (outcome.failure is not None) == (outcome.verdict == "infra_error")


def test_a_usual_request_passes() -> None:
    check(IterateRequest(kind="fill", prompt="p", model="m"))
