"""The page of an audit: which check failed, why and where, so that nobody needs to open a log.

Here: pure functions from a report to markdown. Not here: what is checked.
"""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.audit.model import AuditCheck, AuditReport
from lakehouse.board import table

SIGNS = {"passed": "passed", "failed": "**FAILED**", "skipped": "skipped"}


def page(report: AuditReport) -> str:
    """Write the page of a report."""
    return "\n".join(_parts(report))


def _parts(report: AuditReport) -> Iterator[str]:
    yield f"# Audit {report.run_id}: {'passed' if report.passed else 'FAILED'}\n"
    what = "every day and every run" if report.deep else "the days of the newest run, and the newest three"
    days = f"{report.days[0]} to {report.days[-1]}, {len(report.days)} days" if report.days else "no day"
    yield f"{report.started_at} to {report.finished_at}, commit `{report.git_commit}`. It looked at {what}: {days}."
    if report.audited_run_id:
        yield f"The newest finished run is `{report.audited_run_id}`, hash `{report.audited_run_hash}`."
    yield ""
    if report.failed:
        yield "## What failed\n"
        for one in report.failed:
            yield from _failure(one)
    yield "## Phases\n"
    yield table(
        ("phase", "looks at", "status", "seconds"),
        ((one.phase, one.name, SIGNS[one.status], one.seconds) for one in report.phases),
    )
    yield "## Checks\n"
    yield table(
        ("phase", "check", "required", "status", "why"),
        (
            (one.phase, one.check, "yes" if one.required else "informs", SIGNS[one.status], one.why)
            for one in report.checks
        ),
    )
    informing = [one for one in report.checks if one.status == "failed" and not one.required]
    if informing:
        yield "## Worth a look\n"
        for one in informing:
            yield from _failure(one)
    yield "## Observed\n"
    yield table(
        ("check", "number", "value"),
        ((one.check, name, value) for one in report.checks for name, value in one.observed.items()),
    )
    if report.metrics:
        yield "## Metrics of the lake\n"
        yield table(("metric", "value"), report.metrics.items())


def _failure(one: AuditCheck) -> Iterator[str]:
    total = int(one.observed.get("offenders", len(one.offenders)))
    more = f" The first {len(one.offenders)} of {total}:" if total > len(one.offenders) else ""
    yield f"### Phase {one.phase}: {one.check}\n\n{one.why}.{more}\n"
    yield table(
        ("file", "line", "why"), ((place["file"], place["line"] or "", place["why"]) for place in one.offenders)
    )
