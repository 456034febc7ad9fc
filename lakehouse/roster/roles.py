"""The role that a demand asks for, and whether two roles are the same.

Here: the patterns of three styles, shorthand by known cities, the hook for a model that is asked where no pattern
matches, and the folding of roles. Not here: what a playbook does with a role (`lakehouse.search`). Production finds the
role once, when a demand comes in, and passes it to each search.

An empty role means that none was found: whoever compares roles decides what follows (the role gate stays open).
"""

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Final

from lakehouse.errors import LakehouseError
from lakehouse.roster.cities import EDGES, STATES, Cities, cities_of

LONGEST_TEXT: Final = 2_000
"""Characters of a demand that are looked at; the ask stands at its beginning."""

_COUNT: Final = r"(?:\d{1,4}x?|one|two|three|four|five|six|seven|eight|nine|ten)(?:\s+(?:more|additional|extra|other))?"
PATTERNS: Final = {
    "need": re.compile(rf"(?:\A|[.!,:;\n]\s*)need(?:ed|ing)?:?\s+{_COUNT}\s+(?=\S)", re.IGNORECASE),
    "client_first": re.compile(rf"\S\s+(?:needs?|wants|requires|requests)\s+{_COUNT}\s+(?=\S)", re.IGNORECASE),
    "looking": re.compile(rf"\blooking\s+for\s+{_COUNT}\s+(?=\S)", re.IGNORECASE),
}
"""What stands before the role, by style of asking; the first that matches counts."""

_SHORTHAND: Final = re.compile(r"\A\s*\d{1,4}\s*x?\s+(?=\S)", re.IGNORECASE)
_STOP: Final = frozenset(
    "in at near around on for from to by with w/ without starting start starts beginning who that which whose as this next"
    " today tonight tomorrow asap monday tuesday wednesday thursday friday saturday sunday please per via until needed"
    " wanted required - – — @ |".split()
)
_JOINS: Final = frozenset(("and", "or", "plus", "&", "+"))
_MOST_WORDS: Final = 6
_LONGEST_ROLE: Final = 80
_ANYBODY: Final = frozenset(
    "people person persons folks hand hands body bodies worker workers temp temps candidate candidates staff employee"
    " employees associate associates replacement replacements help someone somebody anyone".split()
)
"""Words that ask for anybody: alone they are no role."""

_NEVER: Final = frozenset("the a an about is are was were has have not no any my your our their".split())
_NEVER_FIRST: Final = frozenset("of people person persons folks someone somebody anyone".split()) | _JOINS
"""Words of sentences that are no role, anywhere in them or at their beginning."""

_TIMES: Final = frozenset("minute minutes hour hours day days week weeks month months shift shifts".split())
_NUMBER: Final = re.compile(r"\d[\d.,:/-]*(?:am|pm|h)?", re.IGNORECASE)


def extract_role(text: str, cities: Collection[str] | None = None, fallback: Callable[[str], str] | None = None) -> str:
    """Give the role that a demand asks for, in the singular and otherwise as it is written; `""` where there is none.

    `cities` are the city names of the roster: with them the role of a shorthand demand is what stands before the city (a
    `frozenset` is prepared once). `fallback` is asked where no pattern matched, see `Fallback`.
    """
    text = text[:LONGEST_TEXT]
    known = cities_of(frozenset(cities)) if cities else None
    for pattern in PATTERNS.values():
        if found := pattern.search(text):
            role = _role_before_stop(_words(text[found.end() :]), known, loud=text.isupper())
            if role is not None:
                return role
    if known and (found := _SHORTHAND.match(text)):
        role = _role_before_city(_words(text[found.end() :]), known)
        if role is not None:
            return role
    return fallback(text) if fallback is not None and text.strip() else ""


def _role_before_stop(words: list[str], known: Cities | None, *, loud: bool) -> str | None:
    """Give the role that ends at a word like `in`, a number, a sign or a known city; `None` where nothing ends it.

    In a `loud` text, all in capitals, IN and OR are words; elsewhere they are states.
    """
    for place, word in enumerate(words):
        bare = word.strip(EDGES)
        lower = bare.lower()
        if place and known and known.length_at(words, place):
            return _role(words[:place])
        if place and bare in STATES and not (loud and lower in _STOP | _JOINS):
            return None  # nothing parts the role from a city that is not known
        if lower in _STOP or (place and (_NUMBER.fullmatch(bare) or word[0] in "([")):
            return _role(words[:place])
        if word[-1] in ".,;:!?)":
            following = [later for later in words[place + 1 : place + 3] if later.lower() not in _JOINS]
            several = bool(following) and _NUMBER.fullmatch(following[0].strip(EDGES)) is not None and word[-1] == ","
            return "" if several else _role([*words[:place], bare])
    return _role(words)


def _role_before_city(words: list[str], known: Cities) -> str | None:
    """Give the role before the city, `None` where there is none.

    Where a role holds a city's name itself, the city is the one with its state behind.
    """
    cut = 0
    for place in range(1, len(words)):
        if length := known.length_at(words, place):
            after = words[place + length].strip(EDGES) if place + length < len(words) else ""
            if after.upper() in STATES:
                cut = place
                break
            cut = cut or place
    words = words[:cut]
    if words and words[-1].lower() in ("in", "at", "near"):
        words.pop()
    if not words or any(word.lower() in _STOP for word in words):
        return None
    return _role(words)


def _words(rest: str) -> list[str]:
    return rest.split(None, 16)[:16]


def _role(words: list[str]) -> str | None:
    """Make a role of its words: `""` where they ask for anybody, a time or several roles, `None` where they are none."""
    words = [word for word in (word.strip(EDGES) for word in words) if word]
    if not words or len(words) > _MOST_WORDS or not any(map(str.isalpha, "".join(words))):
        return None
    lower = [word.lower() for word in words]
    if lower[-1] in _JOINS or lower[0] in _TIMES or all(word in _ANYBODY for word in lower):
        return ""
    if lower[0] in _NEVER_FIRST or not _NEVER.isdisjoint(lower):
        return None
    return " ".join([*words[:-1], _singular(words[-1])])


def _singular(word: str) -> str:
    lower = word.lower()
    if len(word) < 4 or not lower.endswith("s") or lower.endswith(("ss", "us", "is")):
        return word
    return word[:-2] if lower.endswith(("sses", "xes", "zes", "ches", "shes")) else word[:-1]


class Fallback:
    """A model that is asked for the role of a text: once per text, and never twice for one that failed.

    `ask` takes the text and gives the role, or `""`; a chat model does that with `format=json` and temperature 0. Where it
    raises a `LakehouseError`, an `OSError` (no connection, no answer in time) or a `ValueError` (no JSON), or gives what
    can be no role, the role is `""` and `failed` grows. `asked` counts the calls.
    """

    def __init__(self, ask: Callable[[str], object], *, remember: int = 10_000) -> None:
        self._ask = ask
        self._known: OrderedDict[str, str] = OrderedDict()
        self._remember = remember
        self.asked = 0
        self.failed = 0

    def __call__(self, text: str) -> str:
        """Give the role of a text, from memory where it was asked before."""
        if text in self._known:
            self._known.move_to_end(text)
            return self._known[text]
        self.asked += 1
        role = self._answer(text)
        self._known[text] = role
        if len(self._known) > self._remember:
            self._known.popitem(last=False)
        return role

    def _answer(self, text: str) -> str:
        try:
            answer = self._ask(text)
        except (LakehouseError, OSError, ValueError):
            self.failed += 1
            return ""
        role = " ".join(answer.split()) if isinstance(answer, str) else None
        if role is None or len(role.split()) > _MOST_WORDS or len(role) > _LONGEST_ROLE:
            self.failed += 1
            return ""
        return role


def same_role(one: str, other: str) -> bool:
    """Say whether two roles are the same, case, plural -s and -es, spaces and hyphens aside."""
    return role_key(one) == role_key(other)


@lru_cache(maxsize=4096)
def role_key(role: str) -> str:
    """Give the one form of all spellings of a role. Irregular plurals (foremen) are words of their own."""
    text = unicodedata.normalize("NFKC", role).casefold()
    return "".join(_stem(re.sub(r"[\s_-]", "", part)) for part in re.split(r"([^\W_]+)", text))


def _stem(word: str) -> str:
    """Take a plural ending off, and the e before it: nurses and nurse, boxes and box meet without a dictionary."""
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word
