"""What texts and times may stand in rows and manifests of subjects.

Here: the checks, each of which refuses by the field's name. Not here: who asks for them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from lakehouse.errors import UsageError
from lakehouse.timestamps import BadTimestamp, read

LONGEST_WORDS: Final = 200

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DURATION = re.compile(r"P(?=[\dT])(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?", re.ASCII)
_MEANT_AS_DURATION = re.compile(r"[+-]?P[\dT]?\S*", re.ASCII)

# Line and paragraph separators break the line of who shows a row; the others turn the text around what follows them.
_TURNING = frozenset("\u2028\u2029" + "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])))


def check_text(where: str, text: object, *, empty: bool = False) -> None:
    """Refuse what is no text, is empty, or holds control characters, unpaired surrogates or marks that turn text around."""
    if not isinstance(text, str):
        raise UsageError(f"a {type(text).__name__} is no text", where=where, mend="write text")
    if any(sign in _TURNING or unicodedata.category(sign) in ("Cc", "Cs") for sign in text):
        raise UsageError(
            "there is a control character in it, or one that changes the direction of text",
            where=where,
            mend="leave it out",
        )
    if not empty and not text.strip():
        raise UsageError("it is empty", where=where, mend="say who looked at what, and why")


def check_time(where: str, stamp: object) -> None:
    """Refuse what is no RFC 3339 time with an offset."""
    try:
        if isinstance(stamp, str) and _STAMP.fullmatch(stamp) and not read(stamp).assumed_utc:
            return
    except BadTimestamp:
        pass
    raise UsageError(
        f"{str(stamp)[:64]!r} is no RFC 3339 time", where=where, mend="write it as 2026-05-10T02:00:00.000Z"
    )


def check_words(where: str, text: object) -> None:
    """Refuse what is no text of a few words."""
    check_text(where, text)
    if len(str(text)) > LONGEST_WORDS:
        raise UsageError(f"it has {len(str(text))} characters", where=where, mend=f"write at most {LONGEST_WORDS}")


def check_retention(text: object) -> None:
    """Refuse what is neither an ISO 8601 duration nor words, and a duration that was mistyped."""
    check_words("retention", text)
    if _MEANT_AS_DURATION.fullmatch(str(text)) and not _DURATION.fullmatch(str(text)):
        raise UsageError(
            f"{str(text)[:40]!r} is no ISO 8601 duration",
            where="retention",
            mend="write it as P7Y or P18M, or in words",
        )
