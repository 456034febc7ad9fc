"""What goes upstream to each provider, and what is read of its answers."""

import json
from typing import Any

import pytest

from lakehouse.chat.answer import ChatError
from lakehouse.chat.providers.ollama_cloud import flatten
from lakehouse.errors import UsageError

MESSAGES = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Who?"}]
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
OPENAI = ["openrouter/vendor/model", "opencode/kimi-k2.6", "kimi/kimi-k2.6"]


@pytest.mark.parametrize(
    ("name", "path", "upstream", "provider"),
    [
        ("qwen2.5", "/api/chat", "qwen2.5", "ollama"),
        ("qwen2.5:latest", "/api/chat", "qwen2.5:latest", "ollama"),
        ("ollama/qwen2.5", "/api/chat", "qwen2.5", "ollama"),
        ("ollama_cloud/kimi-k2.6", "/api/generate", "kimi-k2.6", "ollama_cloud"),
        ("kimi-k2.6:cloud", "/api/generate", "kimi-k2.6", "ollama_cloud"),
        ("ollama_cloud/kimi-k2.6:cloud", "/api/generate", "kimi-k2.6", "ollama_cloud"),
        ("openrouter/vendor/model", "/v1/chat/completions", "vendor/model", "openrouter"),
        ("openrouter/vendor/model:free", "/v1/chat/completions", "vendor/model:free", "openrouter"),
        ("opencode/kimi-k2.6", "/v1/chat/completions", "kimi-k2.6", "opencode"),
        ("kimi/kimi-k2.6", "/v1/chat/completions", "kimi-k2.6", "kimi"),
    ],
)
def test_each_name_reaches_its_provider_and_the_answer_says_who_spoke(
    models: Any, chat: Any, keys: Any, name: str, path: str, upstream: str, provider: str
) -> None:
    answer = chat(MESSAGES, name)
    (request,) = models.requests
    assert (request.path, request.body["model"], request.body["stream"]) == (path, upstream, False)
    assert request.headers.get("authorization") == (f"Bearer {keys[provider][1]}" if provider in keys else None)
    assert (answer.content, answer.model, answer.provider, answer.finish_reason) == (
        "Hello.",
        upstream,
        provider,
        "stop",
    )
    assert (answer.prompt_tokens, answer.completion_tokens) == (7, 3)
    assert answer.latency_ms >= 0


def test_a_local_model_is_asked_not_to_think_and_its_options_go_along(models: Any, chat: Any) -> None:
    chat(MESSAGES, "qwen2.5", temperature=0.5, max_tokens=10)
    body = models.last.body
    assert body["messages"] == MESSAGES
    assert (body["think"], body["options"], "format" in body) == (False, {"temperature": 0.5, "num_predict": 10}, False)


def test_ollama_cloud_gets_one_prompt_and_is_asked_not_to_think(models: Any, chat: Any) -> None:
    chat(MESSAGES, "kimi-k2.6:cloud", max_tokens=10)
    body = models.last.body
    assert (body["prompt"], body["system"], body["think"]) == ("Who?", "Be short.", False)
    assert body["options"] == {"temperature": 0.0, "num_predict": 10}
    assert "messages" not in body


@pytest.mark.parametrize("name", OPENAI)
def test_openais_kin_get_its_fields_and_nothing_that_was_not_asked(models: Any, chat: Any, name: str) -> None:
    chat(MESSAGES, name)
    assert models.last.body == {
        "model": name.partition("/")[2],
        "messages": MESSAGES,
        "temperature": 0.0,
        "stream": False,
    }
    chat(MESSAGES, name, max_tokens=10, think=True)
    assert (models.last.body["max_tokens"], models.last.body["reasoning_effort"]) == (10, "medium")


@pytest.mark.parametrize("name", ["qwen2.5", "kimi-k2.6:cloud"])
def test_who_asks_for_thinking_gets_it(models: Any, chat: Any, name: str) -> None:
    chat(MESSAGES, name, think=True)
    assert models.last.body["think"] is True


@pytest.mark.parametrize(
    ("name", "field", "as_json", "as_schema"),
    [
        ("qwen2.5", "format", "json", SCHEMA),
        ("kimi-k2.6:cloud", "format", "json", SCHEMA),
        (
            "kimi/kimi-k2.6",
            "response_format",
            {"type": "json_object"},
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
        ),
    ],
)
def test_json_and_schemas_are_asked_for_in_the_words_of_each_api(
    models: Any, chat: Any, name: str, field: str, as_json: Any, as_schema: Any
) -> None:
    chat(MESSAGES, name, format="json")
    assert models.last.body[field] == as_json
    chat(MESSAGES, name, format=SCHEMA)
    assert models.last.body[field] == as_schema


@pytest.mark.parametrize("name", ["qwen2.5", "kimi-k2.6:cloud", "kimi/kimi-k2.6"])
def test_an_answer_that_was_cut_off_is_not_a_stop(models: Any, chat: Any, name: str) -> None:
    models.reason = "length"
    assert chat(MESSAGES, name).finish_reason == "length"
    models.says = ""
    assert (chat(MESSAGES, name).content, chat(MESSAGES, name).finish_reason) == ("", "length")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"done": True, "done_reason": "load"}, "load"),
        ({"done": True}, "stop"),
        ({"done": True, "done_reason": ""}, "stop"),
        ({"done": False}, "unfinished"),
        ({}, "unfinished"),
    ],
)
def test_without_a_reason_of_its_own_a_local_server_is_taken_at_done(
    models: Any, chat: Any, fault: Any, body: Any, reason: str
) -> None:
    models.faults = [fault(200, json.dumps({"message": {"role": "assistant", "content": "x"}, **body}).encode())]
    assert chat(MESSAGES, "qwen2.5").finish_reason == reason


def test_openais_kin_without_a_reason_is_unknown_and_tokens_stay_absent(models: Any, chat: Any, fault: Any) -> None:
    models.faults = [fault(200, b'{"choices":[{"message":{"content":"x"}}]}')]
    answer = chat(MESSAGES, "kimi/kimi-k2.6")
    assert (answer.finish_reason, answer.prompt_tokens, answer.completion_tokens) == ("unknown", None, None)


def test_a_tier_is_a_name_too(models: Any, opened: Any) -> None:
    answer = opened(models={"local_judge": "ollama/qwen3.5"})(MESSAGES, "local_judge")
    assert answer.model == "qwen3.5"


@pytest.mark.parametrize(
    ("messages", "flat"),
    [
        ([{"role": "user", "content": "a"}], ("", "a")),
        (MESSAGES, ("Be short.", "Who?")),
        (
            [*MESSAGES, {"role": "assistant", "content": "Ann."}, {"role": "user", "content": "Why?"}],
            ("Be short.", "User: Who?\n\nAssistant: Ann.\n\nUser: Why?\n\nAssistant:"),
        ),
        ([{"role": "system", "content": "a"}, {"role": "system", "content": "b"}], ("a\n\nb", "Assistant:")),
    ],
)
def test_messages_become_one_prompt_in_their_order(messages: Any, flat: Any) -> None:
    assert flatten(messages) == flat


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"messages": []}, "messages: is empty"),
        ({"messages": [{"role": "wizard", "content": "a"}]}, r"messages\[0\].role"),
        ({"messages": [{"role": "user"}]}, r"messages\[0\].content"),
        ({"format": "xml"}, "format: is 'xml'"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"model": "kimi/"}, "names no model"),
    ],
)
def test_what_can_be_asked_of_nobody_is_wrong_usage_and_nobody_is_asked(
    models: Any, chat: Any, given: Any, names: str
) -> None:
    with pytest.raises(UsageError, match=names):
        chat(**{"messages": MESSAGES, "model": "qwen2.5", **given})
    assert models.requests == []


def test_only_our_own_headers_leave_whatever_the_clients_find_in_the_environment(
    models: Any, opened: Any, keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = ["OLLAMA_API_KEY", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"]
    for name in planted:
        monkeypatch.setenv(name, f"planted-{name}")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Mine: planted-header\nAuthorization: Bearer planted-other")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/planted")
    chat = opened()
    for name in ("qwen2.5", "kimi-k2.6:cloud", *OPENAI):
        chat(MESSAGES, name)
    sent = [request.headers for request in models.requests]
    assert "planted-O" not in str(sent)
    assert "planted-header" not in str(sent)
    assert "planted-other" not in str(sent)
    assert "x-stainless-os" not in str(sent)
    assert [one.get("authorization") for one in sent] == [
        None,
        *(f"Bearer {keys[name][1]}" for name in ("ollama_cloud", "openrouter", "opencode", "kimi")),
    ]


def test_a_key_for_the_local_server_is_sent_where_one_is_configured(models: Any, opened: Any) -> None:
    from lakehouse.settings import ChatSettings, ProviderSettings, Settings

    settings = Settings(chat=ChatSettings(providers={"ollama": ProviderSettings(key_env="MY_GATE")}))
    opened(settings, {"MY_GATE": "gate-1"})(MESSAGES, "qwen2.5")
    assert models.last.headers["authorization"] == "Bearer gate-1"
    with pytest.raises(ChatError, match="MY_GATE is not set"):
        opened(settings, {})(MESSAGES, "qwen2.5")


@pytest.mark.parametrize("name", ["qwen2.5", "kimi-k2.6:cloud", *OPENAI])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_is_asked_but_who_is_named_wherever_that_one_sends_us(
    models: Any, chat: Any, fault: Any, waits: Any, name: str, status: int
) -> None:
    other = type(models)()
    try:
        models.faults = [fault(status, headers={"Location": f"{other.url}/api/chat?token=hidden-word"})]
        with pytest.raises(ChatError) as failed:
            chat(MESSAGES, name)
        assert (failed.value.kind, other.requests, len(models.requests), waits) == ("upstream", [], 1, [])
        assert f"answers {status} and sends us to {other.url}" in failed.value.what
        assert "url" in failed.value.mend
        assert "hidden-word" not in str(failed.value)
    finally:
        other.close()
