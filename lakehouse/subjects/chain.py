"""What a row signs: the canonical bytes of the line as it was written, and the links from row to row.

Here: reading a line, its signed bytes, signing a new one. Not here: whether a log holds together (`walk.py`,
`verify.py`), keys (`keys.py`).

A line is parsed generically and never through a typed record: stamps, unknown keys and empty strings keep what other
runtimes wrote. The signed bytes are the canonical JSON (RFC 8785) of the object without its key `hmac`. There are no
floats, for runtimes write them differently, and no key stands twice, for runtimes choose differently.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
import orjson

from lakehouse import canonical
from lakehouse.canonical import MAX_DEPTH, NotJson
from lakehouse.errors import RecordError
from lakehouse.jsonl import encode
from lakehouse.records import Record
from lakehouse.subjects.keys import Key

SCHEMA: Final = "subject_audit.v1"
ZEROS: Final = "0" * 64
"""`prev_hmac` of the first row, and the tip of a log without rows."""

MAX_ROW: Final = 1 << 20
"""Bytes of the longest line."""

_CONTAINERS = (dict, list)


class Row(NamedTuple):
    """What the chain needs of a line; `body` are the signed bytes."""

    subject_id: str
    key_id: str
    prev: str
    hmac: str
    next_key_id: str | None
    body: bytes


class Unreadable(ValueError):
    """The line is no row; the message says why."""


def read_row(line: bytes) -> Row:
    """Read a line, with or without its newline. Raises `Unreadable`."""
    if len(line) > MAX_ROW + line.endswith(b"\n"):
        raise Unreadable(f"the line is longer than {MAX_ROW} bytes")
    value, mac, body = signed_part(line)
    if value.get("schema") != SCHEMA:
        raise Unreadable(f"its schema is {str(value.get('schema'))[:40]!r} and not {SCHEMA!r}")
    following = value.get("next_key_id")
    if following is not None and type(following) is not str:
        raise Unreadable("`next_key_id` is no text")
    return Row(_text(value, "subject_id"), _text(value, "key_id"), _text(value, "prev_hmac"), mac, following, body)


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    if type(found) is not str:
        raise Unreadable(f"it has no text under `{name}`")
    return found


def signed_part(data: bytes) -> tuple[dict[str, Any], str, bytes]:
    """Give an object without its `hmac`, the `hmac`, and the bytes that it signs. Raises `Unreadable`."""
    try:
        value = orjson.loads(data)
        if type(value) is not dict:
            raise Unreadable("it is no JSON object")
        if data.count(b"{") + data.count(b"[") > MAX_DEPTH or holds_float(value):
            # What orjson reads as a float may be an integer that it could not hold.
            value = canonical.parse(data)
            if holds_float(value):
                raise Unreadable("it holds a float, and audit rows hold none")
        mac = value.pop("hmac", None)
        if type(mac) is not str:
            raise Unreadable("it has no text under `hmac`")
        body = canonical.canonical(value)
        # The four quotes are those of `"hmac":"…"`. A duplicate that was dropped takes two quotes along at least, and
        # only an escaped one could put them back.
        if data.count(b'"') != body.count(b'"') + 4 or (b"\\" in data and b"\\u0022" in data):
            twice = canonical.parse_slowly(data)[1]
            if twice:
                raise Unreadable(f"the key {twice[0][:40]!r} stands twice in one object")
    except (orjson.JSONDecodeError, NotJson) as error:
        raise Unreadable(f"it is no JSON ({error})") from None
    return value, mac, body


def holds_float(value: Any) -> bool:
    """Say whether a JSON value holds a float at any depth."""
    layer = [value]
    while layer:
        inner: list[Any] = []
        for held in layer:
            for item in held.values() if type(held) is dict else held:
                if type(item) is float:
                    return True
                if type(item) in _CONTAINERS:
                    inner.append(item)
        layer = inner
    return False


def sign(record: Record, key: Key) -> bytes:
    """Give the line of a record (a row or an anchor) with its `hmac` in place of the one that it has.

    Signs the bytes that will stand in the file, by the rule of verification. Raises `RecordError` for what no row may hold.
    """
    try:
        mac = key.sign(signed_part(encode(record))[2])
    except (Unreadable, UnicodeEncodeError) as error:
        raise RecordError(f"this cannot be signed: {error}") from None
    line = encode(msgspec.structs.replace(record, hmac=mac))
    if len(line) > MAX_ROW:
        raise RecordError(f"the row has {len(line)} bytes, and at most {MAX_ROW} are allowed", mend="name fewer fields")
    return line
