"""Known cities in a text.

Here: finding a city's name at a word, and the place (city and state) that a text names. Not here: roles (`roles.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Final

EDGES: Final = ".,;:!?()[]\"'"
"""Signs around a word that are no part of it."""

STATES: Final = frozenset(
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR"
    " PA RI SC SD TN TX UT VT VA WA WV WI WY".split()
)
_BEFORE: Final = ("in", "near", "around")

Place = tuple[str, str]


class Cities:
    """The known cities by their first word, so that finding one costs a look at each word of a text."""

    def __init__(self, names: frozenset[str]) -> None:
        self._by_first: dict[str, list[list[str]]] = {}
        for name in sorted(names):
            if words := [folded(word) for word in name.split()]:
                self._by_first.setdefault(words[0], []).append(words)
        for options in self._by_first.values():
            options.sort(key=len, reverse=True)

    def length_at(self, words: list[str], place: int) -> int:
        """Say how many words the city that begins at `place` has; 0 where none begins there."""
        for option in self._by_first.get(folded(words[place]), ()):
            if [folded(word) for word in words[place : place + len(option)]] == option:
                return len(option)
        return 0


def folded(word: str) -> str:
    """Give a word without the signs around it and without case."""
    return word.strip(EDGES).casefold()


cities_of = lru_cache(maxsize=8)(Cities)
"""Prepares a `frozenset` of city names, once."""


def find_place(text: str, places: Collection[Place]) -> Place:
    """Give the known (city, state) that a text names, `("", "")` where it names none.

    Names of companies hold cities too: a city with its state behind counts first, then one after `in`, then the first.
    Where a city lies in several states and the text names none of them, its state is `""`.
    """
    known = _known(frozenset(places))
    words = text.split()
    best: tuple[int, Place] = (0, ("", ""))
    for at in range(len(words)):
        if length := known.cities.length_at(words, at):
            city = " ".join(map(folded, words[at : at + length]))
            states = known.states[city]
            after = words[at + length].strip(EDGES).upper() if at + length < len(words) else ""
            if after in states:
                return states[after]
            weight = 2 if at and words[at - 1].lower() in _BEFORE else 1
            if weight > best[0]:
                (name, state), *others = states.values()
                best = weight, (name, "" if others else state)
    return best[1]


class _Known:
    def __init__(self, places: frozenset[Place]) -> None:
        self.cities = Cities(frozenset(city for city, _ in places))
        self.states: dict[str, dict[str, Place]] = {}
        for city, state in sorted(places):
            self.states.setdefault(" ".join(map(folded, city.split())), {})[state.upper()] = (city, state)


_known = lru_cache(maxsize=8)(_Known)
