"""The gates on the log of sessions: no accepted fill names a worker whom nobody knows, and every line says what it should.

Here: from `_kb/sessions.jsonl` to verdicts. Not here: how a line is read (`session_claims.py`), looking workers up in the
roster (`session_roster.py`), a person's word on a line (`session_waivers.py`), counting (`lakehouse.sessions`).
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

import msgspec

from lakehouse.gates.lake_gate import LakeGate
from lakehouse.gates.session_claims import (
    ASSET,
    NO_FILL,
    Claim,
    accepted_fills,
    claim_of,
    log_hash,
    place,
    shown,
    word,
)
from lakehouse.gates.session_roster import KNOWN, accepted_fills_known, roster_parts, with_parts
from lakehouse.gates.verdicts import MOST_OFFENDERS, verdict
from lakehouse.gates.waivers import LineWaivers, line_waivers
from lakehouse.iterate import DAEMON
from lakehouse.jsonl import encode, raw_lines
from lakehouse.lake import Lake
from lakehouse.records import GateWaiver, SessionRecord, Verdict
from lakehouse.sessions.reading import Refused, session_of

GROUNDED: Final = "accepted_fills_grounded"
VERSION: Final = "sessions-2"
SCHEMA: Final = "session.iterate.v1"


def input_of(lake: Lake, check: str = GROUNDED) -> str:
    """Name what a gate would look at now, as `input_sha256` of its verdict: the SHA-256 of the log, or one of it and more.

    The alarm looks at standing waivers of lines too, `accepted_fills_known` at the rosters.
    """
    log = log_hash(lake)
    if check == KNOWN:
        return with_parts(log, roster_parts(lake))
    return with_parts(log, _parts(line_waivers(lake, ASSET, GROUNDED))) if check == GROUNDED else log


def _parts(waivers: LineWaivers) -> list[str]:
    return [encode(waivers[line]).decode() for line in waivers]


def accepted_fills_grounded(lake: Lake, checked_at: str) -> Verdict:
    """Find accepted fills that are not grounded in the roster: `grounded_in_roster` is false, absent or no boolean.

    A line that a person let pass is counted apart, as long as its bytes are those that the waiver speaks of. Rows checked are
    the accepted fills. Without any it passes and says so: there was nothing to alarm about.
    """
    waivers = line_waivers(lake, ASSET, GROUNDED)
    digest = sha256()
    offenders: list[dict[str, Any]] = []
    waived: list[tuple[Claim, int, GateWaiver]] = []
    fills = bad = unread = 0
    for number, raw, claim in accepted_fills(lake, Claim, digest.update):
        if claim is None:
            unread += 1
            continue
        fills += 1
        why = ungrounded(claim)
        if why is None:
            continue
        if (waiver := waivers.of(number, raw)) is not None:
            waived.append((claim, number, waiver))
            continue
        bad += 1
        if len(offenders) < MOST_OFFENDERS:
            offenders.append(place(lake, number, f"{claim.who}: {why}"))
    said = f"{bad:,} of {fills:,} accepted fills are not grounded in the roster" if fills else NO_FILL
    if waived:
        said += f"; {len(waived):,} waived by {', '.join(sorted({waiver.by for _, _, waiver in waived}))}"
    if unread:
        said += f"; {unread:,} lines are no JSON and could not be looked at"
    return verdict(
        GROUNDED,
        passed=not bad,
        rows_checked=fills,
        summary=said,
        offenders=offenders,
        tables={"waived": [_waived(*one) for one in waived[:MOST_OFFENDERS]]} if waived else None,
        input_sha256=with_parts(digest.hexdigest(), _parts(waivers)),
        code_version=VERSION,
        checked_at=checked_at,
    )


def ungrounded(claim: Claim) -> str | None:
    """Say why an accepted fill is not grounded; `None` where it is."""
    value = claim.grounded_in_roster
    if value is True:
        return None
    return "grounded_in_roster is absent" if value is msgspec.UNSET else f"grounded_in_roster is {shown(value)}"


def _waived(claim: Claim, line: int, waiver: GateWaiver) -> dict[str, Any]:
    return {
        "line": line,
        "session_id": shown(claim.session_id),
        "why": ungrounded(claim),
        "by": waiver.by,
        "reason": waiver.reason,
        "at": waiver.at,
    }


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
                offenders.append(place(lake, number, why))
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
        GROUNDED,
        accepted_fills_grounded,
        "No accepted fill goes without having been looked up in the roster, whichever runtime accepted it: "
        "`grounded_in_roster` is there and true, or a person let the line pass.",
        blocks=True,
    ),
    LakeGate(
        KNOWN,
        accepted_fills_known,
        "Every worker of an accepted fill that says it is grounded is in the rosters of today.",
        blocks=False,
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


def _refused(raw: bytes, found: Refused) -> str | None:
    """Say what is wrong with a line that is no record of ours; `None` where another runtime may write so."""
    try:
        claim = claim_of(raw, Claim)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return found.reason
    if claim.schema != SCHEMA:
        return f"the schema is {shown(claim.schema)}, not {SCHEMA}"
    if not isinstance(claim.session_id, str) or not claim.session_id.strip():
        return "session_id is empty or absent"
    if not isinstance(claim.daemon, str) or word(claim.daemon) in ("", DAEMON):
        return found.reason
    return None
