"""The validator of emails to workers: `{to, subject, body, worker_id?}`.

Here: its rules, stage by stage as in `fill.py`; in each stage by rule, the subject before the body. The worker is the one
that `worker_id` names; without it, whoever has the address. Not here: what an address is (`contacts.py`), placeholders and social security numbers (`text.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lakehouse.records import ValidationError
from lakehouse.validators.contacts import LONGEST_EMAIL, email_key, is_email, same_email
from lakehouse.validators.fill import no_such_worker
from lakehouse.validators.looks import is_blank, readings
from lakehouse.validators.roster import Workers
from lakehouse.validators.shape import Field, Shape, filled, one_line, short_text, text
from lakehouse.validators.text import has_ssn, placeholder
from lakehouse.validators.wire import completeness, consistency, policy

LONGEST_SUBJECT: Final = 200
_PARTS: Final = ("subject", "body")


def _address(value: Any) -> str | None:
    return filled(value) or (None if len(value) <= LONGEST_EMAIL and is_email(value) else "is no email address")


EMAIL: Final = Shape(
    "an email",
    [
        Field("to", _address),
        Field("subject", one_line),
        Field("body", text),
        Field("worker_id", short_text, required=False),
    ],
)


def validate_email(payload: Any, roster: Workers) -> list[ValidationError]:
    """Hold an email against its rules: Schema, then Completeness, Consistency and Policy."""
    errors = list(EMAIL.errors(payload))
    if errors:
        return errors
    errors = list(_completeness(payload))
    if errors:
        return errors
    owners, error = _owners(payload, roster)
    return [error] if error is not None else list(_policy(payload, owners, roster))


def _completeness(payload: Mapping[str, Any]) -> Iterator[ValidationError]:
    yield from empty(payload, _PARTS)
    if len(payload["subject"]) > LONGEST_SUBJECT:
        yield completeness(f"the subject has {len(payload['subject'])} characters, {LONGEST_SUBJECT} at most")
    yield from unfinished(payload, _PARTS)


def empty(payload: Mapping[str, Any], parts: tuple[str, ...]) -> Iterator[ValidationError]:
    """Give the errors of texts that are blank."""
    return (completeness(f"the {part} is empty") for part in parts if is_blank(payload[part]))


def unfinished(payload: Mapping[str, Any], parts: tuple[str, ...]) -> Iterator[ValidationError]:
    """Give the errors of texts that hold a place that nobody filled in."""
    for part in parts:
        if placeholder(payload[part]) is not None:
            yield completeness(f"the {part} holds a placeholder that was not filled in")


def _owners(payload: Mapping[str, Any], roster: Workers) -> tuple[frozenset[str], ValidationError | None]:
    """Give the ids of those to whom the email goes, and what is wrong with that."""
    to, worker_id = payload["to"], payload.get("worker_id")
    if worker_id is None:
        holders = roster.with_email(email_key(to))
        owners = frozenset(one for one in holders if (held := roster.get(one)) and same_email(held.email, to))
        why = "" if len(roster) else ", for there is no roster"
        return owners, None if owners else consistency(f"to: no worker of the roster has this email{why}")
    worker = roster.get(worker_id)
    if worker is None:
        return frozenset(), no_such_worker("worker_id", worker_id, roster)
    if not worker.email:
        return frozenset(), consistency(f"to: the roster has no email of {worker_id}")
    if not same_email(worker.email, to):
        return frozenset(), consistency(f"to: is not the email of {worker_id}")
    return frozenset((worker_id,)), None


def _policy(payload: Mapping[str, Any], owners: frozenset[str], roster: Workers) -> Iterator[ValidationError]:
    yield from no_ssn(payload, _PARTS)
    for what, known in (("email", roster.emails), ("phone number", roster.phones)):
        for part in _PARTS:
            found = (ids for reading in readings(payload[part]) for ids in known.found_in(reading))
            if not all(map(owners.intersection, found)):
                yield policy(f"the {part} holds the {what} of another worker")


def no_ssn(payload: Mapping[str, Any], parts: tuple[str, ...]) -> Iterator[ValidationError]:
    """Give the errors of texts that hold a social security number."""
    return (policy(f"the {part} holds a social security number") for part in parts if has_ssn(payload[part]))
