"""Names of sessions that came without a trace id.

Here: one pure function. Not here: the clock and the randomness, which are passed in.
"""

from __future__ import annotations

_WORD = 1 << 64
_HALF = 1 << 32


def session_id(nanoseconds: int, randomness: int) -> str:
    """Give `16 hex - 8 hex`: nanoseconds since 1970 and 32 random bits. Later ids sort after earlier ones."""
    return f"{nanoseconds % _WORD:016x}-{randomness % _HALF:08x}"
