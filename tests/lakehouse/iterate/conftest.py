"""A model that says what a test tells it to, clocks that stand still or step, and a validator of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakehouse.chat.answer import ChatAnswer, ChatError, Messages
from lakehouse.iterate import IterateOutcome, IterateRequest, iterate
from lakehouse.records import Fault, SessionRecord, ValidationError
from lakehouse.sessions import SessionLog

NOON = datetime(2026, 5, 10, 12, tzinfo=UTC)
OWN_ID = "18abbabdc2306a83-c2306aa9"
UNREACHABLE = ChatError.of(
    "unreachable", "nobody answers", where="ollama at http://127.0.0.1:11434", mend="start it with `ollama serve`"
)


def answer(content: str, **changes: Any) -> ChatAnswer:
    given: dict[str, Any] = {
        "model": "qwen2.5:latest",
        "provider": "ollama",
        "finish_reason": "stop",
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "latency_ms": 40,
    }
    return ChatAnswer(content=content, **{**given, **changes})


class Scripted:
    """A chat that gives its answers in turn; an exception among them is raised. `asked` are the messages of each call."""

    def __init__(self, answers: Sequence[str | ChatAnswer | BaseException]) -> None:
        self._answers = list(answers)
        self.asked: list[Messages] = []
        self.models: list[str] = []

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
        self.asked.append(messages)
        self.models.append(model)
        said = self._answers.pop(0)
        if isinstance(said, BaseException):
            raise said
        return answer(said) if isinstance(said, str) else said


class Stepping:
    """A clock in seconds that goes on by a quarter at each look."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 0.25
        return self.now


def big_enough(kind: str, payload: Any) -> list[ValidationError]:
    """Want `{"n": at least 10}`."""
    if payload.get("n", 0) >= 10:
        return []
    return [ValidationError(completeness=Fault(reason=f"n is {payload.get('n', 0)}, at least 10"))]


class Desk:
    """Where a test makes sessions, with a log on disk."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "_kb" / "sessions.jsonl"
        self.log = SessionLog(self.path)
        self.chat = Scripted([])

    def ask(self, *answers: str | ChatAnswer | BaseException, kind: str = "email", **changes: Any) -> IterateOutcome:
        options = {name: changes.pop(name) for name in ("log", "grounded", "watch", "validate") if name in changes}
        self.chat = Scripted(answers)
        return iterate(
            IterateRequest(**{"kind": kind, "prompt": "a number", "model": "qwen2.5:latest", **changes}),
            self.chat,
            options.get("validate", big_enough),
            log=options.get("log", self.log),
            clock=lambda: NOON,
            monotonic=Stepping(),
            new_id=lambda: OWN_ID,
            grounded=options.get("grounded", lambda payload: True),
            watch=options.get("watch"),
        )

    @property
    def lines(self) -> list[bytes]:
        return self.path.read_bytes().splitlines() if self.path.exists() else []

    @property
    def record(self) -> SessionRecord:
        (line,) = self.lines
        return msgspec.json.decode(line, type=SessionRecord)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
