"""The kinds of payload that can be validated, and the one function that validates them.

Here: the list. To add a kind, write its file and name it here. Not here: the rules of a kind, the lookup (`roster.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from lakehouse.records import ValidationError
from lakehouse.validators.email import validate_email
from lakehouse.validators.fill import validate_fill
from lakehouse.validators.roster import Workers
from lakehouse.validators.sms import validate_sms
from lakehouse.validators.wire import all_tagged, schema_error

KINDS: Final[Mapping[str, Callable[[Any, Workers], list[ValidationError]]]] = MappingProxyType(
    {"email": validate_email, "fill": validate_fill, "sms": validate_sms}
)


def validate(kind: object, payload: Any, roster: Workers) -> list[ValidationError]:
    """Give what is wrong with a payload, a decoded JSON value of any type; an empty list is valid. Never raises for it."""
    validator = KINDS.get(kind) if isinstance(kind, str) else None
    return [unknown_kind()] if validator is None else validator(payload, roster)


def unknown_kind() -> ValidationError:
    """Say which kinds there are."""
    return schema_error("kind", f"is no kind of payload, the kinds are {', '.join(KINDS)}")


def answer(kind: object, payload: Any, roster: Workers) -> tuple[int, dict[str, Any]]:
    """Give the HTTP status and the body of an answer: `{ok, errors}` with errors as on the wire.

    200 whatever was found in the payload, which is an answer and no failure; 400 where the kind is unknown.
    """
    errors = validate(kind, payload, roster)
    status = 200 if isinstance(kind, str) and kind in KINDS else 400
    return status, {"ok": not errors, "errors": all_tagged(errors)}
