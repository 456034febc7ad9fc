"""The gates on the log of sessions: no accepted fill names a worker whom nobody knows, and every line says what it should.

Here: from `_kb/sessions.jsonl` to verdicts. Not here: validating a fill (`lakehouse.validators`), counting
(`lakehouse.sessions`). Other runtimes append to the same log, so the alarm reads no more of a line than it must: a line
that is odd elsewhere cannot hide a fill.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

import msgspec

from lakehouse.files import sha256_of
from lakehouse.gates.lake_gate import LakeGate
from lakehouse.gates.verdicts import MOST_OFFENDERS, verdict
from lakehouse.iterate import DAEMON, FILL
from lakehouse.jsonl import raw_lines
from lakehouse.lake import Lake
from lakehouse.records import SessionRecord, Verdict
from lakehouse.sessions.reading import Refused, session_of

VERSION: Final = "sessions-1"
SCHEMA: Final = "session.iterate.v1"


class _Claim(msgspec.Struct, gc=False):
    """What a line of any runtime claims, whatever the types."""

    schema: Any = None
    session_id: Any = None
    daemon: Any = None
    kind: Any = None
    verdict: Any = None
    grounded_in_roster: Any = msgspec.UNSET


_claim = msgspec.json.Decoder(_Claim).decode


def input_of(lake: Lake) -> str:
    """Name what these gates look at: the SHA-256 of the log, that of nothing where there is none."""
    return sha256_of(lake.sessions) if lake.sessions.exists() else sha256(b"").hexdigest()


def accepted_fills_grounded(lake: Lake, checked_at: str) -> Verdict:
    """Find accepted fills that are not grounded in the roster: `grounded_in_roster` is false, absent or no boolean.

    Rows checked are the accepted fills. Without any it passes and says so: there was nothing to alarm about.
    """
    digest = sha256()
    offenders: list[dict[str, Any]] = []
    fills = bad = unread = 0
    for number, _, raw in raw_lines(lake.sessions, digest.update):
        claim = _claimed(raw)
        if claim is None:
            unread += 1
            continue
        if _word(claim.kind) != FILL or _word(claim.verdict) != "accepted":
            continue
        fills += 1
        if claim.grounded_in_roster is True:
            continue
        bad += 1
        if len(offenders) < MOST_OFFENDERS:
            why = (
                f"session {_shown(claim.session_id)} of {_shown(claim.daemon)}: {_ungrounded(claim.grounded_in_roster)}"
            )
            offenders.append(_place(lake, number, why))
    said = f"{bad:,} of {fills:,} accepted fills are not grounded in the roster" if fills else _NOTHING
    if unread:
        said += f"; {unread:,} lines are no JSON and could not be looked at"
    return verdict(
        "accepted_fills_grounded",
        passed=not bad,
        rows_checked=fills,
        summary=said,
        offenders=offenders,
        input_sha256=digest.hexdigest(),
        code_version=VERSION,
        checked_at=checked_at,
    )


_NOTHING = "nothing to look at: the log holds no accepted fill"


def sessions_readable(lake: Lake, checked_at: str) -> Verdict:
    """Find lines that are no session, or whose parts contradict each other; it warns.

    Lines of other daemons must be JSON with the schema's name and a `session_id`; ours must have every field's type as well.
    Whatever can be read as a record is held against itself: its verdict, its attempts, their number.
    """
    digest = sha256()
    offenders: list[dict[str, Any]] = []
    seen = bad = untyped = 0
    for number, _, raw in raw_lines(lake.sessions, digest.update):
        seen += 1
        found = session_of(number, raw)
        if isinstance(found, Refused):
            why = _refused(raw, found)
            untyped += why is None
        else:
            why = "; ".join(contradictions(found.record)) or None
        if why is not None:
            bad += 1
            if len(offenders) < MOST_OFFENDERS:
                offenders.append(_place(lake, number, why))
    said = (
        f"{bad:,} of {seen:,} lines are no session or contradict themselves"
        if seen
        else "nothing to look at: no session"
    )
    if untyped:
        said += f"; {untyped:,} of other daemons have fields of other types than ours and are not counted anywhere"
    return verdict(
        "sessions_readable",
        passed=not bad,
        severity="WARN",
        rows_checked=seen,
        summary=said,
        offenders=offenders,
        input_sha256=digest.hexdigest(),
        code_version=VERSION,
        checked_at=checked_at,
    )


SESSION_GATES: Final = (
    LakeGate(
        "accepted_fills_grounded",
        accepted_fills_grounded,
        "No accepted fill names a worker who is not in the roster, whichever runtime accepted it: `grounded_in_roster` is "
        "there and true.",
        blocks=True,
    ),
    LakeGate(
        "sessions_readable",
        sessions_readable,
        "Every line of the log is a session with an id, and its verdict, its attempts and their number agree.",
        blocks=False,
    ),
)
"""The gates on the log of sessions, in the order in which they look."""


def contradictions(record: SessionRecord) -> Iterator[str]:
    """Say where the parts of a record contradict each other."""
    attempts = record.attempts
    last = attempts[-1].verdict if attempts else None
    if record.iterations != len(attempts):
        yield f"iterations is {record.iterations}, and there are {len(attempts)} attempts"
    if [attempt.iteration for attempt in attempts] != list(range(len(attempts))):
        yield "the attempts are not counted from 0"
    if len(attempts) > record.max_iterations:
        yield f"{len(attempts)} attempts, and at most {record.max_iterations} were allowed"
    if any(attempt.verdict == "accepted" for attempt in attempts[:-1]):
        yield "it went on after an accepted attempt"
    if any(attempt.verdict == "infra_error" for attempt in attempts[:-1]):
        yield "it went on after a failure outside"
    if (record.verdict == "accepted") != (last == "accepted"):
        yield f"the verdict is {record.verdict}, and that of the last attempt {last or 'none'}"
    elif record.verdict == "accepted" and record.artifact is None:
        yield "it is accepted without an artifact"
    elif record.verdict == "max_iter_exhausted" and (last == "infra_error" or len(attempts) < record.max_iterations):
        yield f"max_iter_exhausted after {len(attempts)} of {record.max_iterations} attempts, the last {last or 'none'}"
    elif record.verdict == "infra_error" and last not in ("infra_error", None):
        yield f"the verdict is infra_error, and that of the last attempt {last}"


def _claimed(raw: bytes) -> _Claim | None:
    """Read what a line claims, also where another program wrote half a character or a NaN; `None` where it is no object."""
    try:
        return _claim(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        said = json.loads(raw.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    names = _Claim.__struct_fields__
    return _Claim(**{name: said[name] for name in names if name in said}) if isinstance(said, dict) else None


def _refused(raw: bytes, found: Refused) -> str | None:
    """Say what is wrong with a line that is no record of ours; `None` where another runtime may write so."""
    try:
        claim = _claim(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return found.reason
    if claim.schema != SCHEMA:
        return f"the schema is {_shown(claim.schema)}, not {SCHEMA}"
    if not isinstance(claim.session_id, str) or not claim.session_id.strip():
        return "session_id is empty or absent"
    if not isinstance(claim.daemon, str) or _word(claim.daemon) in ("", DAEMON):
        return found.reason
    return None


def _ungrounded(value: Any) -> str:
    return "grounded_in_roster is absent" if value is msgspec.UNSET else f"grounded_in_roster is {_shown(value)}"


def _word(value: Any) -> str:
    return value.strip().casefold() if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    """Write a value of a line for a person, cut."""
    text = value if isinstance(value, str) else json.dumps(value)
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= 80 else f"{text[:79]}…"


def _place(lake: Lake, line: int, why: str) -> dict[str, Any]:
    return {"file": lake.relative(lake.sessions), "line": line, "why": why}
