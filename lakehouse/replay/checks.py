"""Whether an answer is valid: what is asked of every answer, and of one that must be a payload of a kind.

Here: the rules of replay, and handing payloads to a validator. Not here: the validators (`lakehouse.validators`). Errors are
in the wire form of all validators: a mapping with one key, `Schema`, `Completeness`, `Consistency` or `Policy`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from lakehouse.extract_json import extract_json
from lakehouse.records import ValidationError
from lakehouse.secrets import find
from lakehouse.validators.wire import all_tagged, completeness, policy, schema_error

VERSION: Final = "replay-checks-1"

Validate = Callable[[str, Any], Sequence[ValidationError]]
"""From a kind (`fill`, `email`, `sms`) and a payload to what is wrong with it; the roster is bound already."""

_FOUND: Final = {"pii_ssn": "a social security number", "secret": "a secret"}


def faults(text: str, finish_reason: str, kind: str | None, validate: Validate | None) -> list[dict[str, Any]]:
    """Say what is wrong with an answer; nothing where it is valid.

    Every answer: not empty, not cut off at its longest (`finish_reason` `length`), no secret and no social security number. One
    of a kind moreover: it holds a JSON object, which the validator of the kind accepts. Without a `validate` the kind
    cannot be judged, which is an error: nothing passes because nobody looked.
    """
    found = list(_of_every_answer(text, finish_reason))
    if kind is not None and text.strip():
        found += _of_kind(text, kind, validate)
    return all_tagged(found)


def _of_every_answer(text: str, finish_reason: str) -> Iterator[ValidationError]:
    if not text.strip():
        yield completeness("the answer is empty")
    if finish_reason == "length":
        yield completeness("the answer was cut off at its greatest length")
    finding = find(text)
    if finding is not None:
        yield policy(f"the answer holds {_FOUND[finding.reason_code]} ({finding.kind})")


def _of_kind(text: str, kind: str, validate: Validate | None) -> list[ValidationError]:
    matched, payload = extract_json(text)
    if not matched:
        return [schema_error("", f"the answer holds no JSON object, and a {kind} is one")]
    if validate is None:
        return [schema_error("kind", f"there is no validator of {kind} here")]
    return list(validate(kind, payload))
