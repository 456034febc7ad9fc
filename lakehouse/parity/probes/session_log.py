"""Probe `session_log`: from what is known of a session to the bytes of its line in `_kb/sessions.jsonl`.

Input: the fields of a session, in any order; a field that is null has no value, one that the record does not declare is
left aside. Answer `{line}`, the record as one line without its newline. When it was written and by which daemon may differ
and is blanked before lines are compared; everything else is compared byte for byte.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from lakehouse.errors import RecordError
from lakehouse.jsonl import encode
from lakehouse.parity.probe import Fixture, Probe, load_fixtures
from lakehouse.records import SessionRecord
from lakehouse.timestamps import BadTimestamp, read

# Inside a string every quote is escaped, so that this finds keys and nothing else; those of the record come first.
_FREE = tuple(re.compile(rf'("{key}":)"(?:[^"\\]|\\.)*"') for key in ("timestamp", "daemon"))


def ours(question: Any) -> Any:
    """Answer with our own record, read from the fields and written. Raises `RecordError` for fields that are no session."""
    try:
        record = msgspec.convert(question, SessionRecord)
    except msgspec.ValidationError as error:
        raise RecordError(f"this is no session ({error})") from None
    if not record.session_id:
        raise RecordError("this is no session (its session_id is empty)")
    return {"line": encode(record).decode()}


def fault(fixture: Fixture, answer: Any) -> str | None:
    """Say what is wrong with an answer: no line, no session record in it, or one that says nothing."""
    line = answer.get("line") if isinstance(answer, dict) else None
    if not isinstance(line, str) or not line:
        return "the answer has no `line`"
    if "\n" in line:
        return "a record is one line"
    try:
        record = msgspec.json.decode(line.encode(), type=SessionRecord)
        read(record.timestamp)
    except (msgspec.DecodeError, UnicodeError, BadTimestamp) as error:
        return f"the line is no session record ({error})"
    if not record.session_id or not record.daemon:
        return "session_id and daemon are never empty"
    if len(record.attempts) != len(fixture.input["attempts"]):
        return f"the line has {len(record.attempts)} attempts of {len(fixture.input['attempts'])}"
    return None


def normalise(answer: Any) -> Any:
    """Blank the timestamp and the daemon, and touch no other byte."""
    line = answer["line"]
    for key in _FREE:
        line = key.sub(r'\1""', line, count=1)
    return {"line": line}


SESSION_LOG = Probe(
    name="session_log",
    description="The line that a session leaves in the log, byte for byte but for its time and its daemon: accepted and "
    "grounded, rejected three times, failed outside, and with letters of every kind.",
    fixtures=load_fixtures("session_log"),
    ours=ours,
    fault=fault,
    normalise=normalise,
)
