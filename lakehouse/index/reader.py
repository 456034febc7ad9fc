"""Reading the lines of a segment that the index names.

Here: from a segment to `(line number, line)`. Not here: finding segments (`store.py`) or what a line says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from lakehouse.errors import StreamRewritten
from lakehouse.index.store import Segment
from lakehouse.lake import Lake

_BLOCK = 1 << 20


class Digest(Protocol):
    """What `hashlib` gives."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes in."""


def read_segment(
    lake: Lake, segment: Segment, *, keep: int | None = None, digest: Digest | None = None
) -> Iterator[tuple[int, bytes]]:
    """Give `(line number from 0, line without newline)` for each line of a segment.

    With `keep`, no more than about that many bytes of a line are held: enough for a quarantine entry of a huge line.
    `digest` is fed with the bytes as they are read.
    Raises `StreamRewritten` where the file ends before the segment does.
    """
    number, carry = segment.first_line, b""
    left = segment.byte_end - segment.byte_start
    with (lake.root / segment.path).open("rb", buffering=0) as file:
        file.seek(segment.byte_start)
        while left:
            block = file.read(min(_BLOCK, left))
            if not block:
                raise StreamRewritten(
                    f"the file ends before byte {segment.byte_end}, which is indexed",
                    where=segment.path,
                    mend="run `lakehouse streams check`",
                )
            left -= len(block)
            if digest is not None:
                digest.update(block)
            lines = (carry + block).split(b"\n") if carry else block.split(b"\n")
            carry = lines.pop()
            for line in lines:
                yield number, line
                number += 1
            if keep is not None and len(carry) > keep:
                carry = carry[:keep]
