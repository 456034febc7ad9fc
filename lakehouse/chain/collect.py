"""Stage `collect`: one row becomes one evidence record, or a quarantine entry that says why not.

Here: the step that takes a line and writes its evidence. Not here: which lines make up a day (`index/`), what a
stream's fields mean (`streams/`).
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Any

import msgspec

from lakehouse import canonical
from lakehouse.chain.duplicates import Duplicates
from lakehouse.chain.prior import PriorStamps
from lakehouse.chain.task import StreamDay, StreamResult
from lakehouse.jsonl import JsonlWriter, encode
from lakehouse.quarantine import quarantined
from lakehouse.records import EvidenceRecord, FileRef, Provenance
from lakehouse.stamps import cut_evidence
from lakehouse.streams import BadRow, Seen, Stream
from lakehouse.streams.declared import reach
from lakehouse.timestamps import lacks_offset

STAGE = "collect"
VERSION = "collect-1"


class Refused(Exception):
    """A row that cannot become evidence: a reason code, a field where one is to blame, and the reason in words."""

    def __init__(self, code: str, field: str | None, reason: str, sig_hash: str | None = None) -> None:
        super().__init__(reason)
        self.code, self.field, self.reason, self.sig_hash = code, field, reason, sig_hash


def to_evidence(stream: Stream, source_file: str, offset: int, line: bytes, recorded_at: str) -> EvidenceRecord:
    """Turn one line of a stream into evidence. Pure; raises `Refused`.

    The signature covers every field of the line, known or not.
    """
    try:
        value, canonical_line = canonical.read(line)
    except canonical.NotJson as error:
        raise Refused("decode_error", None, error.what) from None
    sig_hash = sha256(canonical_line).hexdigest()
    if type(value) is not dict:
        raise Refused("decode_error", None, "the line is JSON, but no object", sig_hash)
    marks: dict[str, Any] | None = None
    if not canonical.written_plainly(line, value):
        twice = canonical.duplicate_keys(line, canonical_line)
        if twice:
            marks = {"duplicate_keys": twice}
    try:
        if stream.row_type is dict:
            row, stamp = value, _first(value, stream.timestamp_keys)
        else:
            row = msgspec.convert(value, stream.row_type)
            stamp = None
            for key in stream.timestamp_keys:
                stamp = getattr(row, key)
                if stamp is not None:
                    break
        if stamp is None:
            # The index found a time where the stream said; a declaration that changed since says another place.
            raise BadRow("missing_field", stream.timestamp_keys[0], "the row has no time under its stream's keys")
        timestamp = stamp if type(stamp) is str else str(stamp)
        if not timestamp.endswith("Z") and lacks_offset(timestamp):
            marks = {**(marks or {}), "timestamp_assumed_utc": True}
        seen = Seen(
            stream,
            Provenance(source_file=source_file, line_offset=offset, sig_hash=sig_hash, recorded_at=recorded_at),
            timestamp,
            marks,
        )
        return stream.transform(row, seen)
    except msgspec.ValidationError as error:
        raise _refusal(error, sig_hash) from None
    except BadRow as error:
        raise Refused(error.code, error.field, error.reason, sig_hash) from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # A transform's own fault, most likely a plugin's: the row is kept with it, and its neighbours go on.
        reason = f"the transform of {stream.name!r} failed on it: {type(error).__name__}: {error}"
        raise Refused("transform_error", None, reason, sig_hash) from None


def _first(row: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((value for key in keys if (value := reach(row, key)) is not None), None)


def _refusal(error: msgspec.ValidationError, sig_hash: str) -> Refused:
    """Read field and reason out of msgspec's message: `Expected …, got … - at `$.field`` or `… required field `x``."""
    reason, _, place = str(error).partition(" - at `$")
    if reason.startswith("Object missing required field"):
        nested = place.rstrip("`").lstrip(".")
        name = reason.split("`")[1]
        return Refused("missing_field", f"{nested}.{name}" if nested else name, reason, sig_hash)
    return Refused("bad_value", place.rstrip("`").lstrip(".") or None, reason, sig_hash)


class CollectStep:
    """Writes the evidence of one stream's day, line by line. Use inside `with`; `result` says what came of it."""

    def __init__(self, task: StreamDay, duplicates: Duplicates, late: list[int]) -> None:
        lake = task.lake
        self._stream = lake.stream(task.stream)
        self._now = task.now
        path = lake.evidence(task.day, task.stream)
        self._path = lake.relative(path)
        self._prior = PriorStamps(path, task.sources)
        self._duplicates = duplicates
        self._late = iter(late)
        self._next_late = next(self._late, -1)
        self._ordinal = 0
        self.skipped: Counter[str] = Counter()
        self.rows_in = 0
        self.out = JsonlWriter(path, cut_evidence)
        self.quarantine = JsonlWriter(task.quarantine_part(STAGE), share=True)

    def take(self, source_file: str, offset: int, line: bytes) -> EvidenceRecord | None:
        """Write the evidence of a line and give it; `None` for a duplicate or a row that was quarantined."""
        self.rows_in += 1
        try:
            evidence = to_evidence(self._stream, source_file, offset, line, self._now)
        except Refused as refused:
            self.quarantine.add(
                encode(
                    quarantined(
                        STAGE,
                        self._stream.name,
                        source_file,
                        offset,
                        refused.code,
                        refused.reason,
                        line,
                        sig_hash=refused.sig_hash,
                        field=refused.field,
                    )
                )
            )
            return None
        ordinal = self._ordinal
        self._ordinal = ordinal + 1
        provenance = evidence.provenance
        # Also a late duplicate enters the window, so that the second try sees the windows of the first.
        repeated = self._duplicates.repeats(provenance.sig_hash, ordinal)
        if ordinal == self._next_late:
            self._next_late = next(self._late, -1)
            repeated = True
        if repeated:
            self.skipped["duplicate"] += 1
            return None
        first = self._prior.recorded_at(source_file, offset, provenance.sig_hash)
        if first is not None:
            provenance.recorded_at = first
        self.out.add(encode(evidence))
        return evidence

    def result(self, inputs: list[FileRef]) -> StreamResult:
        """Say what was read and written; call after the files are closed."""
        return StreamResult(
            stream=self._stream.name,
            inputs=inputs,
            output=self.out.ref(self._path),
            records_in=self.rows_in,
            skipped=dict(self.skipped),
            quarantined=self.quarantine.rows,
        )
