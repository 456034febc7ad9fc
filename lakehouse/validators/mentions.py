"""Whose emails and phone numbers stand in a text: of those that a roster holds, each wherever it is written.

Here: the two indexes. An email or number is looked for as it is known, so it is found whatever signs are in it and around it.
Not here: the keys they are compared by (`contacts.py`), whose may stand there (`email.py`), how a text looks (`text.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from lakehouse.validators.contacts import FEWEST_DIGITS, national

Ids = tuple[str, ...]
Span = tuple[int, int, Ids]
"""Where something stands in a text, and whose it is."""

_GROUP: Final = re.compile(r"[0-9]+")
# Between the groups of one number: a few signs of whatever kind, and no letters.
_RUN: Final = re.compile(r"[0-9]+(?:[\W_]{1,4}[0-9]+)*")
_MOST_DIGITS: Final = 17
"""Digits of a number with its 00."""

_JOINTS: Final = frozenset("._+-")
"""Signs that make what stands before them a part of the address: `jo.ann@…` is not `ann@…`."""


class Emails:
    """The emails of a roster, by their `email_key`; `of` says whose they are."""

    def __init__(self, of: Mapping[str, Ids]) -> None:
        self.of = of
        locals_of: dict[str, set[int]] = {}
        for key in of:
            local, at, host = key.rpartition("@")
            if at:
                locals_of.setdefault(host, set()).add(len(local))
        self._locals = {host: tuple(sorted(lengths)) for host, lengths in locals_of.items()}
        self._hosts = tuple(sorted({len(host) for host in self._locals}))

    def found_in(self, text: str) -> Iterator[Ids]:
        """Give whose emails stand in a text: with no letter or digit beside them, and no joint that follows one."""
        text = text.casefold() if "@" in text else ""
        return _outermost(span for at in _places(text, "@") for span in self._around(text, at))

    def _around(self, text: str, at: int) -> Iterator[Span]:
        for size in self._hosts:
            end = at + 1 + size
            lengths = self._locals.get(text[at + 1 : end])
            if lengths is None or _is_letter(text[end : end + 1]):
                continue
            for length in lengths:
                start = at - length
                if start >= 0 and (ids := self.of.get(text[start:end])) and not _goes_on(text, start):
                    yield start, end, ids


class Phones:
    """The phone numbers of a roster, by their `phone_key`; `of` says whose they are."""

    def __init__(self, of: Mapping[str, Ids]) -> None:
        self.of = of

    def found_in(self, text: str) -> Iterator[Ids]:
        """Give whose numbers stand in a text: as neighbouring groups of digits with four signs between them at most."""
        return _outermost(self._spans(text)) if self.of else iter(())

    def _spans(self, text: str) -> Iterator[Span]:
        for run in _RUN.finditer(text):
            if run.end() - run.start() < FEWEST_DIGITS:
                continue
            groups = [(one.start(), one.end(), one[0]) for one in _GROUP.finditer(run[0])]
            for first, (start, _, _) in enumerate(groups):
                digits = ""
                for _, end, group in groups[first : first + _MOST_DIGITS]:
                    digits += group
                    if len(digits) > _MOST_DIGITS:
                        break
                    if len(digits) >= FEWEST_DIGITS and (ids := self.of.get(national(digits))):
                        yield run.start() + start, run.start() + end, ids


def _places(text: str, sign: str) -> Iterator[int]:
    at = text.find(sign)
    while at >= 0:
        yield at
        at = text.find(sign, at + 1)


def _goes_on(text: str, start: int) -> bool:
    """Say whether what begins at a place is the end of something longer."""
    before = text[start - 1 : start]
    return _is_letter(before) or (before in _JOINTS and _is_letter(text[max(0, start - 2) : start - 1]))


def _is_letter(sign: str) -> bool:
    """Say whether a sign is a letter or a digit; a raised one, of a footnote, is none."""
    return sign.isalpha() or sign.isdecimal()


def _outermost(spans: Iterable[Span]) -> Iterator[Ids]:
    """Leave out what stands within something longer: who may write `o'hara@…` need not know that `hara@…` is known too."""
    reached = -1
    for _, end, ids in sorted(spans, key=lambda span: (span[0], -span[1])):
        if end > reached:
            reached = end
            yield ids
