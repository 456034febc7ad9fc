"""Faults of servers: what is tried again, what an error says, and that no key is in it."""

import logging
import pickle
import traceback
from typing import Any

import msgspec
import pytest

from lakehouse.chat.answer import ChatError
from lakehouse.upstream import FIRST_WAIT

MESSAGES = [{"role": "user", "content": "Who?"}]
NAMES = {
    "ollama": "qwen2.5",
    "ollama_cloud": "kimi-k2.6:cloud",
    "openrouter": "openrouter/vendor/model",
    "opencode": "opencode/kimi-k2.6",
    "kimi": "kimi/kimi-k2.6",
}
every = pytest.mark.parametrize("provider", NAMES)


def failing(chat: Any, name: str) -> ChatError:
    with pytest.raises(ChatError) as failed:
        chat(MESSAGES, name)
    return failed.value


@every
@pytest.mark.parametrize(
    ("status", "kind", "mend"),
    [
        (401, "unauthorized", "key"),
        (403, "unauthorized", "key"),
        (404, "model_not_found", ""),
        (400, "upstream", "does not take this request"),
        (402, "upstream", "does not take this request"),
    ],
)
def test_what_will_not_pass_is_an_error_at_once(
    models: Any, chat: Any, waits: Any, fault: Any, provider: str, status: int, kind: str, mend: str
) -> None:
    models.faults = [fault(status, b'{"error":{"message":"no such thing"}}')]
    error = failing(chat, NAMES[provider])
    assert (error.kind, waits, len(models.requests)) == (kind, [], 1)
    assert f"answers {status}: no such thing" in error.what
    assert error.where.startswith(f"{provider} at {models.url}")
    assert mend in error.mend
    assert error.exit_code == 3


def test_a_local_model_that_is_not_there_is_named_with_its_pull(models: Any, chat: Any) -> None:
    error = failing(chat, "ollama/missing:7b")
    assert (error.kind, error.mend) == ("model_not_found", "`ollama pull missing:7b`")
    assert "model missing:7b" in error.where


def test_a_model_that_openrouter_does_not_have_is_not_found(models: Any, chat: Any, fault: Any) -> None:
    models.faults = [fault(400, b'{"error":{"message":"a/b is not a valid model ID","code":400}}')]
    assert failing(chat, "openrouter/a/b").kind == "model_not_found"


@every
@pytest.mark.parametrize(
    "first",
    [{"status": 429, "body": b"busy"}, {"status": 500, "body": b'{"error":"x"}'}, {"status": 503}, {"cut": True}],
    ids=["429", "500", "503", "cut"],
)
def test_a_passing_fault_is_tried_again_after_growing_waits(
    models: Any, chat: Any, waits: Any, fault: Any, provider: str, first: Any
) -> None:
    models.faults = [fault(**first), fault(**first)]
    assert chat(MESSAGES, NAMES[provider]).content == "Hello."
    assert waits == [FIRST_WAIT, 2 * FIRST_WAIT]


@every
@pytest.mark.parametrize(
    ("lasting", "kind"),
    [({"status": 429}, "rate_limited"), ({"status": 500}, "upstream"), ({"cut": True}, "upstream")],
    ids=["429", "500", "cut"],
)
def test_a_lasting_fault_is_given_up_after_so_many_tries(
    models: Any, chat: Any, waits: Any, fault: Any, provider: str, lasting: Any, kind: str
) -> None:
    models.faults = [fault(**lasting)] * 5
    assert failing(chat, NAMES[provider]).kind == kind
    assert (len(models.requests), len(waits)) == (3, 2)


def test_the_settings_say_how_often(models: Any, opened: Any, on_server: Any, waits: Any, fault: Any) -> None:
    models.faults = [fault(500)] * 5
    failing(opened(on_server(models.url, tries=1)), "qwen2.5")
    assert (len(models.requests), waits) == (1, [])


@every
@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "7"},
        {"Retry-After": "Sat, 21 Nov 2026 18:00:07 GMT", "Date": "Sat, 21 Nov 2026 18:00:00 GMT"},
    ],
    ids=["seconds", "date"],
)
def test_a_wait_that_the_server_asks_for_is_kept(
    models: Any, chat: Any, waits: Any, fault: Any, provider: str, headers: Any, monkeypatch: Any
) -> None:
    # The fake server writes a date of its own; ours is the later header of the two.
    monkeypatch.setattr("http.server.BaseHTTPRequestHandler.date_time_string", lambda *_: headers.get("Date", ""))
    given = {name: text for name, text in headers.items() if name != "Date"}
    models.faults = [fault(429, headers=given)]
    assert chat(MESSAGES, NAMES[provider]).content == "Hello."
    assert waits == [7.0]


def test_a_wait_that_is_too_long_is_not_waited_for_and_told(models: Any, chat: Any, waits: Any, fault: Any) -> None:
    models.faults = [fault(429, headers={"Retry-After": "3600"})]
    error = failing(chat, "kimi/kimi-k2.6")
    assert (error.kind, waits) == ("rate_limited", [])
    assert "asks to wait 3600 s" in error.what


@pytest.mark.parametrize("asked", ["soon", "-1", "Sat, 99 Nov", ""])
def test_a_wait_that_cannot_be_read_is_as_none(models: Any, chat: Any, waits: Any, fault: Any, asked: str) -> None:
    models.faults = [fault(429, headers={"Retry-After": asked})]
    chat(MESSAGES, "qwen2.5")
    assert waits == [FIRST_WAIT]


@every
def test_a_slow_first_byte_is_a_timeout(
    models: Any, opened: Any, on_server: Any, waits: Any, fault: Any, provider: str
) -> None:
    models.faults = [fault(slow=True)] * 2
    error = failing(opened(on_server(models.url, timeout=0.1, tries=2)), NAMES[provider])
    assert (error.kind, len(waits)) == ("timeout", 1)
    assert "does not answer within 0.1 s" in error.what
    assert "[chat] timeout" in error.mend


@every
def test_an_answer_that_drips_is_a_timeout_as_a_whole(
    models: Any, opened: Any, on_server: Any, fault: Any, provider: str
) -> None:
    clock = iter(range(0, 10_000, 100))
    models.faults = [fault(body=b" ", drip=True)]
    chat = opened(on_server(models.url, tries=1), monotonic=lambda: float(next(clock)))
    error = failing(chat, NAMES[provider])
    assert (error.kind, "within 10 s" in error.what) == ("timeout", True)


@every
@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b"[]",
        b"null",
        b'{"choices":[],"message":{},"response":null}',
        b'{"choices":[{}],"message":{"role":"assistant"}}',
        b'{"choices":[{"message":{}}],"message":{"role":"assistant","content":null}}',
        b'{"choices":[{"message":{"content":7}}],"message":{"role":"assistant","content":7},"response":7}',
        b'{"choices":"none","message":"none","response":["none"]}',
        b'{"choices":[{"message":{"content":"\xff"}}],"message":{"role":"a","content":"\xff"},"response":"\xff"}',
    ],
    ids=[
        "html",
        "nothing",
        "array",
        "null",
        "no choices",
        "no message",
        "no text",
        "a number",
        "wrong types",
        "no UTF-8",
    ],
)
def test_an_answer_of_no_known_shape_is_a_bad_answer_at_once(
    models: Any, chat: Any, waits: Any, fault: Any, provider: str, body: bytes
) -> None:
    models.faults = [fault(200, body)]
    error = failing(chat, NAMES[provider])
    assert (error.kind, waits) == ("bad_answer", [])
    assert f"[chat.providers.{provider}] url" in error.mend


@every
@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0\n"])
def test_an_answer_without_a_word_is_a_blank_answer_at_once(
    models: Any, chat: Any, waits: Any, provider: str, text: str
) -> None:
    models.says = text
    error = failing(chat, NAMES[provider])
    assert (error.kind, waits, len(models.requests)) == ("blank_answer", [], 1)
    assert "without a word" in error.what
    assert "another model" in error.mend


@every
def test_a_blank_answer_that_was_cut_off_is_one(models: Any, chat: Any, provider: str) -> None:
    models.says, models.reason = " \n", "length"
    assert chat(MESSAGES, NAMES[provider]).content == " \n"


FOREIGN = "sk-or-v1-" + "5e0c" * 16


@every
@pytest.mark.parametrize(
    "body",
    [
        f'{{"error":{{"message":"no credits for {FOREIGN}"}}}}',
        f'{{"error":"no credits for {FOREIGN}"}}',
        f"no credits for {FOREIGN}",
        f"{'x' * 170} no credits for {FOREIGN}",
    ],
    ids=["openai", "ollama", "text", "where the line is cut"],
)
def test_a_key_of_somebody_else_that_a_server_tells_is_masked(
    models: Any, chat: Any, fault: Any, provider: str, body: str
) -> None:
    models.faults = [fault(402, body.encode())]
    error = failing(chat, NAMES[provider])
    assert "no credits for [secret" in error.what
    assert FOREIGN[:12] not in f"{error} {error!r} {vars(error)}"


@every
def test_what_a_server_says_cannot_steer_the_terminal(models: Any, chat: Any, fault: Any, provider: str) -> None:
    models.faults = [fault(400, b'{"error":"a\\u001b[2Jb"}')]
    assert "a\N{REPLACEMENT CHARACTER}[2Jb" in failing(chat, NAMES[provider]).what


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cloud_strng", "the tiers are default, local_fast, local_judge, cloud_strong, mine"),
        ("my_tier", "the tiers are default"),
        ("defualt", "the tiers are default"),
        ("kimi", "a model of kimi is written `kimi/<model>`"),
    ],
)
def test_a_name_that_looks_like_a_tier_is_told_which_there_are(models: Any, opened: Any, name: str, says: str) -> None:
    chat = opened(models={"mine": "qwen2.5"})
    error = failing(chat, name)
    assert (error.kind, says in error.mend, f"`ollama pull {name}`" in error.mend) == ("model_not_found", True, True)
    models.close()
    assert (failing(chat, name).kind, says in failing(chat, name).mend) == ("unreachable", True)


@pytest.mark.parametrize("name", ["missing", "missing_model:7b", "ollama/cloud_strng", "hf.co/a_b/c", "kimi/no_model"])
def test_a_name_that_is_no_tiers_is_not_taken_for_one(models: Any, chat: Any, name: str) -> None:
    assert "tiers" not in failing(chat, name).mend


def test_an_error_inside_an_answer_is_what_it_says(models: Any, chat: Any, waits: Any, fault: Any) -> None:
    inside = b'{"error":{"code":429,"message":"slow down"}}'
    models.faults = [fault(200, inside), fault(200, b'{"choices":[{"finish_reason":"error","error":{"code":502}}]}')]
    assert chat(MESSAGES, "openrouter/vendor/model").content == "Hello."
    assert len(waits) == 2
    models.faults = [fault(200, inside)] * 3
    assert failing(chat, "openrouter/vendor/model").kind == "rate_limited"


@every
def test_nobody_at_the_address_is_unreachable_with_how_to_start_it(
    models: Any, opened: Any, waits: Any, provider: str
) -> None:
    chat = opened()
    models.close()
    error = failing(chat, NAMES[provider])
    assert (error.kind, len(waits)) == ("unreachable", 2)
    assert models.url in error.where
    if provider == "ollama":
        assert "`ollama serve`" in error.mend
        assert "`ollama pull qwen2.5`" in error.mend
        assert "OLLAMA_HOST" in error.mend


def test_the_jitter_spreads_the_waits(models: Any, opened: Any, waits: Any, fault: Any) -> None:
    models.faults = [fault(500)]
    opened(jitter=lambda: 0.0)(MESSAGES, "qwen2.5")
    assert waits == [FIRST_WAIT / 2]


@pytest.mark.parametrize("provider", [name for name in NAMES if name != "ollama"])
@pytest.mark.parametrize("kind", ["401", "500", "200", "cut", "inside", "nobody"])
def test_no_key_is_in_any_error_log_or_form(
    models: Any, opened: Any, keys: Any, fault: Any, caplog: Any, provider: str, kind: str
) -> None:
    key = keys[provider][1]
    # A server that tells us our own key.
    body = f'{{"error":{{"code":500,"message":"Incorrect API key provided: {key}, or {key}"}}}}'.encode()
    faults = {
        "401": fault(401, body),
        "500": fault(500, body),
        "200": fault(200, f"<html>{key}".encode()),
        "cut": fault(200, body, cut=True),
        "inside": fault(200, body),
        "nobody": fault(),
    }
    chat = opened()
    models.faults = [faults[kind]] * 3
    if kind == "nobody":
        models.close()
    with caplog.at_level(logging.DEBUG):
        error = failing(chat, NAMES[provider])
    shown = [
        str(error),
        repr(error),
        repr(vars(error)),
        "".join(traceback.format_exception(error)),
        pickle.dumps(error).decode("latin-1"),
        repr(chat.providers()),
        msgspec.json.encode(chat.providers()).decode(),
        repr(vars(chat)),
        caplog.text,
        "".join(str(vars(record)) for record in caplog.records),
    ]
    behind: BaseException | None = error
    while behind is not None:
        shown.append(f"{behind!r} {vars(behind)}")
        behind = behind.__cause__ or behind.__context__
    assert [text for text in shown if key in text] == []


def test_an_error_keeps_its_kind_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ChatError.of("timeout", "what", where="where", mend="mend")))
    assert (error.kind, error.what, error.where, error.mend) == ("timeout", "what", "where", "mend")
