"""What tells people: a run that failed or was cancelled, a day of which much was quarantined.

Here: the sensors on the ends of runs, the summary and the report that a stopped run gets, the webhook. Not here: what a
summary or a report says (`lakehouse.summary`, `lakehouse.board`).
"""

import re
from collections.abc import Sequence

import dagster as dg

from assets.days import days_of
from lakehouse.board import crowded, crowded_report, stopped
from lakehouse.files import write_whole
from lakehouse.gates.quarantine_rate import ERROR_OVER
from lakehouse.lake import Lake
from lakehouse.records import RunSummary
from lakehouse.report import write_page
from lakehouse.run import Run
from lakehouse.summary import summarize
from lakehouse_dagster.jobs import AssetJob
from resources.lake import LakeResource
from resources.webhook import WebhookResource

CROWDED = ERROR_OVER
"""Share of a day's rows in quarantine above which people are told: that which the gate `quarantine_rate` calls an error."""


def alarms(jobs: Sequence[AssetJob]) -> list[dg.SensorDefinition]:
    """Make the sensors. They are always on: a stopped run must have its summary."""
    on = dg.DefaultSensorStatus.RUNNING

    @dg.run_failure_sensor(
        name="run_failed",
        monitored_jobs=list(jobs),
        default_status=on,
        description="Writes the summary and a report of a failed run, and posts to the webhook where one is set.",
    )
    def run_failed(context: dg.RunFailureSensorContext, lake: LakeResource, webhook: WebhookResource) -> None:
        steps = [why_failed(event) for event in context.get_step_failure_events()]
        error = "; ".join(steps) or _one_line(context.failure_event.message or "the run failed")
        _tell(context, lake, webhook, error)

    @dg.run_status_sensor(
        name="run_cancelled",
        run_status=dg.DagsterRunStatus.CANCELED,
        monitored_jobs=list(jobs),
        default_status=on,
        description="Writes the summary and a report of a cancelled run.",
    )
    def run_cancelled(context: dg.RunStatusSensorContext, lake: LakeResource, webhook: WebhookResource) -> None:
        _tell(context, lake, webhook, "the run was cancelled")

    @dg.run_status_sensor(
        name="quarantine_alarm",
        run_status=dg.DagsterRunStatus.SUCCESS,
        monitored_jobs=list(jobs),
        default_status=on,
        description="Tells of days on which more than a fifth of the rows was quarantined.",
    )
    def quarantine_alarm(context: dg.RunStatusSensorContext, lake: LakeResource, webhook: WebhookResource) -> None:
        _look_at_quarantine(context, lake, webhook)

    return [run_failed, run_cancelled, quarantine_alarm]


def _tell(context: dg.RunStatusSensorContext, lake: LakeResource, webhook: WebhookResource, error: str) -> None:
    run = context.dagster_run
    summary = write_stopped(lake.open(), lake.run(run.run_id), days_of(run.tags), error)
    message = {"event": "run_failed", "run_id": run.run_id, "job": run.job_name, "days": summary.partition}
    undelivered = webhook.post({**message, "error": error, "failed_gates": summary.failed_gates})
    if undelivered:
        context.log.warning(undelivered)
    _look_at_quarantine(context, lake, webhook)


def _look_at_quarantine(context: dg.RunStatusSensorContext, lake: LakeResource, webhook: WebhookResource) -> None:
    run = context.dagster_run
    shares = write_crowded(lake.open(), lake.run(run.run_id), days_of(run.tags))
    if not shares:
        return
    context.log.warning("more than %.0f %% of the rows was quarantined on %s", CROWDED * 100, ", ".join(shares))
    undelivered = webhook.post({"event": "quarantine_alarm", "run_id": run.run_id, "days": shares})
    if undelivered:
        context.log.warning(undelivered)


def write_stopped(lake: Lake, run: Run, days: Sequence[str], error: str) -> RunSummary:
    """Write summary and report of a run that was stopped, from whatever it left on disk."""
    summary = summarize(lake, run, days, error=error)
    write_whole(run.folder / "run_failed.md", stopped(summary, error).encode())
    write_page(lake, run, summary)
    return summary


def write_crowded(lake: Lake, run: Run, days: Sequence[str]) -> dict[str, float]:
    """Write a report of the days whose quarantine is crowded and give their shares; no report where none is."""
    shares = crowded(lake, days, CROWDED)
    if shares:
        write_whole(run.folder / "quarantine_alarm.md", crowded_report(shares).encode())
    return shares


def why_failed(event: dg.DagsterEvent) -> str:
    """Say in a line why a step failed: what the domain said, which gate was red, or the error that nobody expected."""
    told, error = event.step_failure_data.user_failure_data, event.step_failure_data.error
    if told is not None and told.description:
        return f"{event.step_key}: {_one_line(told.description)}"
    while error is not None and error.cause is not None:
        error = error.cause
    return f"{event.step_key}: {_one_line(error.message if error is not None else 'failed')}"


def _one_line(message: str) -> str:
    """Leave out line breaks, and the full name of Dagster's own error class."""
    return _OWN_CLASS.sub("", " ".join(message.split()))


_OWN_CLASS = re.compile(r"^dagster\._core\.errors\.\w+: ")
