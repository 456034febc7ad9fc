"""What a message to a worker must not hold: a social security number, or a place that nobody filled in.

Here: the two searches, over a text as it stands and as it looks (wide letters and signs as plain ones). Not here: what a
social security number is (`lakehouse.secrets`), whose data a text names (`email.py`).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from lakehouse.secrets import holds_ssn

# Words in brackets that stand for something to put in: the first of them asks for it, or the last says what it is.
_ASKS: Final = frozenset("insert enter add fill put type your".split())
_LAST: Final = frozenset(
    "name firstname lastname surname date address phone email number city state zip rate signature placeholder url company"
    " client customer employer recruiter coordinator title location tbd todo nombre fecha".split()
)
_ALONE: Final = _LAST | frozenset(
    "time day site job shift pay contact manager supervisor worker candidate employee recipient role position salary wage"
    " street blank xxx hora empresa".split()
)
_TIMES: Final = frozenset({("start", "time"), ("end", "time"), ("arrival", "time"), ("shift", "time")})
_NEVER_FIRST: Final = frozenset("up see on at to in out off as by no any same every please".split())
# What people write in capitals and brackets before a subject, and means what it says.
_LABELS: Final = frozenset(
    "URGENT;IMPORTANT;REMINDER;EXTERNAL;INTERNAL;CONFIDENTIAL;ACTION;ACTION REQUIRED;ACTION NEEDED;FYI;UPDATE;UPDATED;"
    "NEW;INFO;NOTICE;NOTE;CONFIRMED;CANCELLED;CANCELED;SIC;SPAM;RE;FW;FWD;OK;OSHA;CNC;CDL;EN;ES;AM;PM".split(";")
)
# Elements of HTML in capitals; in small letters only those matter whose names are also things to fill in.
_ELEMENTS: Final = frozenset(
    "A ABBR ADDRESS ARTICLE ASIDE B BASE BLOCKQUOTE BODY BR BUTTON CAPTION CENTER CITE CODE COL DD DEL DETAILS DIV DL DT EM"
    " FIGCAPTION FIGURE FONT FOOTER FORM H1 H2 H3 H4 H5 H6 HEAD HEADER HR HTML I IFRAME IMG INPUT INS KBD LABEL LEGEND LI"
    " LINK MAIN MARK META NAV OL OPTION P PRE Q S SAMP SCRIPT SECTION SELECT SMALL SPAN STRIKE STRONG STYLE SUB SUMMARY SUP"
    " TABLE TBODY TD TEXTAREA TFOOT TH THEAD TIME TITLE TR TT U UL VAR VIDEO".split()
)

_CANDIDATE: Final = re.compile(
    r"(?P<plain>\{\{[^{}\n]{0,80}\}\}|\[\[[^\[\]\n]{1,80}\]\]|<<[^<>\n]{1,80}>>|\{%[^{}\n]{0,80}%\}"
    r"|\$?\{[^\W\d][\w .-]{0,79}\}"
    r"|\*\|[A-Za-z][A-Za-z0-9_:]{0,79}\|\*|(?<![0-9A-Za-z%])%{1,2}[A-Za-z][A-Za-z_]{2,79}%"
    r"|(?<![A-Za-z0-9_])__[A-Z][A-Z0-9_]{0,76}[A-Z0-9]__(?![A-Za-z0-9_]))"
    r"|(?P<bracket>(?<!\])\[ ?(?P<inside>[^\W\d][^\[\]\n]{0,79})\])"
    r"(?P<link>\([^\s()]{1,2000}(?:[ \t][^()\n]{0,200})?\)|\[|:[ \t]*<?(?:https?:|mailto:|tel:))?"
    r"|(?P<angle><(?P<within>[^\W\d][^<>@\n]{0,79})>)"
)
_OPENS: Final = re.compile(r"[\[{<$*%_]")
# What a link leads to has one of these; `[NAME](tbd)` is no link.
_LEADS: Final = re.compile(r"[:/.#]")


def readings(text: str) -> tuple[str, ...]:
    """Give a text as it stands and, where that differs, as it looks."""
    if text.isascii():
        return (text,)
    looks = unicodedata.normalize("NFKC", text)
    return (text,) if looks == text else (text, looks)


def has_ssn(text: str) -> bool:
    """Say whether a text holds a social security number, by the rules of the exports' firewall."""
    return any(map(holds_ssn, readings(text)))


def placeholder(text: str) -> str | None:
    """Give the first place in a text that was to be filled in: `[NAME]`, `{{date}}`, `<insert time>` and their relatives.

    Links and footnotes of markdown, checkboxes, tags of HTML and labels such as `[URGENT]` are none.
    """
    looks = readings(text)[-1]
    opens = _OPENS.search(looks)
    while opens:
        # Matched where one may begin, and not searched for: many times faster in a long text.
        found = _CANDIDATE.match(looks, opens.start())
        if found is not None and _unfilled(found):
            return found["plain"] or found["angle"] or found["bracket"]
        opens = _OPENS.search(looks, opens.start() + 1)
    return None


def _unfilled(found: re.Match[str]) -> bool:
    if found["angle"]:
        return "://" not in found["within"] and _to_fill(found["within"], _ELEMENTS)
    return bool(found["plain"]) or (not _is_link(found["link"]) and _to_fill(found["inside"], _LABELS))


def _is_link(after: str | None) -> bool:
    """Say whether what follows a bracket makes it the text of a link, or the name of one."""
    return after is not None and (after[0] != "(" or _LEADS.search(after) is not None)


def _to_fill(inside: str, meant: frozenset[str]) -> bool:
    """Say whether words in brackets stand for something to put in; `meant` are capitals that mean what they say."""
    inside = inside.strip()
    words = re.findall(r"[^\W_]+", inside.lower())
    if not words or inside.upper() in meant or (meant is _ELEMENTS and words[0].upper() in meant):
        return False
    if words[0] in _ASKS:
        return True
    last = words[-1]
    if len(words) == 1 and last in _ALONE:
        return True
    if len(words) <= 3 and (last in _LAST or tuple(words[-2:]) in _TIMES) and words[0] not in _NEVER_FIRST:
        return True
    return inside.isupper() and re.search(r"[^\W\d_]{3}", inside) is not None
