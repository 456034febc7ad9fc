"""The schedule `nightly_distillation`: at 02:00 UTC, the day that ended and every day that is stale.

Here: which runs a night asks for. Not here: how they are grouped and known again (`requests.py`). Written by hand:
Dagster's own schedule of a partitioned job would ask for today, which has a partition and is not over.
"""

from datetime import timedelta

import dagster as dg

from assets.days import stretches
from lakehouse.chain.manifests import Staleness
from lakehouse.errors import LakehouseError
from lakehouse.index import update_all
from lakehouse.lake import Lake
from lakehouse.timestamps import day_of
from lakehouse_dagster.jobs import NIGHTLY, AssetJob
from lakehouse_dagster.requests import bytes_key, run_request
from resources.lake import LakeResource

BYTES_A_NIGHT = 1 << 30
"""New bytes that the schedule itself reads, to know which days they touch; the runs read the rest."""


def nightly_schedule(
    job: AssetJob, partitions: dg.DailyPartitionsDefinition, status: dg.DefaultScheduleStatus
) -> dg.ScheduleDefinition:
    """Make the schedule of the nightly job."""

    @dg.schedule(
        name=NIGHTLY,
        job=job,
        cron_schedule="0 2 * * *",
        execution_timezone="UTC",
        default_status=status,
        description="The day that ended, and every older day that is not up to date.",
    )
    def nightly(context: dg.ScheduleEvaluationContext, lake: LakeResource) -> list[dg.RunRequest] | dg.SkipReason:
        ended = day_of(context.scheduled_execution_time - timedelta(days=1))
        first = partitions.start.date().isoformat()
        if ended < first:
            return dg.SkipReason(f"the lake begins on {first}: no day has ended yet")
        try:
            return night(lake.open(), ended, first)
        except LakehouseError as error:
            raise dg.Failure(description=str(error)) from error

    return nightly


def night(lake: Lake, ended: str, first_day: str) -> list[dg.RunRequest]:
    """Give the runs of the night after the day `ended`, one for each stretch of days without gaps."""
    update_all(lake, BYTES_A_NIGHT)
    staleness = Staleness(lake)
    stale = [day for day in staleness.stale(ended) if day >= first_day]
    requests = []
    for days in stretches([*stale, ended]):
        key = bytes_key(lake, staleness, days)
        # A night of its own: what failed three times by day, or was cancelled, is tried once more.
        requests.append(run_request(days, key, f"night of {ended}:{key}", job=NIGHTLY))
    return requests
