"""The validator of text messages to workers: `{to?, body, worker_id?}`.

Here: its rules, stage by stage as in `fill.py`. Not here: how long a message is (`gsm7.py`), placeholders and social
security numbers (`text.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lakehouse.records import ValidationError
from lakehouse.validators.contacts import is_phone, same_phone
from lakehouse.validators.email import empty, no_ssn, unfinished
from lakehouse.validators.fill import no_such_worker
from lakehouse.validators.gsm7 import length_of
from lakehouse.validators.roster import Workers
from lakehouse.validators.shape import Field, Shape, filled, short_text, text
from lakehouse.validators.wire import completeness, consistency

_UNITS: Final = {"GSM-7": "septets", "UCS-2": "units"}
_PARTS: Final = ("body",)


def _number(value: Any) -> str | None:
    return filled(value) or (None if is_phone(value) else "is no phone number")


SMS: Final = Shape(
    "a text message",
    [
        Field("to", _number, required=False),
        Field("body", text),
        Field("worker_id", short_text, required=False),
    ],
)


def validate_sms(payload: Any, roster: Workers) -> list[ValidationError]:
    """Hold a text message against its rules: Schema, then Completeness, Consistency and Policy."""
    errors = list(SMS.errors(payload))
    if errors:
        return errors
    errors = list(_completeness(payload))
    if errors:
        return errors
    return list(_consistency(payload, roster)) or list(no_ssn(payload, _PARTS))


def _completeness(payload: Mapping[str, Any]) -> Iterator[ValidationError]:
    yield from empty(payload, _PARTS)
    length = length_of(payload["body"])
    if length.used > length.most:
        units = _UNITS[length.encoding]
        yield completeness(f"the body has {length.used} {units} in {length.encoding}, {length.most} at most")
    yield from unfinished(payload, _PARTS)


def _consistency(payload: Mapping[str, Any], roster: Workers) -> Iterator[ValidationError]:
    worker_id = payload.get("worker_id")
    if worker_id is None:
        return
    worker = roster.get(worker_id)
    if worker is None:
        yield no_such_worker("worker_id", worker_id, roster)
    elif payload.get("to") is not None:
        if not worker.phone:
            yield consistency(f"to: the roster has no phone number of {worker_id}")
        elif not same_phone(worker.phone, payload["to"]):
            yield consistency(f"to: is not the phone number of {worker_id}")
