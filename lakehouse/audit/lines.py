"""Comparing two files line by line, by a digest of each line.

Here: digests, and which lines differ. Not here: where the other file comes from (`rebuild.py`).
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from lakehouse.stamps import cut_evidence, cut_pair, cut_sample, cut_scored

Cut = Callable[[bytes], bytes]
CHANGED = "the line changed after it was written"
GONE = "a line that stood here is gone"
ADDED = "the line was put in after the file was written"
MOVED = "from here on the lines stand in another order than was written"
STAMPS = ("recorded_at", "scored_at", "created_at")


def cut_of(path: str) -> Cut | None:
    """Give what takes the stamps out of a line of a file, by its path in the lake; `None` where its lines have none."""
    top, _, rest = path.partition("/")
    if top == "evidence":
        return cut_evidence
    if top == "scored-runs":
        return cut_scored
    if rest.startswith(("sft/parts/", "rag/parts/")) or path.endswith(("/sft_export.jsonl", "/rag_export.jsonl")):
        return cut_sample
    return cut_pair if path.endswith("/preference_export.jsonl") else None


def safely(cut: Cut, line: bytes) -> bytes:
    """Cut the stamps out of a line; one that is damaged where they should stand is left as it is."""
    try:
        return cut(line)
    except ValueError:
        return line


def digests(path: Path, cut: Cut | None = None) -> array[int]:
    """Give a digest of each line with its end, without its stamps where `cut` is given. Memory: 8 bytes a line."""
    found = array("Q")
    with path.open("rb", buffering=1 << 18) as file:
        for line in file:
            data = safely(cut, line) if cut else line
            found.append(int.from_bytes(blake2b(data, digest_size=8).digest()))
    return found


def differing(was: Sequence[int], now: Sequence[int]) -> list[tuple[int, str]]:
    """Name the lines (from 1) of `now` that differ from `was`, and how: the fewest that explain the difference.

    What both begin and end with is left out; in between lines are compared one by one, or, where that names fewer, by
    whether they stand there at all.
    """
    least = min(len(was), len(now))
    start = 0
    while start < least and was[start] == now[start]:
        start += 1
    end = 0
    while end < least - start and was[len(was) - 1 - end] == now[len(now) - 1 - end]:
        end += 1
    old, new = was[start : len(was) - end], now[start : len(now) - end]
    if not old and not new:
        return []
    left = Counter(old)
    foreign = []
    for place, one in enumerate(new):
        if left[one]:
            left[one] -= 1
        else:
            foreign.append(place)
    if len(old) == len(new):
        by_place = [place for place, (one, other) in enumerate(zip(old, new, strict=True)) if one != other]
        if not foreign:
            return [(start + by_place[0] + 1, MOVED)]
        if len(by_place) <= len(foreign):
            return [(start + place + 1, CHANGED) for place in by_place]
    if not foreign:
        return [(start + 1, GONE)]
    how = ADDED if len(new) > len(old) and not left.total() else CHANGED
    return [(start + place + 1, how) for place in foreign]


def fields_that_differ(was: bytes, now: bytes, *, stamps: bool) -> str:
    """Say which fields of a record differ between two lines, by their names alone."""
    try:
        one, other = orjson.loads(was), orjson.loads(now)
    except orjson.JSONDecodeError:
        return "it is no JSON any more"
    if not isinstance(one, dict) or not isinstance(other, dict):
        return ""
    names = [name for name in one if other.get(name) != one[name] and not _only_stamps(name, one, other, stamps)]
    return f"field {', '.join(names)}" if names else "a field's name"


def _only_stamps(name: str, one: dict[str, Any], other: dict[str, Any], stamps: bool) -> bool:
    """Say that what differs in a field is a stamp that this comparison leaves out."""
    if stamps:
        return False
    if name in STAMPS:
        return True
    held, found = one[name], other.get(name)
    if not name.startswith("provenance") or not isinstance(held, dict) or not isinstance(found, dict):
        return False
    return {**held, "recorded_at": ""} == {**found, "recorded_at": ""}


def read_lines(path: Path, wanted: Sequence[int]) -> dict[int, bytes]:
    """Give some lines of a file by their number from 1, in one pass."""
    numbers, found = set(wanted), {}
    with path.open("rb", buffering=1 << 18) as file:
        for number, line in enumerate(file, start=1):
            if number in numbers:
                found[number] = line
                if len(found) == len(numbers):
                    break
    return found
