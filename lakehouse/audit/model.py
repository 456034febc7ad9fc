"""What an audit says: checks, phases, the report, and the verdict made of it.

Here: the shapes, and making a check. Not here: what is checked (a module per theme), the page for people (`page.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from lakehouse.gates.verdicts import MOST_OFFENDERS, verdict
from lakehouse.records import Number, Record, Verdict

VERSION = "audit-1"
Status = Literal["passed", "failed", "skipped"]
Offender = dict[str, Any]
"""`file` (relative to the lake; `reports/…` for reports), `line` (from 1; 0: the file as a whole) and `why`."""


class AuditCheck(Record, kw_only=True):
    """What one check of a phase found. `observed` are numbers by name; a skipped check says why it could not look."""

    phase: int
    check: str
    required: bool
    status: Status
    observed: dict[str, Number]
    why: str
    offenders: list[Offender]


class AuditPhase(Record, kw_only=True):
    """A phase with its checks; failed where a required check failed, skipped where every check was."""

    phase: int
    name: str
    status: Status
    seconds: float
    checks: list[AuditCheck]


class AuditReport(Record, kw_only=True):
    """A whole audit. `audited_run_id` is the newest finished run, from which it started; `days` are those looked at."""

    schema_version: Literal[1]
    run_id: str
    audited_run_id: str | None = None
    audited_run_hash: str | None = None
    git_commit: str
    started_at: str
    finished_at: str
    deep: bool
    days: list[str]
    passed: bool
    phases: list[AuditPhase]
    metrics: dict[str, Number]

    @property
    def checks(self) -> list[AuditCheck]:
        """Every check of every phase."""
        return [one for phase in self.phases for one in phase.checks]

    @property
    def failed(self) -> list[AuditCheck]:
        """The required checks that failed."""
        return [one for one in self.checks if one.required and one.status == "failed"]

    @property
    def observed(self) -> dict[str, Number]:
        """The metrics that only an audit can know, as `append_baseline` takes them."""
        return {
            name: number
            for one in self.checks
            for name, number in one.observed.items()
            if name.startswith(("p6_", "p7_"))
        }


def offender(file: str, line: int, why: str) -> Offender:
    """Name what is wrong: file, line and why, without what stands there."""
    return {"file": file, "line": line, "why": why}


def looked(
    phase: int,
    check: str,
    offenders: Iterable[Offender],
    good: str,
    *,
    bad: str = "",
    observed: Mapping[str, Number] | None = None,
    required: bool = True,
) -> AuditCheck:
    """Make a check that looked: passed (`good` says of what) without offenders, else failed (`bad` says it in short)."""
    found = list(offenders)
    numbers = dict(observed or {})
    if found:
        numbers["offenders"] = len(found)
    first = f"{found[0]['file']}:{found[0]['line']}: {found[0]['why']}" if found else ""
    return AuditCheck(
        phase=phase,
        check=check,
        required=required,
        status="failed" if found else "passed",
        observed=numbers,
        why=(bad or first) if found else good,
        offenders=found[:MOST_OFFENDERS],
    )


def skipped(phase: int, check: str, why: str, *, required: bool = True) -> AuditCheck:
    """Make a check that could not look, and say why."""
    return AuditCheck(phase=phase, check=check, required=required, status="skipped", observed={}, why=why, offenders=[])


def audit_verdict(report: AuditReport, checked_at: str) -> Verdict:
    """Make the verdict `audit_full` of a report: red where a required check failed; offenders are those of such checks."""
    named = [
        {**one, "why": f"phase {check.phase}, {check.check}: {one['why']}"}
        for check in report.failed
        for one in check.offenders
    ]
    counts = {status: sum(one.status == status for one in report.checks) for status in ("passed", "failed", "skipped")}
    told = f"{counts['passed']} checks passed, {counts['failed']} failed, {counts['skipped']} were skipped"
    red = ", ".join(one.check for one in report.failed)
    return verdict(
        "audit_full",
        passed=report.passed,
        rows_checked=counts["passed"] + counts["failed"],
        summary=told if report.passed else f"{red} failed; {told}",
        offenders=named,
        input_sha256=report.audited_run_hash or "",
        code_version=VERSION,
        checked_at=checked_at,
        tables={
            "phases": [
                {
                    "phase": one.phase,
                    "check": one.check,
                    "required": one.required,
                    "status": one.status,
                    "why": one.why,
                    "offenders": one.observed.get("offenders", 0),
                }
                for one in report.checks
            ],
            "metrics": [{"metric": name, "value": number} for name, number in report.metrics.items()],
        },
    )
