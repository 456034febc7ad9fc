"""Running an audit: every phase in turn, whatever one of them meets, and the report.

Here: the order, the times, what becomes of an error. Not here: the phases (`registry.py`), the page (`page.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lakehouse.audit.model import AuditCheck, AuditPhase, AuditReport, Status, looked, offender, skipped
from lakehouse.audit.page import page
from lakehouse.audit.reach import cannot_reach
from lakehouse.audit.registry import PHASES, Phase
from lakehouse.audit.scope import Scope
from lakehouse.baseline import metrics
from lakehouse.errors import LakehouseError
from lakehouse.files import write_whole
from lakehouse.jsonl import read_json, write_json
from lakehouse.lake import Lake
from lakehouse.records import ReplayRun, Verdict
from lakehouse.run import Run

Listen = Callable[[str, str], None]
"""Hears of a phase: its name and `started`, `passed`, `failed` or `skipped`."""
UNHEARD: Listen = lambda phase, state: None  # noqa: E731 - a default, and no function of its own


def audit(
    lake: Lake,
    run: Run,
    *,
    deep: bool,
    acceptance: Callable[[], Verdict] | None = None,
    live_replay: Callable[[], ReplayRun] | None = None,
    listen: Listen = UNHEARD,
) -> AuditReport:
    """Look a lake over, from the newest finished run in `run.reports` on; nothing in the lake is changed.

    `deep` takes every day and every run, else those of the newest run and the newest three days. `acceptance` gives the
    verdict of the acceptance gate, `live_replay` (`lakehouse.replay.live`) does one task again. An error inside a phase fails
    the checks that it kept from looking.
    """
    scope = Scope(lake, run, deep=deep, acceptance=acceptance, live_replay=live_replay)
    started = scope.now
    phases: list[AuditPhase] = []
    why_not: str | None = None
    for phase in PHASES:
        listen(phase.name, "started")
        begin = run.clock()
        checks = _look(phase, scope) if why_not is None else [skipped(phase.number, n, why_not) for n in phase.required]
        seconds = round((run.clock() - begin).total_seconds(), 3)
        phases.append(
            AuditPhase(phase=phase.number, name=phase.name, status=_status(checks), seconds=seconds, checks=checks)
        )
        listen(phase.name, phases[-1].status)
        if phase.number == 0 and not lake.root.is_dir():
            why_not = f"the lake cannot be reached: {cannot_reach(scope)}"
    report = AuditReport(
        schema_version=1,
        run_id=run.run_id,
        git_commit=run.git_commit,
        started_at=started,
        finished_at=run.now(),
        deep=deep,
        days=[] if why_not else scope.days,
        passed=not any(phase.status == "failed" for phase in phases),
        phases=phases,
        metrics={},
    )
    if why_not is None and scope.newest is not None:
        report.audited_run_id, report.audited_run_hash = scope.newest[1].run_id, scope.newest[1].run_hash
    if why_not is None:
        report.metrics = _metrics(lake, report)
    return report


def report_path(run: Run) -> Path:
    """Where the page of an audit lies; its record lies beside it as `.json`."""
    return run.reports / "audit" / f"{run.run_id}.md"


def write_report(run: Run, report: AuditReport) -> Path:
    """Write an audit's page and record; give the page's path."""
    path = report_path(run)
    write_json(path.with_suffix(".json"), report)
    write_whole(path, page(report).encode())
    return path


def audit_once(
    lake: Lake,
    run: Run,
    *,
    deep: bool,
    acceptance: Callable[[], Verdict] | None = None,
    live_replay: Callable[[], ReplayRun] | None = None,
    listen: Listen = UNHEARD,
) -> AuditReport:
    """Give the audit that a run has written already, or run one and write it: its asset and its check share one."""
    held = read_json(report_path(run).with_suffix(".json"), AuditReport)
    if held is not None and held.deep == deep:
        return held
    report = audit(lake, run, deep=deep, acceptance=acceptance, live_replay=live_replay, listen=listen)
    write_report(run, report)
    return report


def _look(phase: Phase, scope: Scope) -> list[AuditCheck]:
    """Let a phase look. What it cannot read fails the checks that it could not give: an error is no reason to pass."""
    checks: list[AuditCheck] = []
    try:
        checks.extend(phase.look(scope))
    except (LakehouseError, OSError) as error:
        where = error.where if isinstance(error, LakehouseError) else str(error.filename or "")
        what = error.what if isinstance(error, LakehouseError) else error.strerror or str(error)
        named = where.removeprefix(f"{scope.lake.root}/")
        file, _, line = named.rpartition(":")
        place = offender(file, int(line), what) if file and line.isdigit() else offender(named, 0, what)
        given = {one.check for one in checks}
        checks += [looked(phase.number, one, [place], "") for one in phase.required if one not in given]
    lacking = set(phase.required) - {one.check for one in checks}
    assert not lacking, f"phase {phase.number} gave no {lacking}"
    return checks


def _status(checks: list[AuditCheck]) -> Status:
    if any(one.required and one.status == "failed" for one in checks):
        return "failed"
    return "skipped" if all(one.status == "skipped" for one in checks) else "passed"


def _metrics(lake: Lake, report: AuditReport) -> dict[str, int | float]:
    """Measure the lake; what cannot be measured was named by a check."""
    try:
        return metrics(lake, report.observed)
    except LakehouseError:
        return dict(report.observed)
