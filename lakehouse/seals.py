"""Seals: what a file was when it was written, so that a later change is seen and its lines can be named.

Here: sealing bytes, and which lines differ from a seal. Not here: where seals are kept (`summary.py`) and who looks at
them (`audit/receipts.py`).
"""

from __future__ import annotations

from hashlib import sha256
from zlib import crc32

from lakehouse.records import SealedReceipt

DIGITS = 8
"""Hex digits of a line's checksum."""


def seal(data: bytes) -> SealedReceipt:
    """Seal the bytes of a file: their SHA-256, and the CRC-32 of each line with its end."""
    return SealedReceipt(
        sha256=sha256(data).hexdigest(), line_crc32="".join(f"{one:0{DIGITS}x}" for one in checksums(data))
    )


def checksums(data: bytes) -> list[int]:
    """Give the CRC-32 of each line with its end; only a newline ends a line."""
    return [crc32(line) for line in data.split(b"\n")]


def sealed_checksums(sealed: SealedReceipt) -> list[int] | None:
    """Give the checksums of a seal; `None` where they are none: the seal itself is damaged."""
    text = sealed.line_crc32
    if len(text) % DIGITS:
        return None
    try:
        return [int(text[place : place + DIGITS], 16) for place in range(0, len(text), DIGITS)]
    except ValueError:
        return None
