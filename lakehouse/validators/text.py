"""What a message to a worker must not hold: a social security number, or a place that nobody filled in.

Here: the two searches. Not here: how a text looks (`looks.py`), the form of a social security number
(`lakehouse.secrets`), whose data a text names (`mentions.py`).
"""

from __future__ import annotations

import re
from typing import Final

from lakehouse.secrets import names_ssn, ssns_in
from lakehouse.validators.looks import readings

# A dash between digits, with the white space beside it. One that begins a line and has white space after it is that of a
# list: what stands in the lines of one is no number.
_DASH: Final = r"[-\u00ad\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"
_LOOSE: Final = re.compile(rf"([0-9])(?:[^\S\n\v\f\r\x85\u2028\u2029]*+{_DASH}\s*+|\s*+{_DASH})(?=[0-9])")
# The cheap look that comes first: whether there is white space beside any dash.
_BESIDE_HYPHEN: Final = re.compile(r"-(?:(?=\s)|(?<=\s-))")
_BESIDE_DASH: Final = re.compile(rf"{_DASH}(?:(?=\s)|(?<=\s{_DASH}))")
_FEWEST: Final = 9
"""Digits of a social security number."""

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
    r"|(?<![A-Za-z0-9_])__[A-Z][A-Z0-9_]{0,76}[A-Z0-9]__(?![A-Za-z0-9_])"
    # Ten and more in a line of their own are a rule under a paragraph.
    r"|(?<!\w)(?!(?<![^\n])_{10,}[ \t\r]*+(?![^\n]))_{3,}+(?!\w))"
    r"|(?P<bracket>(?<!\])\[(?P<inside>[ $*\"'(]{0,3}[^\W\d][^\[\]\n]{0,79})\])"
    r"(?P<link>\([^\s()]{1,2000}(?:[ \t][^()\n]{0,200})?\)|\[|:[ \t]*<?(?:https?:|mailto:|tel:))?"
    r"|(?P<angle><(?P<within>[ $]{0,2}[^\W\d][^<>@=\n]{0,79})>)"
)
_OPENS: Final = re.compile(r"[\[{<$*%_]")
# What a link leads to has one of these; `[NAME](tbd)` is no link.
_LEADS: Final = re.compile(r"[:/.#]")
_VARIABLE: Final = re.compile(r"[A-Z0-9]+(?:_[A-Z0-9]+)+|\$[^\W\d].*")
_WORD: Final = re.compile(r"[^\W_]+")
_DIGIT: Final = re.compile(r"[0-9]")


def has_ssn(text: str) -> bool:
    """Say whether a text holds a social security number, by the rules of the exports' firewall but for numbers of orders."""
    if text.isascii() and (len(text) < _FEWEST or _DIGIT.search(text) is None):
        return False
    return any(
        not _of_order(written, start)
        for reading in readings(text)
        for written in _writings(reading)
        for start, _ in ssns_in(written)
    )


def _writings(text: str) -> tuple[str, ...]:
    """Give a text and, where that differs, the same without white space beside the dashes between its digits."""
    beside = _BESIDE_HYPHEN if text.isascii() else _BESIDE_DASH
    joined = _LOOSE.sub(r"\1-", text) if beside.search(text) else text
    return (text,) if joined == text else (text, joined)


def _of_order(text: str, start: int) -> bool:
    """Say whether what stands before a number makes it that of an order, as `PO-` does: `SSN-` does not."""
    found = _ORDER.search(text, max(0, start - _LONGEST_PREFIX), start)
    return found is not None and found["code"] not in _OF_PERSONS and not names_ssn(text, start)


def placeholder(text: str) -> str | None:
    """Give the first place in a text that was to be filled in: `[NAME]`, `{{date}}`, `<insert time>`, `___` and their relatives.

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
