"""What the drift page shows, as plain data that is also `drift.json`.

Here: gathering it from the days of a lake, its baselines and what re-scoring found. Not here: any markup (`page.py`).
What cannot be compared becomes a note: a page that is missing because something is damaged helps nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from lakehouse.drift.comparing import CATEGORY, Comparison, Profiles, compare
from lakehouse.drift.psi import Psi, PsiVerdict
from lakehouse.drift.rescoring import Rescored
from lakehouse.errors import RecordError
from lakehouse.gates.distribution import summary
from lakehouse.gates.metric_drift import metric_drift
from lakehouse.lake import Lake
from lakehouse.records import Record
from lakehouse.scoring import SCORER_VERSION


class DayDrift(Record, kw_only=True):
    """How one day compares: its verdict, and the worse PSI of each thing (absent where it could not be compared).

    `by_chance`: the things that moved no further than chance moves so few rows.
    """

    day: str
    verdict: PsiVerdict
    blocks: bool
    summary: str
    rows: int
    reference_rows: int
    reference_days: list[str]
    psi: dict[str, float]
    by_chance: list[str]


class MetricDriftSeen(Record, kw_only=True):
    """What the gate on metrics says, and the table behind it."""

    passed: bool
    severity: str
    summary: str
    rows: list[dict[str, Any]]


class ScorerDriftSeen(Record, kw_only=True):
    """What scoring some days again found: rows of `stored, now, scorer_version, rows`, and lines that it could not judge."""

    days: list[str]
    rows: list[dict[str, Any]]
    faults: int

    @property
    def changed(self) -> int:
        """Verdicts that would be others now."""
        return sum(one["rows"] for one in self.rows if one["stored"] != one["now"])

    @property
    def red(self) -> bool:
        """Whether the rules changed and their version did not, or lines could not be judged."""
        return bool(self.faults) or any(
            one["stored"] != one["now"] and one["scorer_version"] == SCORER_VERSION for one in self.rows
        )


class DriftReport(Record, kw_only=True):
    """All that the page shows. `things` and `by_stream` are of the last day; `scorer` is absent where not measured."""

    schema_version: Literal[1]
    made_at: str
    days: list[DayDrift]
    things: dict[str, Psi]
    by_stream: dict[str, Psi]
    metrics: MetricDriftSeen
    scorer: ScorerDriftSeen | None = None
    notes: list[str]

    @property
    def newest(self) -> DayDrift | None:
        """The last day that could be compared, which the headline is about."""
        return self.days[-1] if self.days else None

    @property
    def red(self) -> bool:
        """Whether something is an error: the newest day, the log of baselines, the scorer, or what cannot be compared."""
        metrics = not self.metrics.passed and self.metrics.severity == "ERROR"
        newest = self.newest is not None and self.newest.blocks
        return bool(newest or self.notes or metrics or (self.scorer is not None and self.scorer.red))


def scorer_seen(days: Sequence[str], found: Rescored) -> ScorerDriftSeen:
    """Put what scoring days again found into the shape that the page shows."""
    return ScorerDriftSeen(days=sorted(days), rows=found.table(), faults=len(found.faults))


def gather(lake: Lake, days: Sequence[str], now: str, scorer: ScorerDriftSeen | None = None) -> DriftReport:
    """Compare each of the days with its window, and the newest baseline with the one before it."""
    profiles, notes = Profiles(lake), list[str]()
    compared: list[Comparison] = []
    for day in sorted(set(days)):
        try:
            compared.append(compare(lake, day, profiles))
        except RecordError as error:
            # A damaged log of baselines stops every day with the same words.
            if str(error) not in notes:
                notes.append(str(error))
    last = compared[-1] if compared else None
    return DriftReport(
        schema_version=1,
        made_at=now,
        days=[_day(one) for one in compared],
        things=dict(last.things) if last else {},
        by_stream=dict(last.by_stream) if last else {},
        metrics=_metrics(lake, now),
        scorer=scorer,
        notes=notes,
    )


def _day(found: Comparison) -> DayDrift:
    return DayDrift(
        day=found.day,
        verdict=found.verdict,
        blocks=found.blocks,
        summary=summary(found),
        rows=found.rows,
        reference_rows=found.reference_rows,
        reference_days=list(found.window.days),
        psi={name: round(psi.worst, 6) for name, psi in found.things.items() if psi.psi is not None},
        by_chance=found.by_chance,
    )


def _metrics(lake: Lake, now: str) -> MetricDriftSeen:
    found = metric_drift(lake, now)
    rows = (found.tables or {}).get("drift", [])
    return MetricDriftSeen(passed=found.passed, severity=found.severity, summary=found.summary, rows=rows)


def ordered(report: DriftReport) -> list[str]:
    """List every thing that was measured on some day: the category, then what moved furthest of late."""
    newest = report.newest.psi if report.newest else {}
    names = {name for day in report.days for name in day.psi} | set(report.things)
    return sorted(names, key=lambda name: (name != CATEGORY, -newest.get(name, 0.0), name))
