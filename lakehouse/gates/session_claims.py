"""What the lines of the log of sessions claim, whichever runtime wrote them.

Here: reading of a line as much as a gate needs and no more, so that a line that is odd elsewhere cannot hide a fill. Not here:
the gates (`sessions.py`, `session_roster.py`), records of sessions (`lakehouse.sessions`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec

from lakehouse.files import sha256_of
from lakehouse.iterate import FILL
from lakehouse.jsonl import raw_lines
from lakehouse.lake import Lake

ASSET: Final = "session_audit"
NO_FILL: Final = "nothing to look at: the log holds no accepted fill"


class Claim(msgspec.Struct, gc=False):
    """What a line of any runtime claims, whatever the types."""

    schema: Any = None
    session_id: Any = None
    daemon: Any = None
    kind: Any = None
    verdict: Any = None
    grounded_in_roster: Any = msgspec.UNSET

    @property
    def who(self) -> str:
        """Name the session and its writer, for a person."""
        return f"session {shown(self.session_id)} of {shown(self.daemon)}"


class Filled(Claim):
    """The same with the object that was accepted."""

    artifact: Any = None


C = TypeVar("C", bound=Claim)
_decoders: Final[dict[type[Claim], msgspec.json.Decoder[Any]]] = {
    kind: msgspec.json.Decoder(kind) for kind in (Claim, Filled)
}


def log_hash(lake: Lake) -> str:
    """Give the SHA-256 of the log, that of nothing where there is none."""
    return sha256_of(lake.sessions) if lake.sessions.exists() else sha256(b"").hexdigest()


def claim_of(raw: bytes, kind: type[C]) -> C:
    """Read what a line claims. Raises as msgspec does, and `UnicodeError` or `RecursionError`."""
    found: C = _decoders[kind].decode(raw)
    return found


def accepted_fills(
    lake: Lake, kind: type[C], seen: Callable[[bytes], object] | None = None
) -> Iterator[tuple[int, bytes, C | None]]:
    """Give the accepted fills of the log as `(number, line, claim)`, and with `None` the lines that are no JSON object.

    `seen` gets every byte as it was read. Memory: one line.
    """
    for number, _, raw in raw_lines(lake.sessions, seen):
        claim = _lenient(raw, kind)
        if claim is None or (word(claim.kind) == FILL and word(claim.verdict) == "accepted"):
            yield number, raw, claim


def _lenient(raw: bytes, kind: type[C]) -> C | None:
    """Read what a line claims, also where another program wrote half a character or a NaN; `None` where it is no object."""
    try:
        return claim_of(raw, kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        said = json.loads(raw.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    names = kind.__struct_fields__
    return kind(**{name: said[name] for name in names if name in said}) if isinstance(said, dict) else None


def word(value: Any) -> str:
    """Give a word of a line without its case and the spaces around it, nothing for what is no text."""
    return value.strip().casefold() if isinstance(value, str) else ""


def shown(value: Any) -> str:
    """Write a value of a line for a person, cut."""
    text = value if isinstance(value, str) else json.dumps(value)
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= 80 else f"{text[:79]}…"


def place(lake: Lake, line: int, why: str) -> dict[str, Any]:
    """Give an offender."""
    return {"file": lake.relative(lake.sessions), "line": line, "why": why}
