"""The gates as asset checks: each looks at the days of its run, keeps a verdict per day, and shows what it saw.

Here: from verdicts of the domain to check results. Not here: what a gate looks at (`lakehouse.gates`) and what a
verdict holds back (`lakehouse.publish`, which reads the verdict files, so that no later run slips past a red gate).

Where some days of a run are red and others are not, the check fails as a warning: the green days go on, and publishing
holds the red ones back. Where all are red it is an error, and stops the run.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource

from assets.days import days_of
from assets.describing import rows_table
from assets.failures import told
from assets.plots import histogram, is_histogram
from assets.previews import accepted
from lakehouse.gates.registry import DAILY_GATES, DailyGate, look
from lakehouse.gates.verdicts import is_red, read_verdicts, record
from lakehouse.gates.waivers import waiver_of
from lakehouse.lake import Lake
from lakehouse.publish.gating import EXPORT_GATES, ExportGate, look_at_export
from lakehouse.records import GateWaiver, Verdict
from resources.database import connection
from resources.lake import LakeResource

OFFENDER_COLUMNS = ("file", "line", "why")


def daily_checks(partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetChecksDefinition]:
    """Make the blocking checks of the daily assets, with a history per day."""
    with accepted():
        return [_check(gate, partitions) for gate in DAILY_GATES]


def _check(gate: DailyGate, partitions: dg.DailyPartitionsDefinition) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=gate.asset,
        name=gate.name,
        description=gate.description,
        blocking=True,
        partitions_def=partitions,
    )
    def check(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        domain, run = lake.open(), lake.run(context.run.run_id)
        days = days_of(context.run.tags)
        with told(context.op_execution_context.retry_number):
            verdicts = {day: record(domain, gate.asset, day, look(gate, domain, day, run.now())) for day in days}
            waivers = _waivers(domain, gate, verdicts)
            if context.op_execution_context.has_partition_key_range:
                for day in context.op_execution_context.partition_keys:
                    found = verdicts.get(day) or read_verdicts(domain, gate.asset, day).get(gate.name)
                    if found is not None:
                        # It takes evaluations, and keeps them by partition; its annotation does not say so.
                        told_of = _evaluation(gate, day, found, waivers.get(day))
                        context.op_execution_context.log_event(told_of)  # type: ignore[arg-type]
        return _result(verdicts, waivers)

    return check


def _waivers(lake: Lake, gate: DailyGate, verdicts: Mapping[str, Verdict]) -> dict[str, GateWaiver]:
    found = {day: waiver_of(lake, gate.asset, day, one) for day, one in verdicts.items() if is_red(one)}
    return {day: waiver for day, waiver in found.items() if waiver is not None}


def _result(verdicts: Mapping[str, Verdict], waivers: Mapping[str, GateWaiver]) -> dg.AssetCheckResult:
    if not verdicts:
        return dg.AssetCheckResult(passed=False, description="the run names no day, so there was nothing to look at")
    red = [day for day, one in verdicts.items() if is_red(one) and day not in waivers]
    warned = [day for day, one in verdicts.items() if not one.passed and day not in red]
    if len(verdicts) == 1:
        ((day, one),) = verdicts.items()
        description = _said(one, waivers.get(day))
    else:
        parts = [
            f"{len(days)} of {len(verdicts)} days {what}: {', '.join(days[:10])}"
            for days, what in ((red, "are red"), (warned, "have a warning"))
            if days
        ]
        description = "; ".join(parts) or f"{len(verdicts)} days are green"
    return dg.AssetCheckResult(
        passed=not red and not warned,
        severity=dg.AssetCheckSeverity.ERROR if len(red) == len(verdicts) else dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=_metadata(verdicts, red),
    )


def _said(one: Verdict, waiver: GateWaiver | None) -> str:
    return one.summary if waiver is None else f"{one.summary}; waived by {waiver.by}: {waiver.reason}"


def _evaluation(gate: DailyGate, day: str, found: Verdict, waiver: GateWaiver | None) -> dg.AssetCheckEvaluation:
    """Tell of one day of a run over many: Dagster itself keeps only one result of such a run."""
    red = is_red(found) and waiver is None
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(gate.asset),
        check_name=gate.name,
        passed=found.passed,
        severity=dg.AssetCheckSeverity.WARN if not found.passed and not red else dg.AssetCheckSeverity.ERROR,
        description=_said(found, waiver),
        metadata=_metadata({day: found}, [day] if red else []),
        blocking=True,
        partition=day,
    )


def _metadata(verdicts: Mapping[str, Verdict], red: list[str]) -> dict[str, Any]:
    # Red days first: a table shows its first rows only.
    days = [
        {"day": day, "rows_checked": one.rows_checked, "passed": one.passed, "summary": one.summary}
        for day, one in sorted(verdicts.items(), key=lambda item: item[1].passed)
    ]
    offenders = [{"day": day, **offender} for day, one in verdicts.items() for offender in one.offenders]
    found = {
        "rows_checked": sum(one.rows_checked for one in verdicts.values()),
        "days_checked": len(verdicts),
        "days_red": len(red),
        "days": rows_table(days, ("day", "rows_checked", "passed", "summary")),
        "offenders": rows_table(offenders, ("day", *OFFENDER_COLUMNS)),
        "input_sha256": ", ".join(one.input_sha256 for one in verdicts.values()) if len(verdicts) == 1 else "per day",
    }
    if len(verdicts) == 1:
        return {**found, **shown_tables(next(iter(verdicts.values())))}
    # One plot a day would be too many; of tables, the rows of all days stand together.
    together: dict[str, list[dict[str, Any]]] = {}
    for day, one in verdicts.items():
        for name, rows in (one.tables or {}).items():
            if not is_histogram(rows):
                together.setdefault(name, []).extend({"day": day, **row} for row in rows)
    return {**found, **{name: rows_table(rows) for name, rows in together.items()}}


def shown_tables(found: Verdict) -> dict[str, Any]:
    """Give the tables of a verdict for the UI; one that compares two series by bucket as a plot."""
    return {
        name: dg.MetadataValue.md(histogram(name, rows)) if is_histogram(rows) else rows_table(rows)
        for name, rows in (found.tables or {}).items()
        if rows
    }


def export_checks() -> list[dg.AssetChecksDefinition]:
    """Make the checks of the published files."""
    return [_export_check(gate) for gate in EXPORT_GATES]


def _export_check(gate: ExportGate) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=gate.export.asset, name=gate.name, description=gate.description, blocking=gate.blocks)
    def check(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, duckdb: DuckDBResource
    ) -> dg.AssetCheckResult:
        domain, run = lake.open(), lake.run(context.run.run_id)
        with told(context.op_execution_context.retry_number), connection(duckdb, domain) as opened:
            found = look_at_export(gate, domain, opened, run.now())
        return whole_result(found, file=dg.MetadataValue.path(str(gate.export.main(domain))))

    return check


def whole_result(found: Verdict, **more: Any) -> dg.AssetCheckResult:
    """Show the verdict on something that has no days."""
    return dg.AssetCheckResult(
        passed=found.passed,
        severity=dg.AssetCheckSeverity[found.severity],
        description=found.summary,
        metadata={
            "rows_checked": found.rows_checked,
            "offending_rows": len(found.offenders),
            "offenders": rows_table(found.offenders, OFFENDER_COLUMNS),
            "input_sha256": found.input_sha256,
            **more,
            **shown_tables(found),
        },
    )
