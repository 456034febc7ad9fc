"""Anchors: how many rows a log has and the last one's `hmac`, signed, kept where the log is not.

Here: the form of an anchor, reading and writing one. Not here: what a log is held against it for (`verify.py`).
A chain alone does not see that its end is missing; the anchor does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from lakehouse.files import write_whole
from lakehouse.records import SubjectAnchor
from lakehouse.subjects.chain import ZEROS, Unreadable, sign, signed_part
from lakehouse.subjects.keys import Key
from lakehouse.subjects.reading import read_regular

_HEX = re.compile(r"[0-9a-f]{64}")


class BadAnchor(Exception):
    """The anchor is not one that was written for this log; the message says why."""


def read_anchor(data: bytes, keys: Mapping[str, Key], subject: str | None = None) -> SubjectAnchor:
    """Give the anchor that some bytes hold, its signature checked, as for a row, on the bytes as they were written.

    Raises `BadAnchor`, `KeyError` with the id of a key that is not there, `ShortKey`.
    """
    try:
        value, mac, body = signed_part(data)
    except Unreadable as error:
        raise BadAnchor(str(error)) from None
    of, count, tip, key_id = map(value.get, ("subject_id", "count", "tip", "key_id"))
    if type(of) is not str or type(count) is not int or type(tip) is not str or type(key_id) is not str:
        raise BadAnchor("it lacks `subject_id`, `count`, `tip` or `key_id`, or one is of another type")
    if not keys[key_id].signed(body, mac):
        raise BadAnchor(f"its content is not what the key {key_id[:80]!r} signed")
    if subject is not None and of != subject:
        raise BadAnchor(f"it was signed for {of[:80]!r} and not for {subject!r}")
    if count < 0 or not _HEX.fullmatch(tip) or (count == 0 and tip != ZEROS):
        raise BadAnchor("count and tip are those of no log")
    return SubjectAnchor(subject_id=of, count=count, tip=tip, key_id=key_id, hmac=mac)


def stored_anchor(path: Path) -> bytes | None:
    """Give the bytes of an anchor's file; `None` where there is none. Raises `CannotRead`."""
    try:
        return read_regular(path)
    except FileNotFoundError:
        return None


def write_anchor(path: Path, subject: str, count: int, tip: str, key: Key) -> None:
    """Replace an anchor, durably. Raises `OutsideFailure`."""
    anchor = SubjectAnchor(subject_id=subject, count=count, tip=tip, key_id=key.id, hmac="")
    write_whole(path, sign(anchor, key) + b"\n")
