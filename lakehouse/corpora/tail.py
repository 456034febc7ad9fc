"""The tail of a corpus: the newest rows, in a file beside the table, until there are enough of them for one commit.

Here: the file `lance/<corpus>.<version>.tail`, one JSON line per row with its vector. Not here: when it is folded into the
table (`store.py`), reading both together (`reading.py`).

A commit of LanceDB costs some ten milliseconds and makes later reads slower; a line here costs a tenth of one. The name
holds the table's version: a tail belongs to that version and to no other, so that the commit which takes it in ends it in
the same instant. It is not synced: what a power cut takes, a build brings back from the log.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import msgspec

from lakehouse.corpora.rows import Item, items_of, matrix_of, table_of
from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.errors import OutsideFailure
from lakehouse.lake import Lake

FOLD_BYTES: Final = 1 << 19
"""Size from which a tail is folded into the table: some 250 rows of 384 numbers."""


class _Line(msgspec.Struct, gc=False):
    id: str
    texts: list[str]
    metadata: dict[str, Any]
    origin: str
    vector: bytes


def tail_path(lake: Lake, name: str, version: int) -> Path:
    """Give the file of the tail of one version of a table."""
    return lake.root / "lance" / f"{name}.{version}.tail"


def lines_of(table: Any) -> bytes:
    """Give the rows of a table as lines of a tail."""
    encode = msgspec.json.Encoder().encode
    rows = zip(items_of(table), matrix_of(table), strict=True)
    made = [
        encode(_Line(item.id, list(item.texts), dict(item.metadata), item.origin, vector.astype("<f4").tobytes()))
        for item, vector in rows
    ]
    return b"".join(line + b"\n" for line in made)


def append(path: Path, lines: bytes) -> None:
    """Append lines in one write. Only for the one who holds the table's lock.

    What a killed writer left unfinished at the end is cut off: its row is in the log, or was never taken. Raises
    `OutsideFailure` where the disk fails.
    """
    try:
        with path.open("ab+", buffering=0) as tail:
            size = _whole(tail.fileno(), tail.seek(0, os.SEEK_END))
            tail.truncate(size)
            written = tail.write(lines)
            if written != len(lines):
                tail.truncate(size)
                raise OSError(28, os.strerror(28))
    except OSError as error:
        raise OutsideFailure(
            f"cannot write ({error.strerror})", where=str(path), mend="look at the disk's free space and rights"
        ) from error


def _whole(handle: int, size: int) -> int:
    """Give the size up to the last whole line."""
    if not size or os.pread(handle, 1, size - 1) == b"\n":
        return size
    return os.pread(handle, size, 0).rfind(b"\n") + 1


def size_of(path: Path) -> int:
    """Give the bytes of a tail; 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def read(path: Path, identity: EmbedderIdentity, start: int = 0) -> tuple[Any, int]:
    """Give the rows of a tail from a byte on, as a `pyarrow.Table`, and where its last whole line ends."""
    import numpy as np

    try:
        with path.open("rb") as tail:
            tail.seek(start)
            data = tail.read()
    except FileNotFoundError:
        data = b""
    data = data[: data.rfind(b"\n") + 1]
    decode = msgspec.json.Decoder(_Line).decode
    lines = [decode(line) for line in data.splitlines()]
    items = [Item(line.id, tuple(line.texts), line.metadata, line.origin) for line in lines]
    flat = np.frombuffer(b"".join(line.vector for line in lines), "<f4")
    return table_of(identity, items, flat.reshape(-1, identity.dimension)), start + len(data)
