"""Local models: a server of Ollama, asked by `/api/chat`.

Here: the request and the answer. Not here: Ollama Cloud, which takes another path (`ollama_cloud.py`).

Without `think`, models that can reason are told not to, so that a call with few tokens gets an answer and not the beginning
of a thought. Source: Ollama's API documentation, "Generate a chat completion".
"""

from __future__ import annotations

from typing import Any

from lakehouse.chat.providers.spec import Ask, Opening, ProviderSpec, Said
from lakehouse.clients import bounded, ollama_client, patience
from lakehouse.upstream import blank, by_ollama, malformed

NAME = "ollama"


class Ollama:
    """A server that speaks Ollama's API."""

    def __init__(self, opening: Opening) -> None:
        self.client = client(opening)
        self._opening = opening

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()

    def ask(self, ask: Ask) -> Said:
        """Ask once; see `Provider`."""
        given = self.call(
            lambda: self.client.chat(
                ask.model,
                [dict(message) for message in ask.messages],
                think=ask.think,
                format=ask.format,
                options=options(ask),
            )
        )
        return said(given, given.message.content)

    def models(self) -> list[str]:
        """Name the models that the server holds."""
        return [str(one.model) for one in self.call(self.client.list).models]

    def call(self, request: Any) -> Any:
        """Make one request."""
        return by_ollama(request, self._opening.timeout, secret=self._opening.secret)


def client(opening: Opening) -> Any:
    """Make the client. Its bearer is the provider's key: the client's own choice of one is taken off (`lakehouse/clients.py`)."""
    import httpx

    hooks = bounded(opening.secret, opening.timeout, opening.monotonic)
    return ollama_client(opening.url, patience(httpx, opening.timeout), hooks, opening.secret)


def options(ask: Ask) -> dict[str, Any]:
    """Give the options of a request."""
    given: dict[str, Any] = {"temperature": ask.temperature}
    if ask.max_tokens is not None:
        given["num_predict"] = ask.max_tokens
    return given


def said(answer: Any, content: str | None) -> Said:
    """Read an answer. The server's own `done_reason` counts: one that was cut off says `done` too.

    A model that was cut off before its first word said nothing, which is an answer; no text at all else is none.
    """
    reason = answer.done_reason or ("stop" if answer.done else "unfinished")
    if content is None and reason != "length":
        raise malformed("gives a message without a text")
    if not (content or "").strip() and reason != "length":
        raise blank()
    return Said(content or "", reason, answer.prompt_eval_count, answer.eval_count)


SPEC = ProviderSpec(
    NAME,
    "local models on Ollama",
    "http://127.0.0.1:11434",
    "",
    ("ollama",),
    "start it with `ollama serve`; OLLAMA_HOST names another one",
    "`ollama pull {model}`",
    Ollama,
)
