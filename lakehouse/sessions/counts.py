"""What sessions come to: verdicts by day, kind and model, how often the first shot sat, and who was rejected again and again.

Here: counting, in one pass and little memory. Not here: reading (`reading.py`), pictures (`page.py`).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

import msgspec

from lakehouse.records import SessionAttempt, SessionRecord
from lakehouse.sessions.reading import Session

VERDICTS: Final = ("accepted", "max_iter_exhausted", "infra_error")
RUNNING: Final = 3
MOST_REJECTED: Final = 100

_Cells = Counter[tuple[str, str, str, str, str]]
"""Sessions by day, kind, provider, model and verdict."""


class FirstShot(msgspec.Struct, frozen=True, kw_only=True):
    """How often a model's first answer was accepted. `judged` are the sessions without those that failed outside.

    `rate` is `first_shot / judged`, `None` where nothing was judged.
    """

    provider: str
    model: str
    sessions: int
    infra_errors: int
    judged: int
    accepted: int
    first_shot: int
    rate: float | None


class DayVerdicts(msgspec.Struct, frozen=True, kw_only=True):
    """The verdicts of a day (UTC), a kind and a model."""

    day: str
    kind: str
    model: str
    accepted: int
    max_iter_exhausted: int
    infra_error: int


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A session whose answers were rejected three times running or more, with what was wrong with the last of them."""

    line: int
    session_id: str
    day: str
    kind: str
    model: str
    running: int
    verdict: str
    error: str | None


class SessionCounts(msgspec.Struct, frozen=True, kw_only=True):
    """All counts over a log. `rejected` are the newest 100 of `rejected_in_all`, the newest first."""

    sessions: int
    verdicts: Mapping[str, int]
    daemons: Mapping[str, int]
    first_shots: list[FirstShot]
    by_day: list[DayVerdicts]
    rejected: list[Rejected]
    rejected_in_all: int


def count(found: Iterable[Session]) -> SessionCounts:
    """Count sessions. Memory: a number for each day, kind and model, and 100 rejected sessions."""
    cells: _Cells = Counter()
    shots: Counter[tuple[str, str]] = Counter()
    daemons: Counter[str] = Counter()
    rejected: deque[Rejected] = deque(maxlen=MOST_REJECTED)
    rejected_in_all = 0
    for one in found:
        record = one.record
        cells[one.moment.day, record.kind, record.provider, record.model, record.verdict] += 1
        shots[record.provider, record.model] += is_first_shot(record)
        daemons[record.daemon] += 1
        running = rejected_running(record)
        if running >= RUNNING:
            rejected_in_all += 1
            rejected.append(_rejected(one, running))
    return SessionCounts(
        sessions=cells.total(),
        verdicts={verdict: _sum(cells, verdict) for verdict in VERDICTS},
        daemons=dict(sorted(daemons.items())),
        first_shots=_first_shots(cells, shots),
        by_day=_by_day(cells),
        rejected=list(reversed(rejected)),
        rejected_in_all=rejected_in_all,
    )


def is_first_shot(record: SessionRecord) -> bool:
    """Say whether a session was accepted at its first attempt."""
    return record.verdict == "accepted" and len(record.attempts) == 1


def rejected_running(record: SessionRecord) -> int:
    """Give the longest run of attempts that were no JSON or not valid; a failure outside ends a run."""
    runs = groupby(record.attempts, key=_is_rejected)
    return max((len(list(run)) for rejected, run in runs if rejected), default=0)


def _is_rejected(attempt: SessionAttempt) -> bool:
    return attempt.verdict in ("no_json", "validation_failed")


def _rejected(one: Session, running: int) -> Rejected:
    record = one.record
    last = next(attempt for attempt in reversed(record.attempts) if _is_rejected(attempt))
    return Rejected(
        line=one.line,
        session_id=record.session_id,
        day=one.moment.day,
        kind=record.kind,
        model=record.model,
        running=running,
        verdict=record.verdict,
        error=last.error,
    )


def _sum(cells: _Cells, verdict: str) -> int:
    return sum(number for (*_, word), number in cells.items() if word == verdict)


def _first_shots(cells: _Cells, shots: Counter[tuple[str, str]]) -> list[FirstShot]:
    by_model: dict[tuple[str, str], Counter[str]] = {}
    for (_, _, provider, model, verdict), number in cells.items():
        by_model.setdefault((provider, model), Counter())[verdict] += number
    return [_first_shot(*name, by_model[name], shots[name]) for name in sorted(by_model)]


def _first_shot(provider: str, model: str, verdicts: Counter[str], first: int) -> FirstShot:
    judged = verdicts.total() - verdicts["infra_error"]
    return FirstShot(
        provider=provider,
        model=model,
        sessions=verdicts.total(),
        infra_errors=verdicts["infra_error"],
        judged=judged,
        accepted=verdicts["accepted"],
        first_shot=first,
        rate=first / judged if judged else None,
    )


def _by_day(cells: _Cells) -> list[DayVerdicts]:
    rows: dict[tuple[str, str, str], Counter[str]] = {}
    for (day, kind, _, model, verdict), number in cells.items():
        rows.setdefault((day, kind, model), Counter())[verdict] += number
    return [
        DayVerdicts(
            day=day, kind=kind, model=model, **{verdict: rows[day, kind, model][verdict] for verdict in VERDICTS}
        )
        for day, kind, model in sorted(rows)
    ]
