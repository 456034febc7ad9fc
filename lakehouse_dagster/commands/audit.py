"""`lakehouse audit`: look the whole lake over, every day and every run, and name what is wrong by file and line."""

from pathlib import Path

import typer
from rich.markup import escape
from rich.text import Text

from lakehouse.audit.model import AuditReport
from lakehouse.errors import OutsideFailure
from lakehouse_dagster.commands.shell import (
    DEFAULT_LAKE,
    DEFAULT_REPORTS,
    JsonOption,
    LakeOption,
    Out,
    ReportsOption,
    open_lake,
)
from lakehouse_dagster.running import run_audit

SHOWN = 20
COLOURS = {"passed": "passed", "failed": Text("FAILED", style="red"), "skipped": "skipped"}


def audit(
    lake: LakeOption = DEFAULT_LAKE, reports: ReportsOption = DEFAULT_REPORTS, as_json: JsonOption = False
) -> None:
    """Audit every day, every run, everything that is published, the sessions and the logs of subjects.

    Ends with 1 where a required check failed, with 3 where the lake cannot be written to.

    Example: lakehouse audit --lake data
    """
    out = Out(as_json)
    opened = open_lake(lake)
    with out.progress("Auditing", None) as bar:

        def listen(step: str, state: str) -> None:
            if state == "started":
                bar.describe(f"Auditing: {step}")

        found = run_audit(opened.root, reports.resolve(), listen=listen)
    show(out, found.report, found.page)
    for check in found.failed_checks:
        if check.check != "audit_full":
            state = "[red]red[/red]" if check.blocks else "[yellow]warning[/yellow]"
            first = f" (first at {escape(check.place)})" if check.place else ""
            out.say(f"{state} {check.asset}/{check.check}: {escape(check.summary)}{first}")
    # A red check ends its step too, and was told above.
    for error in found.errors if found.exit_code > 1 else ():
        out.say(f"[red]could not look[/red] {escape(error)}")
    unreached = next((one for one in found.report.failed if one.check == "lake_reachable"), None)
    if unreached is not None:
        # What else failed may have failed by that alone.
        raise OutsideFailure(
            unreached.why,
            where=str(opened.root),
            mend="make the folder writable to who runs the audit, and audit again",
        )
    out.close()
    if any(check.blocks for check in found.failed_checks) or not found.report.passed:
        raise typer.Exit(1)
    if found.exit_code > 1:
        raise typer.Exit(found.exit_code)


def show(out: Out, report: AuditReport, path: Path) -> None:
    """Show the phases, what failed with file and line, and where the page lies."""
    out.table(
        "Phases",
        ["phase", "looks at", "status", "seconds"],
        [(one.phase, one.name, COLOURS[one.status], one.seconds) for one in report.phases],
    )
    for one in report.failed:
        out.say(f"[red]FAILED[/red] phase {one.phase}, {one.check}:")
        for place in one.offenders[:SHOWN]:
            out.say(f"  {_place(place['file'], place['line'])}: {escape(place['why'])}")
        left = int(one.observed.get("offenders", 0)) - min(len(one.offenders), SHOWN)
        if left > 0:
            out.say(f"  and {left} more")
    for one in report.checks:
        if one.status == "skipped":
            out.say(f"skipped phase {one.phase}, {one.check}: {escape(one.why)}")
        elif one.status == "failed" and not one.required:
            out.say(f"[yellow]worth a look[/yellow] phase {one.phase}, {one.check}: {escape(one.why)}")
    told = "[bold]The lake passed its audit.[/bold]" if report.passed else "[red]The lake failed its audit.[/red]"
    out.say(f"{told} Page: {path}")
    out.answer(report=report, page=str(path))


def _place(file: str, line: int) -> str:
    return f"{file}:{line}" if line else file
