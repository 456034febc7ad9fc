r"""Finding the JSON object in what a model wrote: `extract_json(text)` gives `(matched, value)`.

Here: which part of a free text is the answer. Not here: whether the object is what was asked for (the validators).

The rule: the answer is the JSON object that begins at the leftmost brace at which a valid one begins; in fenced blocks
first, block by block, then in the whole text. What follows from it, and what was decided:

- A brace whose object is unbalanced or invalid is passed over, and the next one is tried, those inside of it included:
  `{{"a": 1}}` gives `{"a": 1}`. Nobody can say where the strings of broken JSON end, so its quotes hide no brace.
- Quotes and apostrophes of the prose around an object mean nothing. Within an object, strings and escapes count.
- A top-level array gives its first object, and a quoted scalar nothing. What follows an object does not matter.
- JSON is RFC 8259: no comments, no trailing commas, no single quotes, no NaN or Infinity, no control characters within
  strings. No number beyond a double either, and no lone surrogate: what could not be written again is not taken in.
- Integers keep all their digits, up to the 4300 that Python reads. Of duplicate keys the last wins, as in rows.
- An object nested deeper than 200 levels, as deep as rows may be, is passed over as if it were invalid.
- A fence is three or more backticks or tildes at the start of a line, with any language tag or none, and the block ends
  where a line ends in at least as many. Backticks also open at the end of a line of prose, with or without a tag, and
  fence a stretch within one line. Line ends are LF or CRLF. A fence that is never closed reaches to the end of the text.

Time is linear in the length of any text. An object is read once, and what became of it is remembered, for the braces
inside are candidates too. A brace in a string of one reading begins another, in which strings and the rest change
places; from there on a third reading would be one of these two. So no character is read more than a few times.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from lakehouse.canonical import MAX_DEPTH

MAX_DIGITS = 4300
_HEX = "[0-9a-fA-F]"
_ESCAPE = (
    r'\\(?:["\\/bfnrt]'
    rf"|u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}"
    rf"|u(?![dD][89a-fA-F]){_HEX}{{4}})"
)
_PLAIN = r'[^"\\\x00-\x1f\ud800-\udfff]*+'
_TOKEN = re.compile(
    r"[ \t\n\r]*+("
    rf'"{_PLAIN}(?:{_ESCAPE}{_PLAIN})*+"'
    r"|[{}\[\]:,]"
    r"|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
    r"|true|false|null)"
)
_BEGIN = re.compile(r'\{(?=[ \t\n\r]*+["}])')
_RUN = re.compile(r"`{3,}|~{3,}")
_TAG = re.compile(r"[ \t]*+[\w.+#-]*+\s*+")

_VALUE, _FIRST_ITEM, _FIRST_KEY, _KEY, _COLON, _AFTER = range(6)


class Extracted(NamedTuple):
    """Whether there is an object in a text, and the object."""

    matched: bool
    value: dict[str, Any] | None


def extract_json(text: str) -> Extracted:
    """Give the first JSON object in a free text, those in fenced blocks before all others; see above for the rule."""
    for start, end in _blocks(text):
        found = Scanner(text[start:end]).first()
        if found is not None:
            return Extracted(True, json.loads(found))
    found = Scanner(text).first()
    return Extracted(False, None) if found is None else Extracted(True, json.loads(found))


class Scanner:
    """Looks for the first object of one text. `steps` counts the characters read, for the test of linear time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._whole: dict[int, tuple[int, int]] = {}  # by its brace: where an object ends, and how deep it is
        self._broken: set[int] = set()
        self.steps = 0

    def first(self) -> str | None:
        """Give the object at the leftmost brace at which a valid one begins, as it is written."""
        for begin in _BEGIN.finditer(self._text):
            start = begin.start()
            if start not in self._whole and start not in self._broken:
                self._read(start)
            if start in self._whole:
                return self._text[start : self._whole[start][0]]
        return None

    def _read(self, start: int) -> None:
        """Read the object at a brace to its end or its first fault, and remember that of every brace on the way."""
        text, match = self._text, _TOKEN.match
        opened: list[tuple[int, bool]] = []  # what stands open: its place, and whether it is an object
        depths: list[int] = [0]  # how deep what lies in each of them is
        state, place = _VALUE, start
        while token := match(text, place):
            self.steps += token.end() - place
            begin, place = token.span(1)
            first = text[begin]
            if first == '"' and state in (_FIRST_KEY, _KEY):
                state = _COLON
            elif first == ":" and state == _COLON:
                state = _VALUE
            elif first == "," and state == _AFTER:
                state = _KEY if opened[-1][1] else _VALUE
            elif first in "}]" and state in (_AFTER, _FIRST_KEY if first == "}" else _FIRST_ITEM):
                where, is_object = opened[-1]
                depth = depths[-1] + 1
                if is_object != (first == "}") or depth > MAX_DEPTH:
                    break
                opened.pop()
                depths.pop()
                depths[-1] = max(depths[-1], depth)
                if is_object:
                    self._whole[where] = place, depth
                if not opened:
                    return
                state = _AFTER
            elif first in ":,}]" or state not in (_VALUE, _FIRST_ITEM):
                break
            elif first == "{" and begin in self._whole:
                place, depth = self._whole[begin]
                depths[-1] = max(depths[-1], depth)
                state = _AFTER
            elif first in "{[":
                if begin in self._broken:
                    break
                opened.append((begin, first == "{"))
                depths.append(0)
                state = _FIRST_KEY if first == "{" else _FIRST_ITEM
            elif first in "-0123456789" and not _holds(text[begin:place]):
                break
            else:
                state = _AFTER
        self._broken.update(where for where, is_object in opened if is_object)


def _holds(number: str) -> bool:
    """Say whether a number can be held: a double that is finite, or an integer of not too many digits."""
    if number.lstrip("-").isdigit():
        return len(number) <= MAX_DIGITS
    return math.isfinite(float(number))


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Give the fenced blocks as `(start, end)`; a language tag is part of its block, where it does no harm."""
    offset, fence, start = 0, "", 0
    for line in text.split("\n"):
        if fence:
            tail = line.rstrip()
            inside = tail.rstrip(fence[0])
            if len(tail) - len(inside) >= len(fence):
                yield start, offset + len(inside)
                fence = ""
        elif "```" in line or "~~~" in line:
            closed, opening = _fences(line)
            yield from ((offset + begin, offset + end) for begin, end in closed)
            if opening is not None:
                fence, start = opening[0], offset + opening.end()
        offset += len(line) + 1
    if fence:
        yield start, len(text)


def _fences(line: str) -> tuple[list[tuple[int, int]], re.Match[str] | None]:
    """Give the stretches that are fenced within one line, and the fence that opens there for the lines that follow."""
    lead = len(line) - len(line.lstrip())
    closed: list[tuple[int, int]] = []
    opening: re.Match[str] | None = None
    for run in _RUN.finditer(line):
        if run[0][0] == "~":
            if run.start() == lead:
                return closed, run
        elif opening is None:
            opening = run
        elif len(run[0]) == len(opening[0]):
            closed.append((opening.end(), run.start()))
            opening = None
    if opening is not None and (opening.start() == lead or _TAG.fullmatch(line, opening.end())):
        return closed, opening
    return closed, None
