"""Phase 6: the acceptance gate on its fixture lake holds."""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.audit.model import AuditCheck, looked, offender, skipped
from lakehouse.audit.scope import Scope
from lakehouse.records import Verdict

METRIC = "p6_invariants_passed"
TABLE = "invariants"
HOLDS = "holds"
"""The verdict's table with a row for each invariant, and what its `verdict` says of one that holds."""


def invariants(scope: Scope) -> Iterator[AuditCheck]:
    """Ask for the verdict of the acceptance gate; it may be a standing one."""
    if scope.acceptance is None:
        yield skipped(6, "invariants_hold", "no acceptance gate was given to this audit")
        return
    found = scope.acceptance()
    held = invariants_passed(found)
    offenders = [] if found.passed else found.offenders or [offender("gates", 0, found.summary)]
    yield looked(6, "invariants_hold", offenders, found.summary, bad=found.summary, observed={METRIC: held})


def invariants_passed(found: Verdict) -> int:
    """Count the invariants that held, by the verdict's table; without one, all that it does not blame."""
    rows = (found.tables or {}).get(TABLE)
    if rows is not None:
        return sum(row.get("verdict") == HOLDS for row in rows)
    return found.rows_checked if found.passed else max(found.rows_checked - len(found.offenders), 0)
