"""What goes into a call of iterate and what comes out of it.

Here: the request with its bounds, the outcome, and the functions that the loop takes. Not here: the loop (`loop.py`), what
the model reads (`prompts.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lakehouse.chat.answer import ChatError, Messages
from lakehouse.errors import UsageError
from lakehouse.records import SessionAttempt, SessionRecord, ValidationError

FILL: Final = "fill"
"""The kind whose artifacts name workers, and so are held against the roster once more."""

DAEMON: Final = "lakehouse"
"""Who writes our lines in a log that other runtimes write too."""

MOST_ITERATIONS: Final = 20
_LONGEST_NAME: Final = 256
_NO_NAME: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NO_TEXT: Final = re.compile(r"[\ud800-\udfff]")

Validate = Callable[[str, Any], list[ValidationError]]
"""From a kind and a payload to its errors; none is valid."""

Grounded = Callable[[Any], bool]
"""Says of a fill whether the roster holds every worker in it. It asks the roster itself, whatever a validator found."""


class IterateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for, of which model, and how often at most.

    `trace_id` is the caller's, and becomes the session's id. `model` is a name that the chat routes, no tier.
    """

    kind: str
    prompt: str
    model: str
    max_iterations: int = 3
    trace_id: str = ""
    daemon: str = DAEMON
    max_tokens: int | None = None


@dataclass(frozen=True)
class AttemptSeen:
    """One attempt as it ended, for who traces it: what was sent, what came back, what became of it.

    `raw` is `None` where no answer came.
    """

    session_id: str
    messages: Messages
    raw: str | None
    attempt: SessionAttempt


Watch = Callable[[AttemptSeen], None]


@dataclass(frozen=True)
class IterateOutcome:
    """How a session ended. `record` is what the log got, `logged` whether it did (`None`: there is no log).

    `errors` are those of the last attempt, `failure` is the chat's where the verdict is `infra_error`.
    """

    record: SessionRecord
    errors: tuple[ValidationError, ...] = ()
    failure: ChatError | None = None
    logged: bool | None = None

    @property
    def session_id(self) -> str:
        """The id by which log and traces know the session."""
        return self.record.session_id

    trace_id = session_id

    @property
    def verdict(self) -> str:
        """One of `accepted`, `max_iter_exhausted`, `infra_error`."""
        return self.record.verdict

    @property
    def artifact(self) -> Any:
        """The accepted object; `None` without one."""
        return self.record.artifact

    @property
    def attempts(self) -> list[SessionAttempt]:
        """Every attempt, in order."""
        return self.record.attempts

    @property
    def usable(self) -> bool:
        """Whether the artifact may be used: it is accepted, and a fill is grounded in the roster."""
        return self.record.verdict == "accepted" and self.record.grounded_in_roster is not False


def check(request: IterateRequest) -> None:
    """Refuse a request that could not be a session. Raises `UsageError` naming the field."""
    if not 1 <= request.max_iterations <= MOST_ITERATIONS:
        raise UsageError(
            f"{request.max_iterations} is outside 1 to {MOST_ITERATIONS}",
            where="max_iterations",
            mend="3 is the usual number",
        )
    if request.max_tokens is not None and request.max_tokens < 1:
        raise UsageError(f"{request.max_tokens} is less than 1", where="max_tokens", mend="leave it out, or give more")
    if not request.prompt.strip():
        raise UsageError("the prompt is empty", where="prompt", mend="say what is to be made")
    if _NO_TEXT.search(request.prompt):
        raise UsageError("the prompt is no valid Unicode", where="prompt", mend="give it in UTF-8")
    for name in ("kind", "model", "daemon"):
        if not getattr(request, name).strip():
            raise UsageError(f"the {name} is empty", where=name, mend="name one")
    for name in ("kind", "model", "daemon", "trace_id"):
        if len(getattr(request, name)) > _LONGEST_NAME or _NO_NAME.search(getattr(request, name)):
            raise UsageError(
                f"this is no {name}",
                where=name,
                mend=f"at most {_LONGEST_NAME} characters, none of them a control character",
            )
