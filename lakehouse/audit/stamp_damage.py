"""Finding the line whose stamp changed: stamps are in no content hash, and making a file again does not give them.

Here: trying which stamp, put back, gives the hash of the file as it was written: that is a proof. Not here: any other
change (`lines.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

_STAMP = re.compile(rb'"(recorded_at|scored_at|created_at)":"([^"]*)"')
_WRITTEN = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_LARGEST = 64 << 20
"""Bytes of a file that is searched: larger ones would have to be hashed too often."""
_WORK = 4 << 30
"""Bytes that are hashed at the most."""
_COMMON = 8
"""Stamps of other lines that are tried in place of one: a file has few, one for each run that added to it."""

PROVEN = "the stamp {} of the line changed after it was written"
MALFORMED = "the stamp {} of the line is none that was written here"


def changed_stamps(path: Path, written_sha256: str) -> list[tuple[int, str]]:
    """Name the line (from 1) whose stamp changed; where no proof is found, the lines with a stamp that is none."""
    if path.stat().st_size > _LARGEST:
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    stamps = [_STAMP.findall(line) for line in lines]
    common: dict[bytes, Counter[bytes]] = {}
    for held in stamps:
        for name, value in held:
            common.setdefault(name, Counter())[value] += 1
    # The rarest first: a changed stamp mostly stands alone.
    order = sorted(range(len(lines)), key=lambda at: min((common[n][v] for n, v in stamps[at]), default=len(lines)))
    left = _WORK
    for place in order:
        before = sha256(b"".join(lines[:place]))
        after = b"".join(lines[place + 1 :])
        for name, line in _put_back(lines[place], common):
            left -= len(after)
            if left < 0:
                return _malformed(stamps)
            digest = before.copy()
            digest.update(line + after)
            if digest.hexdigest() == written_sha256:
                return [(place + 1, PROVEN.format(name))]
        left -= sum(map(len, lines[:place]))
    return _malformed(stamps)


def _put_back(line: bytes, common: dict[bytes, Counter[bytes]]) -> Iterator[tuple[str, bytes]]:
    """Give the line with one stamp replaced by one that other lines have."""
    for found in _STAMP.finditer(line):
        for value, _ in common[found[1]].most_common(_COMMON):
            if value != found[2]:
                yield found[1].decode(), line[: found.start(2)] + value + line[found.end(2) :]


def _malformed(stamps: list[list[tuple[bytes, bytes]]]) -> list[tuple[int, str]]:
    return [
        (number, MALFORMED.format(name.decode()))
        for number, held in enumerate(stamps, start=1)
        for name, value in held
        if not _WRITTEN.fullmatch(value)
    ]
