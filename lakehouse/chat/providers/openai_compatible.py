"""Whoever speaks OpenAI's chat completions: the request and the answer that OpenRouter, OpenCode and Kimi share.

Here: both, by the `openai` client, which neither streams nor tries again. Not here: addresses and keys (a file each).

The body of an answer is read strictly and by ourselves: the client would make an object of anything. `think` becomes
`reasoning_effort`; without it a model does as it does. Source: OpenAI's API reference, "Create chat completion"; of errors
in answers with status 200, OpenRouter's documentation, "Errors".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lakehouse.chat.providers.spec import Ask, Format, Opening, Said
from lakehouse.clients import bounded, patience
from lakehouse.upstream import MISSING, Failed, blank, broken, late, malformed, refused, unreachable

_NO_MODEL = "not a valid model"
"""What OpenRouter says, under status 400, of a model that it does not have."""


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    error: Any = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class OpenAICompatible:
    """A server that speaks chat completions."""

    def __init__(self, opening: Opening) -> None:
        import openai

        self._opening = opening
        self._client = openai.OpenAI(
            api_key=opening.secret,
            base_url=opening.url,
            max_retries=0,
            # Said outright, for a header of the environment (OPENAI_CUSTOM_HEADERS) would stand in its place.
            default_headers={"Authorization": f"Bearer {opening.secret}"},
            http_client=openai.DefaultHttpxClient(
                timeout=patience(openai, opening.timeout),
                follow_redirects=False,
                event_hooks=bounded(opening.secret, opening.timeout, opening.monotonic),
            ),
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def ask(self, ask: Ask) -> Said:
        """Ask once; see `Provider`."""
        raw = self._client.chat.completions.with_raw_response
        return self._said(self._call(lambda: raw.create(**request(ask)), _Completion))

    def models(self) -> list[str]:
        """Name the models that the server lists."""
        return [one.id for one in self._call(self._client.models.with_raw_response.list, _Models).data]

    def _call(self, ask: Callable[[], Any], shape: type[Any]) -> Any:
        """Make one request and read its body; every way in which it can go wrong becomes a `Failed`.

        It is raised outside of the handlers, for the client's errors hold the request.
        """
        import openai

        try:
            return msgspec.json.decode(ask().http_response.content, type=shape)
        except openai.APIConnectionError as error:
            why = type(error.__cause__).__name__
            if why in {"ConnectError", "ConnectTimeout"}:
                failed = unreachable(error.__cause__ or error)
            elif isinstance(error, openai.APITimeoutError):
                failed = late(self._opening.timeout)
            else:
                failed = broken(error.__cause__ or error)
        except openai.APIStatusError as error:
            failed = self._refused(error.status_code, error.response.text, error.response.headers)
        except (msgspec.DecodeError, UnicodeDecodeError):
            failed = malformed()
        raise failed

    def _refused(self, status: int, body: str, headers: Mapping[str, str]) -> Failed:
        failed = refused(status, body, headers, secret=self._opening.secret)
        if status == 400 and _NO_MODEL in body:
            failed.status = MISSING
        return failed

    def _said(self, answer: _Completion) -> Said:
        if not answer.choices:
            raise self._inside(answer.error) or malformed("gives an answer without any choice")
        first = answer.choices[0]
        if first.error is not None:
            raise self._inside(first.error) or malformed()
        if first.message is None:
            raise malformed("gives a choice without a message")
        reason = first.finish_reason or "unknown"
        content = first.message.content
        if content is None and reason != "length":
            raise malformed("gives a message without a text")
        if not (content or "").strip() and reason != "length":
            raise blank()
        usage = answer.usage or _Usage()
        return Said(content or "", reason, usage.prompt_tokens, usage.completion_tokens)

    def _inside(self, error: Any) -> Failed | None:
        """Read an error that comes as an answer with status 200; `None` where there is none."""
        if error is None:
            return None
        code = error.get("code") if isinstance(error, dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
        return self._refused(status, msgspec.json.encode({"error": error}).decode(), {})


def request(ask: Ask) -> dict[str, Any]:
    """Give what is sent; what was not asked for is left out, and the server's own default counts."""
    given: dict[str, Any] = {
        "model": ask.model,
        "messages": [dict(message) for message in ask.messages],
        "temperature": ask.temperature,
        "stream": False,
    }
    if ask.max_tokens is not None:
        given["max_tokens"] = ask.max_tokens
    if ask.format is not None:
        given["response_format"] = response_format(ask.format)
    if ask.think:
        given["reasoning_effort"] = "medium"
    return given


def response_format(form: Format) -> dict[str, Any]:
    """Give OpenAI's word for a format: `json`, or a schema."""
    if isinstance(form, Mapping):
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(form)}}
    return {"type": "json_object"}
