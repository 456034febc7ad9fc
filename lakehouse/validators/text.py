"""What a message to a worker must not hold: a social security number, or a place that nobody filled in.

Here: the two searches, over a text as it stands and as it looks (wide letters and signs as plain ones, nothing
invisible). Not here: the form
of a social security number (`lakehouse.secrets`), whose data a text names (`mentions.py`).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from lakehouse.secrets import names_ssn, ssns_in

# What stands before the number of an order: a code of two to five capitals, or one of these words, and a hyphen; or a word and #.
_ORDER_WORDS: Final = "order|invoice|ticket|item|part|lot|job|quote|ref|reference|tracking|ord|inv|po|so|wo|sku|rma"
_ORDER: Final = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?:(?P<code>[A-Z]{{2,5}})|(?i:{_ORDER_WORDS}))[-\u2010\u2011]|(?i:{_ORDER_WORDS}) ?#)\Z"
)
# Codes that say whose number it is and not which order's.
_OF_PERSONS: Final = frozenset("SS SSA SSN SSNS SOC SEC TIN ITIN TAX ID NO NR NUM PII DOB IS MY HIS HER".split())
_LONGEST_PREFIX: Final = 12

# Words in brackets that ask for something, whatever follows them.
_ASKS: Final = frozenset(("insert", "your"))
# The last word of what stands in brackets, where it names what should stand there.
_NAMES: Final = frozenset(
    "name firstname lastname surname date address phone email number city state zip rate salary wage amount signature"
    " company agency client customer employer recruiter coordinator manager supervisor recipient contact title location"
    " street code info information details link url placeholder blank tbd todo xxx nombre apellido fecha dirección direccion teléfono"
    " telefono empresa hora".split()
)
# The same where they stand alone, or after one of the words of the second list.
_ALONE: Final = frozenset("time day site job shift pay worker candidate employee role position".split())
_BEFORE: Final = frozenset("start end arrival date shift job work".split())
# Words of a sentence: what holds one says something itself.
_SMALL: Final = frozenset(
    "a an the this that any every same no not all more to at in on up by for from with out off as is are be was please"
    " see ask call text our my their his her".split()
)
_JOINING: Final = frozenset(("and", "or"))
_MOST_WORDS: Final = 4
# Elements of HTML whose names are words of the lists.
_ELEMENTS: Final = frozenset("address time title link".split())

_CANDIDATE: Final = re.compile(
    r"(?P<plain>\{\{[^{}\n]{0,80}\}\}|\[\[[^\[\]\n]{1,80}\]\]|<<[^<>\n]{1,80}>>|\{%[^{}\n]{0,80}%\}"
    r"|\$?\{[^\W\d][\w .-]{0,79}\}"
    r"|\*\|[A-Za-z][A-Za-z0-9_:]{0,79}\|\*|(?<![0-9A-Za-z%])%{1,2}[A-Za-z][A-Za-z_]{2,79}%"
    r"|(?<![A-Za-z0-9_])__[A-Z][A-Z0-9_]{0,76}[A-Z0-9]__(?![A-Za-z0-9_]))"
    r"|(?P<bracket>(?<!\])\[(?P<inside>[ $*\"'(]{0,3}[^\W\d][^\[\]\n]{0,79})\])"
    r"(?P<link>\([^\s()]{1,2000}(?:[ \t][^()\n]{0,200})?\)|\[|:[ \t]*<?(?:https?:|mailto:|tel:))?"
    r"|(?P<angle><(?P<within>[ $]{0,2}[^\W\d][^<>@=\n]{0,79})>)"
)
# What nobody sees and what would part a name or a number: soft hyphens, joiners, marks of direction.
_INVISIBLE: Final = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_OPENS: Final = re.compile(r"[\[{<$*%_]")
# What a link leads to has one of these; `[NAME](tbd)` is no link.
_LEADS: Final = re.compile(r"[:/.#]")
_VARIABLE: Final = re.compile(r"[A-Z0-9]+(?:_[A-Z0-9]+)+|\$[^\W\d].*")
_WORD: Final = re.compile(r"[^\W_]+")


def readings(text: str) -> tuple[str, ...]:
    """Give a text as it stands and, where that differs, as it looks."""
    if text.isascii():
        return (text,)
    looks = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return (text,) if looks == text else (text, looks)


def has_ssn(text: str) -> bool:
    """Say whether a text holds a social security number, by the rules of the exports' firewall but for numbers of orders."""
    return any(not _of_order(reading, start) for reading in readings(text) for start, _ in ssns_in(reading))


def _of_order(text: str, start: int) -> bool:
    """Say whether what stands before a number makes it that of an order, as `PO-` does: `SSN-` does not."""
    found = _ORDER.search(text, max(0, start - _LONGEST_PREFIX), start)
    return found is not None and found["code"] not in _OF_PERSONS and not names_ssn(text, start)


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
        within = found["within"]
        return "://" not in within and within.lower() not in _ELEMENTS and _to_fill(within)
    return bool(found["plain"]) or (not _is_link(found["link"]) and _to_fill(found["inside"]))


def _is_link(after: str | None) -> bool:
    """Say whether what follows a bracket makes it the text of a link, or the name of one."""
    return after is not None and (after[0] != "(" or _LEADS.search(after) is not None)


def _to_fill(inside: str) -> bool:
    """Say whether words in brackets stand for something to put in: they ask for it, name it, or are a variable."""
    if _VARIABLE.fullmatch(inside.strip()):
        return True
    words = [word for word in _WORD.findall(inside.lower()) if word not in _JOINING]
    if words and words[0] in _ASKS:
        return True
    if len(words) > 1 and words[-1] == "here":
        words.pop()
    if not 0 < len(words) <= _MOST_WORDS or not _SMALL.isdisjoint(words):
        return False
    last = words[-1]
    return last in _NAMES or (last in _ALONE and (len(words) == 1 or words[-2] in _BEFORE))
