"""An error of a validator on the wire: making it, writing it with its tag, reading it again.

Here: `{"Schema": {"field", "reason"}}`, `{"Completeness": {"reason"}}`, `{"Consistency": …}`, `{"Policy": …}`, and the older
flat `{"Kind", "Field", "Reason"}`, which is read and never written. Not here: the rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from lakehouse.errors import RecordError
from lakehouse.records import Fault, FieldFault, ValidationError

TAGS: Final = ("Schema", "Completeness", "Consistency", "Policy")
_BY_FOLDED: Final = {tag.casefold(): tag for tag in TAGS}
_FLAT: Final = frozenset({"Kind", "Field", "Reason"})


def schema_error(field: str, reason: str) -> ValidationError:
    """Say what is wrong with a field; `field` is its path, `fills[2].worker_id`."""
    return ValidationError(schema=FieldFault(field=field, reason=reason))


def completeness(reason: str) -> ValidationError:
    """Say what is missing or too much."""
    return ValidationError(completeness=Fault(reason=reason))


def consistency(reason: str) -> ValidationError:
    """Say what does not agree with the roster or with the rest of the payload."""
    return ValidationError(consistency=Fault(reason=reason))


def policy(reason: str) -> ValidationError:
    """Say what must not be."""
    return ValidationError(policy=Fault(reason=reason))


def tagged(error: ValidationError) -> dict[str, Any]:
    """Give an error as it stands on the wire: one key, the tag."""
    found: dict[str, Any] = msgspec.to_builtins(error)
    return found


def all_tagged(errors: Iterable[ValidationError]) -> list[dict[str, Any]]:
    """Give errors as they stand on the wire, in their order."""
    return [tagged(error) for error in errors]


def said(error: ValidationError) -> tuple[str, str, str]:
    """Give the tag, the field (empty where there is none) and the reason of an error, for people and prompts."""
    ((tag, fault),) = tagged(error).items()
    return tag, fault.get("field", ""), fault["reason"]


def read_error(value: Any) -> ValidationError:
    """Read an error in its tagged form or the older flat one.

    Raises `RecordError` for an unknown variant, none or several tags, and fields that are missing or no texts.
    """
    if not isinstance(value, dict):
        raise _refused("it is no object")
    if not _FLAT.isdisjoint(value):
        value = _from_flat(value)
    tags = [tag for tag in value if tag in TAGS]
    strange = [tag for tag in value if tag not in TAGS]
    if strange:
        raise _refused(f"{str(strange[0])[:40]!r} is no kind of error")
    if len(tags) != 1:
        raise _refused(f"it has the tags {' and '.join(tags)}" if tags else "it has no tag")
    if value[tags[0]] is None:
        raise _refused(f"{tags[0]} holds nothing")
    try:
        return msgspec.convert(value, ValidationError)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from None


def _from_flat(value: dict[Any, Any]) -> dict[str, Any]:
    strange = [key for key in value if key not in _FLAT]
    if strange:
        raise _refused(f"{str(strange[0])[:40]!r} stands beside Kind, Field and Reason")
    kind, reason = value.get("Kind"), value.get("Reason")
    if not isinstance(kind, str) or not isinstance(reason, str):
        raise _refused("Kind and Reason are not both texts")
    tag = _BY_FOLDED.get(kind.casefold())
    if tag is None:
        raise _refused(f"{kind[:40]!r} is no kind of error")
    if tag != "Schema":
        # The older writers gave every error a field, empty where it meant nothing.
        return {tag: {"reason": reason}}
    return {tag: {"field": value["Field"], "reason": reason} if "Field" in value else {"reason": reason}}


def _refused(what: str) -> RecordError:
    return RecordError(
        f"this is no error of a validator ({what})",
        mend=f"give one of {', '.join(TAGS)} with its reason, and its field for Schema",
    )
