"""The shape of a provider: what it is given, what it answers, and how it is declared.

Here: the types that every provider's file fills. Not here: the list of providers (`__init__.py`), and who retries and makes
errors of failures (`../registry.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from lakehouse.chat.answer import Messages
from lakehouse.chat.keys import Key
from lakehouse.chat.passages import Retrieve

Format = str | Mapping[str, Any] | None
"""`json`, a JSON schema, or nothing."""


class Ask(NamedTuple):
    """What a model is asked; `model` by the name that its provider has for it."""

    messages: Messages
    model: str
    format: Format = None
    temperature: float = 0.0
    max_tokens: int | None = None
    think: bool = False


class Said(NamedTuple):
    """What it said; see `ChatAnswer`."""

    content: str
    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Provider(Protocol):
    """An opened provider, safe to ask from many threads. One call is one request: others try again."""

    def ask(self, ask: Ask) -> Said:
        """Ask once. Raises `lakehouse.upstream.Failed`, or `ChatError` where it knows better."""
        ...

    def models(self) -> list[str]:
        """Name what the server lists. Raises `lakehouse.upstream.Failed`."""
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


@dataclass(frozen=True)
class Opening:
    """What a provider is opened with: its address, its key, how many seconds a request may take.

    `monotonic` is the clock that those are measured by, `retrieve` what a provider without a model answers from.
    """

    url: str
    key: Key | None
    timeout: float
    monotonic: Callable[[], float]
    retrieve: Retrieve | None = None

    @property
    def secret(self) -> str:
        """The key as text, empty where there is none."""
        return self.key.reveal() if self.key else ""


class ProviderSpec(NamedTuple):
    """A provider by name. Without `key_env` it needs no key, without `url` it asks no server of its own.

    `start` says what to do where its server cannot be reached, `pull` where it does not know a model (with `{model}`).
    `packages` must be importable.
    """

    name: str
    title: str
    url: str
    key_env: str
    packages: tuple[str, ...]
    start: str
    pull: str
    open: Callable[[Opening], Provider]
