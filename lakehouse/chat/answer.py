"""What a chat gives back, how it fails, and what everything that asks a model takes: a `Chat`.

Here: the types. Not here: which provider answers (`registry.py`) and how (`providers/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from lakehouse.errors import OutsideFailure

Messages = Sequence[Mapping[str, Any]]
"""Chat messages, `{role, content}` each."""

Kind = Literal[
    "provider_not_configured",
    "unreachable",
    "timeout",
    "unauthorized",
    "model_not_found",
    "rate_limited",
    "upstream",
    "bad_answer",
    "blank_answer",
    "nothing_retrieved",
]
"""Why there is no answer. `nothing_retrieved` is said by a provider that answers from passages alone, and had none."""


class ChatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model said. `model` is what was sent upstream; tokens are `None` where the server does not count them.

    `finish_reason` is the server's own word where it gives one: `length` is not `stop`.
    """

    content: str
    model: str
    provider: str
    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_ms: int


class ChatError(OutsideFailure):
    """A call that gave no answer. `kind` says why, `where` who was asked and where, never a key."""

    kind: Kind = "upstream"

    def __reduce__(self) -> tuple[object, ...]:
        # The kind travels between processes too.
        return (ChatError.of_parts, (self.kind, self.what, self.where, self.mend))

    @classmethod
    def of_parts(cls, kind: Kind, what: str, where: str, mend: str) -> ChatError:
        """Make an error again from what it was made of."""
        return cls.of(kind, what, where=where, mend=mend)

    @classmethod
    def of(cls, kind: Kind, what: str, *, where: str, mend: str) -> ChatError:
        """Make an error of a kind."""
        error = cls(what, where=where, mend=mend)
        error.kind = kind
        return error


class Chat(Protocol):
    """Asks a model by its routed name. Raises `ChatError`, and `UsageError` for what can be asked of nobody."""

    def __call__(
        self,
        messages: Messages,
        model: str,
        *,
        format: str | Mapping[str, Any] | None = None,  # noqa: A002 - the name that every API has for it
        temperature: float = 0.0,
        max_tokens: int | None = None,
        think: bool = False,
    ) -> ChatAnswer:
        """Give the answer to messages."""
        ...
