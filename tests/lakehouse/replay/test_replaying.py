"""The replay of one task: what is asked, when the stronger model is, what counts as valid, and what names an answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lakehouse.chat.answer import ChatError
from lakehouse.chat.passages import passages_in
from lakehouse.jsonl import encode
from lakehouse.records import ReplayRun
from lakehouse.replay.replaying import Replayer, replay
from lakehouse.validators.wire import consistency, policy, read_error

EMPTY = {"Completeness": {"reason": "the answer is empty"}}
CUT = {"Completeness": {"reason": "the answer was cut off at its greatest length"}}
SSN = {"Policy": {"reason": "the answer holds a social security number (ssn)"}}
KEY = {"Policy": {"reason": "the answer holds a secret (aws_access_key)"}}


def replayer(bench: Any, helpers: Any, chat: Any, *passages: str, **changes: Any) -> Replayer:
    return Replayer(retrieve=helpers.MadeRetriever(*passages), **bench.given(chat, **changes))


def test_the_model_reads_the_passages_then_the_task_and_never_its_own_run(bench: Any, helpers: Any) -> None:
    chat = helpers.FakeChat(weak="reviewed")
    one = replayer(bench, helpers, chat, "first", "second", "third", "fourth")
    task = helpers.task()
    run = replay(task, one)
    system, user = chat.messages[0]
    assert (system["role"], user["role"]) == ("system", "user")
    assert [found.text for found in passages_in(user["content"])] == ["first", "second", "third"]
    assert user["content"].endswith("\n\nReview a.rs\n\nmodel: grok")
    assert one.retrieve.asked == [("Review a.rs", "rag_export", 3, (("run-1",), task.accepted))]  # type: ignore[attr-defined]
    assert [(found.id, found.corpus, found.distance) for found in run.retrieved] == [
        ("rag-0", "rag_export", 0.0),
        ("rag-1", "rag_export", 0.1),
        ("rag-2", "rag_export", 0.2),
    ]


def test_without_passages_the_task_stands_alone(bench: Any, helpers: Any) -> None:
    chat = helpers.FakeChat(weak="reviewed")
    run = replay(helpers.task(context=""), replayer(bench, helpers, chat))
    assert chat.messages[0][1]["content"] == "Review a.rs"
    assert run.retrieved == []


def test_a_replay_says_who_answered_what_and_how_long_it_took(bench: Any, helpers: Any) -> None:
    run = replay(helpers.task(), replayer(bench, helpers, helpers.FakeChat(weak="reviewed"), "first"))
    assert msgspec.json.decode(encode(run)) == {
        "schema": "replay_run.v1",
        "run_id": "r-1",
        "session_id": "s-1",
        "task": "Review a.rs\n\nmodel: grok",
        "retrieved": [{"id": "rag-0", "corpus": "rag_export", "distance": 0.0}],
        "model": "weak",
        "provider": "fake",
        "response": "reviewed",
        "validation": {"ok": True, "errors": []},
        "escalated": False,
        "recorded_at": "2026-05-10T12:00:00.000Z",
        "duration_ms": 250,
        "producer": "python",
        "task_id": "scrum_review:a.rs",
        "source_run_id": "run-1",
        "fingerprint": run.fingerprint,
    }


@pytest.mark.parametrize(
    ("weak", "strong", "asked", "response", "errors"),
    [
        ("fine", None, ["weak"], "fine", []),
        ("fine", "better", ["weak"], "fine", []),
        ("", "better", ["weak", "strong"], "better", []),
        ("  \n", "better", ["weak", "strong"], "better", []),
        ("ssn 219-09-9999", "better", ["weak", "strong"], "better", []),
        ("", None, ["weak"], "", [EMPTY]),
        ("ssn 219-09-9999", None, ["weak"], "ssn [pii_ssn]", [SSN]),
        # Once is once: the stronger answer counts, valid or not.
        ("", "AKIAABCDEFGHIJKLMNOP", ["weak", "strong"], "[secret:aws_access_key]", [KEY]),
    ],
)
def test_a_stronger_model_is_asked_once_where_an_answer_is_not_valid(
    bench: Any, helpers: Any, weak: str, strong: str | None, asked: list[str], response: str, errors: list[Any]
) -> None:
    chat = helpers.FakeChat(weak=weak, strong=strong or "never asked")
    run = replay(helpers.task(), replayer(bench, helpers, chat, stronger="strong" if strong else None))
    assert chat.asked == asked
    assert (run.model, run.escalated) == (asked[-1], len(asked) > 1)
    assert (run.response, run.validation.ok, run.validation.errors) == (response, not errors, errors)


def test_a_model_that_says_no_word_has_answered_though_not_validly(bench: Any, helpers: Any) -> None:
    chat = helpers.FakeChat(weak=helpers.failing("blank_answer"), strong="better")
    run = replay(helpers.task(), replayer(bench, helpers, chat, stronger="strong"))
    assert (chat.asked, run.response, run.validation.ok) == (["weak", "strong"], "better", True)
    alone = replay(helpers.task(), replayer(bench, helpers, chat))
    assert (alone.response, alone.provider, alone.validation.errors) == ("", "ollama", [EMPTY])


def test_an_answer_that_was_cut_off_is_not_valid(bench: Any, helpers: Any) -> None:
    chat = helpers.FakeChat(weak="and then", strong="and then the end")
    chat.endings = {"weak": "length"}
    run = replay(helpers.task(), replayer(bench, helpers, chat, stronger="strong"))
    assert (run.response, run.escalated, run.validation.ok) == ("and then the end", True, True)
    chat.endings["strong"] = "length"
    assert replay(helpers.task(), replayer(bench, helpers, chat, stronger="strong")).validation.errors == [CUT]


@pytest.mark.parametrize("strong", [False, True])
def test_a_call_that_fails_is_no_failed_validation(bench: Any, helpers: Any, strong: bool) -> None:
    chat = helpers.FakeChat(weak="" if strong else helpers.failing("timeout"), strong=helpers.failing("timeout"))
    with pytest.raises(ChatError, match="timeout it is") as raised:
        replay(helpers.task(), replayer(bench, helpers, chat, stronger="strong"))
    assert raised.value.what.startswith("the stronger model strong cannot be asked: ") is strong
    assert (raised.value.kind, raised.value.where) == ("timeout", "fake at 127.0.0.1:1")
    assert chat.asked == (["weak", "strong"] if strong else ["weak"])


def wrong(field: str, reason: str) -> dict[str, Any]:
    return {"Schema": {"field": field, "reason": reason}}


@pytest.mark.parametrize(
    ("answer", "errors"),
    [
        ('Here it is: {"body": "hi"}', []),
        ("no payload at all", [wrong("", "the answer holds no JSON object, and a sms is one")]),
    ],
)
def test_an_answer_of_a_kind_is_held_against_its_validator(
    bench: Any, helpers: Any, answer: str, errors: list[Any]
) -> None:
    judged = []

    def validate(kind: str, payload: Any) -> list[Any]:
        judged.append((kind, payload))
        return []

    run = replay(helpers.task(kind="sms"), replayer(bench, helpers, helpers.FakeChat(weak=answer), validate=validate))
    assert run.validation.errors == errors
    assert judged == ([] if errors else [("sms", {"body": "hi"})])


def test_errors_of_a_validator_stand_in_the_log_in_their_tagged_form(bench: Any, helpers: Any) -> None:
    found = [policy("w-1 is blacklisted"), consistency("w-2 is no worker")]
    chat = helpers.FakeChat(weak="{}")
    run = replay(helpers.task(kind="fill"), replayer(bench, helpers, chat, validate=helpers.judge({"fill": found})))
    assert run.validation.errors == [
        {"Policy": {"reason": "w-1 is blacklisted"}},
        {"Consistency": {"reason": "w-2 is no worker"}},
    ]
    assert [read_error(one) for one in msgspec.json.decode(encode(run), type=ReplayRun).validation.errors] == found


def test_free_text_is_held_against_no_validator(bench: Any, helpers: Any) -> None:
    chat = helpers.FakeChat(weak='{"body": "hi"}')
    assert replay(helpers.task(), replayer(bench, helpers, chat, validate=helpers.judge({}))).validation.ok


def test_a_kind_that_nobody_can_judge_is_not_valid(bench: Any, helpers: Any) -> None:
    run = replay(helpers.task(kind="fill"), replayer(bench, helpers, helpers.FakeChat(weak="{}")))
    assert run.validation.errors == [wrong("kind", "there is no validator of fill here")]


def test_half_a_surrogate_pair_does_not_keep_an_answer_out_of_the_log(bench: Any, helpers: Any) -> None:
    run = replay(helpers.task(), replayer(bench, helpers, helpers.FakeChat(weak="a\ud800b")))
    assert msgspec.json.decode(encode(run), type=ReplayRun).response == "a?b"


@pytest.mark.parametrize(
    "other",
    [
        {"task": {"question": "Review b.rs"}},
        {"task": {"context": "model: other"}},
        {"task": {"sig_hash": "t" * 64}},
        {"task": {"kind": "sms"}},
        {"model": "other"},
        {"stronger": "strong"},
        {"passages": ["first", "changed"]},
        {"passages": ["second", "first"]},
        {"passages": ["first"]},
    ],
)
def test_a_fingerprint_names_all_that_an_answer_depends_on(bench: Any, helpers: Any, other: dict[str, Any]) -> None:
    def named(**changes: Any) -> str:
        asked = {name: changes[name] for name in ("model", "stronger") if name in changes}
        made = replayer(bench, helpers, helpers.FakeChat(), *changes.get("passages", ["first", "second"]), **asked)
        return made.prepare(helpers.task(**changes.get("task", {}))).fingerprint

    assert named(**other) != named()
    assert named() == named()
