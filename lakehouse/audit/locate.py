"""Naming the line of a changed byte: a file that differs from its manifest is made again and compared line by line.

Here: from changed files to offenders. Not here: which files changed (`files.py`), making them again (`rebuild.py`), what
is left where that cannot be done (`suspects.py`).

The chain is deterministic, so what is made again from the same rows is what was written, up to its stamps; the content
hash in the manifest proves it. Nothing of a line's content is ever told, only where it is and the names of its fields.
"""

from __future__ import annotations

from pathlib import Path

from lakehouse.audit.files import Changed
from lakehouse.audit.lines import CHANGED, cut_of, differing, digests, fields_that_differ, read_lines
from lakehouse.audit.model import Offender, offender
from lakehouse.audit.parquet_rows import differing_rows
from lakehouse.audit.rebuild import rebuilt
from lakehouse.audit.stamp_damage import changed_stamps
from lakehouse.audit.suspects import suspects
from lakehouse.gates.verdicts import MOST_OFFENDERS
from lakehouse.lake import Lake
from lakehouse.records import FileRef

GONE = "the file is gone"
_STAMPED_COLUMNS = frozenset({"created_at"})
Named = list[tuple[int, str]]


def locate(lake: Lake, files: list[Changed], now: str) -> list[Offender]:
    """Name the lines of changed files, at most 100 of each; line 0 where a line is not known, with the reason.

    Writes nothing to the lake. `now` stamps records that are made again; stamps are not compared. Memory: 16 bytes for
    each line of one file, beside what making a day or a publication takes.
    """
    there = [one for one in files if one.sha256 is not None]
    found: dict[str, Named] = {one.written.ref.path: [(0, GONE)] for one in files if one.sha256 is None}
    if there:
        with rebuilt(lake, there, now) as again:
            for one in there:
                made = again(one.written)
                lines = _unproven(lake, one, made) if isinstance(made, str) else _compared(lake, one, *made)
                found[one.written.ref.path] = lines
    return [offender(path, line, why) for path, lines in found.items() for line, why in lines[:MOST_OFFENDERS]]


def _compared(lake: Lake, one: Changed, was: Path, made: FileRef) -> Named:
    """Compare a file with what was written; byte by byte where even the stamps came out the same."""
    ref = one.written.ref
    path, exact = lake.root / ref.path, made.sha256 == ref.sha256
    if path.suffix == ".parquet":
        return differing_rows(path, was, leave_out=frozenset() if exact else _STAMPED_COLUMNS)
    cut = None if exact else cut_of(ref.path)
    found = differing(digests(was, cut), digests(path, cut))[:MOST_OFFENDERS]
    if found:
        return _with_fields(found, was, path, stamps=exact)
    stamps = changed_stamps(path, ref.sha256)
    why = f"nothing but stamps changed, or the hash in {one.written.said_by(lake)}; which line is not known"
    return stamps or [(0, why)]


def _with_fields(found: Named, was: Path, path: Path, *, stamps: bool) -> Named:
    """Add which fields differ, where a line stands against its own former self."""
    numbers = [number for number, why in found if why == CHANGED]
    old, new = read_lines(was, numbers), read_lines(path, numbers)
    told = []
    for number, why in found:
        fields = ""
        if why == CHANGED and number in old and number in new:
            fields = fields_that_differ(old[number], new[number], stamps=stamps)
        told.append((number, f"{why} ({fields})" if fields else why))
    return told


def _unproven(lake: Lake, one: Changed, why: str) -> Named:
    """Name what contradicts itself in a file that could not be made again."""
    found = suspects(lake, one.written)
    told = f"the file changed after it was written (sha256 {(one.sha256 or '')[:16]}…)"
    return found or [(0, f"{told}; which line is not known: {why}")]
