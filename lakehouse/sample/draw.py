"""Chance with a seed: drawing words, numbers and whole texts.

Here: `Draw`, the one source of randomness of the sample, and the filling of sentences. Not here: the words
(`words.py`), the sentences (`sentences.py`). Everything is made of `Random.random()`, whose values Python keeps the
same from release to release for one seed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random
from typing import TypeVar

from lakehouse.sample.words import FILES, WORDS

T = TypeVar("T")
_HOLE = re.compile(r"\{(\w+)\}")


class Draw:
    """A stream of random choices named by a seed: `Draw("7/audits/2026-05-01")` draws the same on every machine."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed).random  # noqa: S311 - sample data, no secret

    def one(self, options: Sequence[T]) -> T:
        """Give one of the options."""
        return options[int(self.random() * len(options))]

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """Give `count` different options (all of them where there are no more) in random order."""
        rest = list(options)
        return [rest.pop(int(self.random() * len(rest))) for _ in range(min(count, len(rest)))]

    def whole(self, low: int, high: int) -> int:
        """Give a whole number from `low` to `high`, both included."""
        return low + int(self.random() * (high - low + 1))

    def number(self, low: float, high: float, digits: int = 2) -> float:
        """Give a number from `low` to `high`, rounded to `digits`."""
        return round(low + self.random() * (high - low), digits)

    def chance(self, share: float) -> bool:
        """Give True in `share` of the cases."""
        return self.random() < share

    def hexadecimal(self, digits: int) -> str:
        """Give a hexadecimal number of that many digits."""
        return "".join(self.letters("0123456789abcdef", digits))

    def letters(self, alphabet: str, count: int) -> str:
        """Give `count` letters of an alphabet."""
        random, size = self.random, len(alphabet)
        return "".join([alphabet[int(random() * size)] for _ in range(count)])

    def fill(self, sentence: str) -> str:
        """Fill each `{hole}` of a sentence with a word of that name, or with a number."""
        random = self.random
        filled: list[str] = []
        for part in _parts(sentence):
            if type(part) is str:
                filled.append(part)
            elif type(part) is tuple:
                filled.append(part[int(random() * len(part))])
            else:
                filled.append(part(self))  # type: ignore[operator]
        return "".join(filled)

    def text(self, sentences: Sequence[str], count: int, separator: str = " ") -> str:
        """Give a text of `count` different sentences, filled, each beginning with a capital."""
        filled = [self.fill(sentence) for sentence in self.some(sentences, count)]
        return separator.join([sentence[0].upper() + sentence[1:] for sentence in filled])


_NUMBERS: dict[str, Callable[[Draw], str]] = {
    "n": lambda draw: str(draw.whole(2, 96)),
    "share": lambda draw: _share(draw, draw.whole(4, 96)),
    "line": lambda draw: str(draw.whole(11, 980)),
    "ms": lambda draw: str(draw.whole(3, 900)),
    "percent": lambda draw: f"{draw.number(1, 60, 1)} %",
    "rate": lambda draw: f"${draw.number(18, 74)}",
    "lot": lambda draw: f"{draw.letters('BCDFGHKLMNPRSTVW', 2)}-{draw.whole(100, 999)}",
    "file": lambda draw: draw.one(FILES),
}


def _share(draw: Draw, total: int) -> str:
    return f"{draw.whole(1, total)} of {total}"


@lru_cache(maxsize=1024)
def _parts(sentence: str) -> tuple[str | tuple[str, ...] | Callable[[Draw], str], ...]:
    """Split a sentence into its texts and the words for its holes; an unknown hole is a `KeyError`."""
    pieces = _HOLE.split(sentence)
    parts: list[str | tuple[str, ...] | Callable[[Draw], str]] = []
    for position, piece in enumerate(pieces):
        if position % 2:
            parts.append(_NUMBERS[piece] if piece in _NUMBERS else WORDS[piece])
        elif piece:
            parts.append(piece)
    return tuple(parts)
