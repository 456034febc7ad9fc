"""Reading new lines of a stream for their time, and nothing else.

Here: from bytes to runs of consecutive lines of one day. Not here: which bytes are new (`update.py`) and what else
stands in a line (`collect.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec
import orjson

from lakehouse.streams.declared import reach
from lakehouse.streams.spec import Stamp, Stream
from lakehouse.timestamps import BadTimestamp, DayReader

MAX_LINE = 16 << 20
BLOCK = 1 << 20

NOT_JSON, NOT_OBJECT, NOT_UTF8, TOO_LONG = "not_json", "not_object", "not_utf8", "too_long"
NO_TIMESTAMP, BAD_TIMESTAMP = "no_timestamp", "bad_timestamp"
BLANK = "blank"
REASONS = {
    NOT_JSON: "the line is no JSON",
    NOT_OBJECT: "the line is JSON, but no object",
    NOT_UTF8: "the line is not UTF-8",
    TOO_LONG: f"the line is longer than {MAX_LINE >> 20} MiB",
    NO_TIMESTAMP: "the row has no timestamp under any of its stream's keys",
    BAD_TIMESTAMP: "the row's timestamp is no time",
}
"""Why a line has no day, in words."""


class Run(msgspec.Struct, gc=False):
    """Consecutive lines of one day, or of one reason why they have none (`day` is then `None`).

    Lines count from 0, bytes from the start of the file. Blank lines are runs of their own, which nothing reads.
    """

    day: str | None
    reason: str | None
    first_line: int
    line_count: int
    byte_start: int
    byte_end: int


StampReader = Callable[[bytes], Stamp]


def stamp_reader(keys: tuple[str, ...]) -> StampReader:
    """Give a function from a line to the value of the first key that has one; a dotted key reaches into objects."""
    if any("." in key for key in keys):

        def reach_stamp(line: bytes) -> Stamp:
            row = orjson.loads(line)
            if not isinstance(row, dict):
                raise msgspec.ValidationError("Expected `object`")
            values = (reach(row, key) for key in keys)
            return msgspec.convert(next((value for value in values if value is not None), None), Stamp)

        return reach_stamp
    names = [f"key{number}" for number in range(len(keys))]
    shape = msgspec.defstruct(
        "Stamps",
        [(name, Stamp, None) for name in names],
        rename=dict(zip(names, keys, strict=True)),
        gc=False,
    )
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(shape).decode
    first, rest = names[0], names[1:]

    def read_stamp(line: bytes) -> Stamp:
        row = decode(line)
        stamp: Stamp = getattr(row, first)
        if stamp is None:
            for name in rest:
                stamp = getattr(row, name)
                if stamp is not None:
                    break
        return stamp

    return read_stamp


class Scanner:
    """Scans one stream's lines; remembers the dates it has seen."""

    def __init__(self, stream: Stream) -> None:
        self._read_stamp = stamp_reader(stream.timestamp_keys)
        self._day = DayReader().day

    def scan(self, file: IO[bytes], start: int, end: int, first_line: int, limit: int | None = None) -> Iterator[Run]:
        """Give the runs between byte `start`, where line `first_line` begins, and the last newline before `end`.

        With `limit`, stops at the first line end after that many bytes. Memory: one block and one line of at most
        16 MiB; a longer line is passed over without being held.
        """
        run: Run | None = None
        for line, offset, length in _lines(file, start, end, limit):
            if line is not None and not line.strip():
                key: tuple[str | None, str | None] = (None, BLANK)
            else:
                key = self._place(line)
            if run is not None and run.day == key[0] and run.reason == key[1]:
                run.line_count += 1
                run.byte_end = offset + length
            else:
                if run is not None:
                    yield run
                run = Run(key[0], key[1], first_line, 1, offset, offset + length)
            first_line += 1
        if run is not None:
            yield run

    def _place(self, line: bytes | None) -> tuple[str | None, str | None]:
        if line is None:
            return None, TOO_LONG
        try:
            stamp = self._read_stamp(line)
            if stamp is None:
                return (None, NO_TIMESTAMP) if _is_utf8(line) else (None, NOT_UTF8)
            day = self._day(stamp)
        except BadTimestamp:
            return None, BAD_TIMESTAMP
        except UnicodeDecodeError:
            return None, NOT_UTF8
        except msgspec.ValidationError as error:
            return None, BAD_TIMESTAMP if "$." in str(error) or "object" not in str(error) else NOT_OBJECT
        except (msgspec.DecodeError, orjson.JSONDecodeError, RecursionError):
            return None, NOT_JSON if _is_utf8(line) else NOT_UTF8
        # The decoder skips fields that it does not want without looking at their encoding.
        if not line.isascii() and not _is_utf8(line):
            return None, NOT_UTF8
        return day, None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lines(file: IO[bytes], start: int, end: int, limit: int | None) -> Iterator[tuple[bytes | None, int, int]]:
    """Give `(line without newline, offset, length with newline)`; the line is `None` where it is too long to hold."""
    file.seek(start)
    offset, carry, skipped = start, b"", 0
    position = start
    while position < end:
        block = file.read(min(BLOCK, end - position))
        if not block:
            return
        position += len(block)
        if skipped:
            head, newline, block = block.partition(b"\n")
            skipped += len(head) + len(newline)
            if not newline:
                continue
            yield None, offset, skipped
            offset += skipped
            skipped = 0
        lines = (carry + block).split(b"\n") if carry else block.split(b"\n")
        carry = lines.pop()
        for line in lines:
            length = len(line) + 1
            yield (line if length <= MAX_LINE else None), offset, length
            offset += length
        if len(carry) > MAX_LINE:
            skipped, carry = len(carry), b""
        if limit is not None and offset - start >= limit:
            return
