"""`lakehouse accept`: the 22 invariants, on the fixture lake or on a copy of any other."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from lakehouse.acceptance import runner
from lakehouse.acceptance.report import first_failure, told, write_report
from lakehouse.timestamps import written
from lakehouse_dagster.commands.shell import DEFAULT_REPORTS, JsonOption, Out, ReportsOption, open_lake

WORDS = {"holds": "holds", "failed": "FAILS", "not_applicable": "not applicable"}


def accept(
    # No environment variable, unlike elsewhere: without a word it is the fixture that is looked at.
    lake: Annotated[
        Path | None, typer.Option("--lake", help="Look at a copy of this lake's raw files instead of the fixture.")
    ] = None,
    reports: ReportsOption = DEFAULT_REPORTS,
    as_json: JsonOption = False,
) -> None:
    """Hold the 22 invariants against the fixture lake, or against a copy of a lake. Exit code 1 where one fails.

    Example: lakehouse accept --lake data
    """
    out = Out(as_json)
    clock = datetime.now(UTC)
    now = written(clock)
    with out.progress("acceptance", runner.STEPS) as bar:

        def done(what: str) -> None:
            bar.describe(what)
            bar.step()

        report = runner.accept_fixture(now, done) if lake is None else _of(open_lake(lake).root, now, done)
    path = write_report(reports, f"{clock:%Y%m%dT%H%M%S}-{'fixture' if lake is None else 'lake'}", report)
    rows = [(one.number, one.name, WORDS[one.status], one.rows, first_failure(one)) for one in report.invariants]
    out.table(f"Acceptance of {report.lake}", ["number", "invariant", "verdict", "rows", "first found"], rows)
    for day, why in report.held_days.items():
        out.say(f"{day} was held back: {why}")
    out.say(f"{told(report)}. Report: {path}")
    out.answer(**{name: getattr(report, name) for name in report.__struct_fields__}, report=str(path))
    out.close()
    if not report.passed:
        raise typer.Exit(1)


def _of(root: Path, now: str, done: Callable[[str], None]) -> runner.AcceptanceReport:
    with tempfile.TemporaryDirectory(prefix="lakehouse-acceptance-") as folder:
        return runner.accept(root, Path(folder), now, done=done)
