"""The loop: ask, extract, validate, ask again; one record for each call, whatever happened.

Here: `iterate`. Not here: request and outcome (`session.py`), what the model reads (`prompts.py`), how a record is appended
(`lakehouse.sessions.log`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, Protocol

from lakehouse.chat.answer import Chat, ChatAnswer, ChatError, Messages
from lakehouse.chat.routing import route
from lakehouse.errors import LakehouseError
from lakehouse.extract_json import extract_json
from lakehouse.iterate import prompts
from lakehouse.iterate.session import (
    FILL,
    AttemptSeen,
    Grounded,
    IterateOutcome,
    IterateRequest,
    Validate,
    Watch,
    check,
)
from lakehouse.records import SessionAttempt, SessionRecord, ValidationError
from lakehouse.secrets import mask
from lakehouse.timestamps import written

MOST_TOLD = 500
"""Characters of a failure that a record keeps."""

_logger = logging.getLogger(__name__)


class Log(Protocol):
    """Where records go: `lakehouse.sessions.SessionLog`."""

    def append(self, record: SessionRecord) -> bool | None:
        """Append a record; say whether it stands there, `None` where the log is switched off. Raises nothing."""
        ...


def iterate(
    request: IterateRequest,
    chat: Chat,
    validate: Validate,
    *,
    log: Log | None,
    clock: Callable[[], datetime],
    monotonic: Callable[[], float],
    new_id: Callable[[], str],
    grounded: Grounded,
    watch: Watch | None = None,
) -> IterateOutcome:
    """Ask a model for an object of a kind until it is valid, `max_iterations` times at most.

    The outcome is `accepted` with the artifact, `max_iter_exhausted` with the errors of the last attempt, or
    `infra_error`: a `ChatError` (but `blank_answer`) ends the session at once and is the outcome's `failure`. Any other exception (of a
    validator, of the roster, an interrupt) is recorded as `infra_error` too and raised again. `monotonic` counts seconds.
    Raises `UsageError` for a request that cannot be one; nothing is asked or recorded then.
    """
    check(request)
    name = request.trace_id.strip() or new_id()
    if not name:
        raise ValueError("new_id gave no id, and no session is without one")
    session = _Session(request, name, written(clock()), monotonic, watch)
    try:
        session.run(chat, validate, grounded)
    except BaseException as error:
        session.failed(error)
        raise
    finally:
        # Also on the way out of an exception: a call without a line in the log would be invisible.
        record = session.record()
        logged = None if log is None else log.append(record)
    return IterateOutcome(record, tuple(session.errors), session.failure, logged)


class _Session:
    """One call under way."""

    def __init__(
        self, request: IterateRequest, name: str, started: str, monotonic: Callable[[], float], watch: Watch | None
    ) -> None:
        self._request, self._name, self._started = request, name, started
        self._monotonic, self._watch = monotonic, watch
        self._began = self._attempt_began = monotonic()
        self._messages: Messages = ()
        self._answer: ChatAnswer | None = None
        self._doing, self._open = "preparing", False
        self._provider, self._model = route(request.model)
        self._attempts: list[SessionAttempt] = []
        self._verdict: Literal["accepted", "max_iter_exhausted", "infra_error"] = "infra_error"
        self._artifact: Any = None
        self._grounded: bool | None = None
        self.errors: list[ValidationError] = []
        self.failure: ChatError | None = None

    def run(self, chat: Chat, validate: Validate, grounded: Grounded) -> None:
        """Make the attempts; what they come to stands in the record."""
        request = self._request
        asked = self._messages = prompts.first(request.kind, request.prompt)
        while len(self._attempts) < request.max_iterations:
            self._answer, self._attempt_began, self._open = None, self._monotonic(), True
            self._doing = "asking the model"
            try:
                answer = chat(self._messages, request.model, max_tokens=request.max_tokens)
            except ChatError as error:
                if error.kind == "blank_answer":
                    # The model's doing, and no failure outside: it counts against the model, and it is asked once more.
                    self.errors = []
                    self._ended("no_json", "the model answered without a word")
                    self._messages = asked
                    continue
                self.failed(error)
                self.failure = error
                return
            self._answer, self._model, self._provider = answer, answer.model, answer.provider
            self._doing = "reading the answer"
            matched, value = extract_json(answer.content)
            if not matched:
                self.errors = []
                wrong = prompts.no_json(answer.content, answer.finish_reason)
                self._ended("no_json", wrong)
                self._messages = prompts.again(asked, answer.content, f"That will not do: {wrong}.")
                continue
            self._doing = "validating"
            self.errors = validate(request.kind, value)
            if not self.errors:
                if request.kind == FILL:
                    self._doing = "looking the workers up"
                    self._grounded = bool(grounded(value))
                self._artifact, self._verdict = value, "accepted"
                self._ended("accepted")
                return
            self._ended("validation_failed", prompts.tagged(self.errors))
            self._messages = prompts.again(asked, answer.content, prompts.told(self.errors))
        self._verdict = "max_iter_exhausted"

    def failed(self, error: BaseException) -> None:
        """Take in what ended the session from outside; nothing is accepted then."""
        if not self._open and self._attempts:
            # An interrupt after an attempt had ended: an acceptance that nobody got is none, and no attempt is one too many.
            over = self._attempts[-1].verdict in ("accepted", "infra_error")
            if over or len(self._attempts) == self._request.max_iterations:
                del self._attempts[-1]
        self._verdict, self._artifact, self._grounded, self.errors = "infra_error", None, None, []
        self._ended("infra_error", _told(error, self._doing))

    def record(self) -> SessionRecord:
        """Give the record of the session as it stands."""
        return SessionRecord(
            schema="session.iterate.v1",
            session_id=self._name,
            timestamp=self._started,
            daemon=self._request.daemon,
            kind=self._request.kind,
            provider=self._provider,
            model=self._model,
            prompt=self._request.prompt,
            max_iterations=self._request.max_iterations,
            iterations=len(self._attempts),
            verdict=self._verdict,
            attempts=self._attempts,
            artifact=self._artifact,
            grounded_in_roster=self._grounded,
            duration_ms=self._since(self._began),
        )

    def _ended(
        self,
        verdict: Literal["accepted", "no_json", "validation_failed", "infra_error"],
        error: str | None = None,
    ) -> None:
        answer = self._answer
        attempt = SessionAttempt(
            iteration=len(self._attempts),
            verdict=verdict,
            error=error,
            latency_ms=self._since(self._attempt_began) if answer is None else answer.latency_ms,
            prompt_tokens=None if answer is None else answer.prompt_tokens,
            completion_tokens=None if answer is None else answer.completion_tokens,
        )
        self._attempts.append(attempt)
        self._open = False
        if self._watch is not None:
            raw = None if answer is None else answer.content
            try:
                self._watch(AttemptSeen(self._name, self._messages, raw, attempt))
            except Exception as fault:  # noqa: BLE001 - who watches must not fail what is watched; it is said
                _logger.warning(
                    "attempt %d of %s was not traced: %s", attempt.iteration, self._name, type(fault).__name__
                )

    def _since(self, moment: float) -> int:
        return max(round((self._monotonic() - moment) * 1000), 0)


def _told(error: BaseException, doing: str) -> str:
    """Say what failed, for the log: errors of this project in their words, any other by its name, for it may quote a key."""
    if isinstance(error, ChatError):
        text = f"{error.kind}: " + ": ".join(part for part in (error.where, error.what) if part)
    elif isinstance(error, LakehouseError):
        text = f"{type(error).__name__} while {doing}: " + ": ".join(part for part in (error.where, error.what) if part)
    else:
        text = f"{type(error).__name__} while {doing}"
    return prompts.cleaned(mask(text))[:MOST_TOLD]
