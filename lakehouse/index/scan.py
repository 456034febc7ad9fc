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
from lakehouse.streams.spec import Stream
from lakehouse.timestamps import BadTimestamp, DayReader

MAX_LINE = 16 << 20
BLOCK = 1 << 20
_STAMPS = frozenset({str, int, float})

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


StampReader = Callable[[bytes], Any]


def stamp_reader(keys: tuple[str, ...]) -> StampReader:
    """Give a function from a line to the value of the first key that has one; a dotted key reaches into objects."""
    if any("." in key for key in keys):

        def reach_stamp(line: bytes) -> Any:
            row = orjson.loads(line)
            if not isinstance(row, dict):
                raise msgspec.ValidationError("Expected `object`")
            values = (reach(row, key) for key in keys)
            return next((value for value in values if value is not None), None)

        return reach_stamp
    names = [f"key{number}" for number in range(len(keys))]
    shape = msgspec.defstruct(
        "Stamps",
        [(name, Any, None) for name in names],
        rename=dict(zip(names, keys, strict=True)),
        gc=False,
    )
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(shape).decode
    rest = names[1:]

    def read_stamp(line: bytes) -> Any:
        row = decode(line)
        stamp = row.key0
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

        With `limit`, stops at the first block end after that many bytes. Memory: one block and one line of at most
        16 MiB; a longer line is passed over without being held.
        """
        place = self._place
        current, since, first, offset = "", start, first_line, start
        for lines, skipped in _blocks(file, start, end, limit):
            for line in lines or (b"",):
                found = TOO_LONG if skipped else place(line)
                if found != current:
                    if current:
                        yield _run(current, first, first_line - first, since, offset)
                    current, since, first = found, offset, first_line
                offset += skipped or len(line) + 1
                first_line += 1
        if current:
            yield _run(current, first, first_line - first, since, offset)

    def _place(self, line: bytes) -> str:
        """Give a line's day, which begins with a digit, or the reason why it has none, which does not."""
        try:
            stamp = self._read_stamp(line)
            if stamp is None:
                return NO_TIMESTAMP if _is_utf8(line) else NOT_UTF8
            if type(stamp) not in _STAMPS:
                return BAD_TIMESTAMP
            day = self._day(stamp)
        except BadTimestamp:
            return BAD_TIMESTAMP
        except UnicodeDecodeError:
            return NOT_UTF8
        except msgspec.ValidationError as error:
            return NOT_OBJECT if str(error).startswith("Expected `object`") else BAD_TIMESTAMP
        except (msgspec.DecodeError, orjson.JSONDecodeError, RecursionError):
            if not line.strip():
                return BLANK
            return NOT_JSON if _is_utf8(line) else NOT_UTF8
        # The decoder skips fields that it does not want without looking at their encoding.
        return day if line.isascii() or _is_utf8(line) else NOT_UTF8


def _run(found: str, first_line: int, line_count: int, start: int, end: int) -> Run:
    dated = found[0].isdigit()
    return Run(found if dated else None, None if dated else found, first_line, line_count, start, end)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _blocks(file: IO[bytes], start: int, end: int, limit: int | None) -> Iterator[tuple[list[bytes], int]]:
    """Give `(lines without newline, 0)`, or `([], length)` for a line that is too long to hold."""
    file.seek(start)
    position, carry, skipped, given = start, b"", 0, 0
    while position < end and (limit is None or given < limit):
        block = file.read(min(BLOCK, end - position))
        if not block:
            return
        position += len(block)
        if skipped:
            head, newline, block = block.partition(b"\n")
            skipped += len(head) + len(newline)
            if not newline:
                continue
            yield [], skipped
            given += skipped
            skipped = 0
        lines = (carry + block).split(b"\n") if carry else block.split(b"\n")
        carry = lines.pop()
        if carry and len(carry) > MAX_LINE:
            skipped, carry = len(carry), b""
        if lines and len(lines[0]) >= MAX_LINE:
            # Only the first line of a block can be that long: what was carried over began it.
            too_long = len(lines.pop(0)) + 1
            yield [], too_long
            given += too_long
        if lines:
            yield lines, 0
            given += sum(map(len, lines)) + len(lines)
