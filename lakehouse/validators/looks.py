"""How a text looks to a person: without what nobody sees, and with wide letters and signs as plain ones.

Here: the signs that nobody sees, the readings of a text, what is blank. Not here: what is looked for in a reading
(`text.py`, `mentions.py`).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Control characters but for white space; what Unicode calls Default_Ignorable_Code_Point (soft hyphens, joiners, marks
# of direction, fillers, variation selectors, tags), which Python does not know by name; anchors of annotations; and the
# braille pattern without a dot.
_UNSEEN: Final = (
    r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_ANY_UNSEEN: Final = re.compile(f"[{_UNSEEN}]")
_SEEN: Final = re.compile(rf"[^\s{_UNSEEN}]")
_CONTROLS: Final = bytes(code for code in range(128) if _ANY_UNSEEN.match(chr(code)))


def is_blank(text: str) -> bool:
    """Say whether there is nothing to see in a text: white space, and what nobody sees."""
    # The first sign of most texts is a plain one.
    return not "!" <= text[:1] <= "~" and _SEEN.search(text) is None


def readings(text: str) -> tuple[str, ...]:
    """Give a text as it stands and, where that differs, as it looks."""
    if text.isascii():
        plain = text.encode()
        looks = text if len(kept := plain.translate(None, _CONTROLS)) == len(plain) else kept.decode()
    else:
        looks = _ANY_UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    return (text,) if looks == text else (text, looks)
