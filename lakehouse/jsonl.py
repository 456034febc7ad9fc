"""Reading and writing JSONL files of records: decoding with file and line in the error, hashing while writing.

Here: the one writer and the readers of our own files. Not here: raw streams, which are read by byte range
(`index/reader.py`), and what stands in a record (`records.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec

from lakehouse.errors import OutsideFailure, RecordError
from lakehouse.files import Staged, write_whole
from lakehouse.records import FileRef

R = TypeVar("R", bound=msgspec.Struct)
Cut = Callable[[bytes], bytes]
"""Takes the stamps out of an encoded record, see `lakehouse.stamps`."""

_encode = msgspec.json.Encoder().encode
_FLUSH = 1 << 18


def encode(record: msgspec.Struct) -> bytes:
    """Encode a record as one compact JSON object, keys in declared order, without newline."""
    return _encode(record)


class JsonlWriter:
    """Writes records to a file that appears whole, counting rows and hashing as it goes.

    `cut` takes the stamps out of a line for the content hash; without it content and file hash are the same. After the
    block, `ref(path)` describes the file. A `share` is a temporary file that a later step joins with others: it is
    neither hashed nor synced. Memory: one buffer of 256 KiB.
    """

    def __init__(self, path: Path, cut: Cut | None = None, *, share: bool = False) -> None:
        self._staged = Staged(path, durable=not share)
        self._share = share
        self._cut = cut
        self._lines: list[bytes] = []
        self._pending = 0
        self.rows = 0
        self.size = 0
        self._sha = sha256()
        self._content = sha256()

    @property
    def beside(self) -> Path:
        """Where the file lies until it is moved into place."""
        return self._staged.beside

    def __enter__(self) -> Self:
        self._staged.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None:
            try:
                self.flush()
            except BaseException as failure:
                self._staged.__exit__(type(failure), failure, None)
                raise
        self._staged.__exit__(kind, error, tb)

    def add(self, line: bytes) -> None:
        """Add one encoded record."""
        self._lines.append(line)
        self._pending += len(line)
        if self._pending > _FLUSH:
            self.flush()

    def flush(self) -> None:
        """Write and hash what is buffered."""
        if not self._lines:
            return
        lines = self._lines
        self.rows += len(lines)
        lines.append(b"")
        block = b"\n".join(lines)
        if not self._share:
            self._sha.update(block)
            if self._cut is not None:
                self._content.update(b"\n".join(map(self._cut, lines)))
        self.size += len(block)
        self._staged.write(block)
        self._lines = []
        self._pending = 0

    def ref(self, path: str) -> FileRef:
        """Describe the written file under its path relative to the lake."""
        whole = self._sha.hexdigest()
        content = self._content.hexdigest() if self._cut is not None else whole
        return FileRef(path=path, rows=self.rows, bytes=self.size, sha256=whole, content_sha256=content)


class JsonlReader(Generic[R]):
    """Decodes the lines of our own JSONL files into one record type."""

    def __init__(self, record_type: type[R]) -> None:
        self._decode = msgspec.json.Decoder(record_type).decode

    def lines(self, path: Path) -> Iterator[tuple[int, R]]:
        """Give `(line number from 1, record)` for every line; a torn last line is "not there yet" and left out.

        Raises `RecordError` with file and line where one does not decode or has an unknown version.
        """
        decode = self._decode
        with path.open("rb", buffering=1 << 18) as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield number, decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise unreadable(path, number, error) from None

    def records(self, path: Path) -> Iterator[R]:
        """Give the records alone."""
        return (record for _, record in self.lines(path))


def raw_lines(path: Path, seen: Callable[[bytes], Any] | None = None) -> Iterator[tuple[int, int, bytes]]:
    """Give the lines of a log that others write to as well: `(number from 1, first byte, line)`.

    Blank ones and a torn last one are passed over; nothing where there is no file. `seen` gets every byte as it was read, for a
    hash of what was looked at. Memory: one line. Raises `OutsideFailure` where something lies there that cannot be read.
    """
    try:
        log = path.open("rb", buffering=1 << 18)
    except FileNotFoundError:
        return
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise OutsideFailure(
            f"cannot read ({why})", where=str(path), mend="look at what lies there, and its rights"
        ) from None
    with log:
        end = 0
        for number, line in enumerate(log, start=1):
            start, end = end, end + len(line)
            if seen is not None:
                seen(line)
            if line.endswith(b"\n") and line.strip():
                yield number, start, line


def stretches(path: Path, most: int) -> list[tuple[int, int]]:
    """Cut a file into at most `most` stretches of whole lines of about equal size, as `(first byte, end)`."""
    size = path.stat().st_size
    borders = [0]
    with path.open("rb") as file:
        for part in range(1, most):
            file.seek(max(size * part // most - 1, 0))
            file.readline()
            borders.append(max(borders[-1], file.tell()))
    borders.append(size)
    return [(start, end) for start, end in pairwise(borders) if start < end]


def unreadable(path: Path, line: int | None, error: Exception) -> RecordError:
    """Give the error for a line (or a whole file) that is not the record it should be."""
    return RecordError(
        f"this is not the record that it should be ({error})",
        where=f"{path}:{line}" if line else str(path),
        mend="if another program wrote or changed it, restore it; what the chain wrote comes back by `lakehouse distill`",
    )


def read_json(path: Path, record_type: type[R]) -> R | None:
    """Read a file that holds one record; `None` where there is no file. Raises `RecordError`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(data, type=record_type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(path, None, error) from None


def write_json(path: Path, record: msgspec.Struct) -> None:
    """Write a file that holds one record, indented for people; a file with these bytes already is left alone."""
    write_whole(path, msgspec.json.format(encode(record), indent=2) + b"\n")


def decoded(path: Path, kind: type[R]) -> Iterator[R | Exception]:
    """Give each line of a file as a record, or the error that it is instead; nothing where there is no file."""
    if not path.exists():
        return
    decode = msgspec.json.Decoder(kind).decode
    with path.open("rb", buffering=1 << 18) as file:
        for line in file:
            try:
                yield decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                yield error
