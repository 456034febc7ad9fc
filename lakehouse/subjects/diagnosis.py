"""Naming a fault: what happened to a row whose signature is wrong, or that does not follow the one before it.

Here: the two questions that need the rest of the file, each one more pass with flat memory. Not here: finding the fault.
The rules are those of docs/subjects.md; other runtimes name faults by them too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lakehouse.subjects.chain import ZEROS, Row, Unreadable, read_row
from lakehouse.subjects.keys import Key


class Named(NamedTuple):
    """The kind of a fault, and why it is that."""

    kind: str
    why: str


def name_signature(lines: Iterable[bytes], number: int, row: Row, tip: str, key: Key, proved: bool) -> Named:
    """Name the fault of line `number`, whose own signature is wrong: `wrong_key`, `inserted` or `edited`.

    `tip` is the `hmac` of the row before it, `proved` says that the key itself is not in doubt.
    """
    inserted = False
    for at, line in enumerate(lines, start=1):
        if at <= number or (proved and at > number + 1):
            continue
        other = _readable(line)
        if other is None:
            continue
        if at == number + 1 and other.prev == tip:
            inserted = True
        if not proved and other.key_id == row.key_id and key.signed(other.body, other.hmac):
            proved = True
    if not proved:
        return Named("wrong_key", f"no row is signed with the key {row.key_id[:80]!r} that was given")
    if inserted:
        return Named("inserted", "the key did not sign it, and the row after it follows the row before it")
    return Named("edited", f"its content is not what the key {row.key_id[:80]!r} signed")


def name_order(lines: Iterable[bytes], number: int, row: Row, tip: str) -> Named:
    """Name the fault of line `number`, which is signed but does not follow the row before it, whose `hmac` is `tip`."""
    same = before = after = 0
    skipped = False
    marks = (row.hmac.encode(), row.prev.encode())
    for at, line in enumerate(lines, start=1):
        if at == number or (at != number + 1 and not any(mark in line for mark in marks)):
            continue
        other = _readable(line)
        if other is None:
            continue
        if at < number and other.hmac == row.hmac:
            same = same or at
        if other.hmac == row.prev:
            before, after = (at, after) if at < number else (before, after or at)
        if at == number + 1 and other.prev == tip:
            skipped = True
    if same:
        return Named("repeated", f"it is line {same} once more")
    if after:
        return Named("swapped", f"the row that it follows stands after it, in line {after}")
    if skipped:
        return Named("inserted", "the row after it follows the row before it")
    if before or (row.prev == ZEROS and number > 1):
        where = f"line {before}" if before else "no row"
        return Named("forked", f"it follows {where}, as line {before + 1} does: one of the two does not belong here")
    return Named("deleted", "the row that it follows is not in the log: one or more are missing before it")


def _readable(line: bytes) -> Row | None:
    try:
        return read_row(line)
    except Unreadable:
        return None
