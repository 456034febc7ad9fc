"""What the model reads: the first question, and the question with what was wrong.

Here: pure functions to messages. Not here: when they are sent (`loop.py`), what is wrong (the validators).

Asking again shows the last answer and its errors, not the whole history: a small model loses the task in a long one, and
the newest errors are those that count. Both are cut, so that a model that wrote a book is not sent it back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from lakehouse.chat.answer import Messages
from lakehouse.records import ValidationError
from lakehouse.secrets import mask

MOST_RAW: Final = 4_000
"""Characters of a raw answer that the model sees again."""

MOST_ERRORS: Final = 20
MOST_REASON: Final = 300

_UNSENDABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

_RULE: Final = (
    "Answer with exactly one JSON object and nothing else: no explanation, no code fence. "
    "A program checks it; what it finds wrong comes back to you. Use only what you were given, and invent no id."
)

SHAPES: Final = {
    "fill": '{"contract_id": text, "role": text, "city": text, "state": text, "start": text, "count": whole number, '
    '"fills": [{"worker_id": text, "name": text}]}. "fills" has exactly "count" entries, each worker once.',
    "email": '{"to": address, "subject": text, "body": text, "worker_id": text}. "to" is the address of that worker; the '
    "subject has at most 200 characters.",
    "sms": '{"to": phone number, "body": text, "worker_id": text}. "body" fits one message: 160 plain characters, or 70 '
    "with others such as emoji.",
}
"""The object that each kind wants, in words for the model; the validators decide."""


def first(kind: str, prompt: str) -> Messages:
    """Give the messages of the first attempt."""
    shape = SHAPES.get(kind)
    wanted = f"The object is of the kind {kind!r}: {shape}" if shape else f"The object is of the kind {kind!r}."
    return [{"role": "system", "content": f"{_RULE}\n{wanted}"}, {"role": "user", "content": prompt}]


def again(asked: Messages, raw: str, wrong: str) -> Messages:
    """Give the messages after an attempt that failed: those of the first, the answer, and what was wrong with it."""
    return [
        *asked,
        {"role": "assistant", "content": clipped(raw) or "(an empty answer)"},
        {"role": "user", "content": f"{wrong}\nAnswer again with the whole object, corrected, and nothing else."},
    ]


def no_json(raw: str, finish_reason: str) -> str:
    """Say that an answer held no object, and why where the server says it."""
    cut = "; it was cut off at its limit of tokens" if finish_reason == "length" else ""
    return f"there is no JSON object in the answer of {len(raw):,} characters{cut}"


def tagged(errors: Sequence[ValidationError]) -> str:
    """Write errors as a JSON list in tagged form: the first 20, long reasons cut."""
    return msgspec.json.encode([_short(error) for error in errors[:MOST_ERRORS]]).decode()


def told(errors: Sequence[ValidationError]) -> str:
    """Tell the model of errors."""
    more = f"\nThere are {len(errors) - MOST_ERRORS} more." if len(errors) > MOST_ERRORS else ""
    return f"The object is not valid. The errors:\n{tagged(errors)}{more}"


def clipped(text: str, most: int = MOST_RAW) -> str:
    """Cut the middle out of a long text, and replace what no server takes."""
    if len(text) > most:
        head = most * 3 // 4
        text = f"{text[:head]}\n[{len(text) - most:,} characters are left out here]\n{text[head - most :]}"
    return cleaned(text)


def cleaned(text: str) -> str:
    """Put a replacement character for control characters and lone surrogates; tabs and line ends stay."""
    return _UNSENDABLE.sub("\ufffd", text)


def _short(error: ValidationError) -> ValidationError:
    """Cut what an error says, and mask what it may quote: the text goes into a log."""
    changed = {}
    for name in error.__struct_fields__:
        fault = getattr(error, name)
        if fault is not None:
            said = {key: _cut(mask(getattr(fault, key))) for key in fault.__struct_fields__}
            changed[name] = msgspec.structs.replace(fault, **said)
    return msgspec.structs.replace(error, **changed)


def _cut(text: str) -> str:
    return cleaned(text if len(text) <= MOST_REASON else text[: MOST_REASON - 1] + "…")
