"""The nightly merge: fresh workers move into the main roster's corpus, and out of the hot tier.

Here: the job and its schedule. Not here: what a merge does (`lakehouse.corpora.merge`); a roster build leaves what was merged.
"""

import dagster as dg

from assets.failures import told
from lakehouse.corpora.merge import merge
from lakehouse.corpora.reading import version
from lakehouse.corpora.store import require_lancedb
from resources.lake import LakeResource

MERGE_FRESH = "merge_fresh"
FRESH, MAIN = "fresh_workers", "workers"


@dg.op(name="merge_fresh_workers", description="Moves every fresh worker that the roster lacks into its corpus.")
def merge_fresh_workers(context: dg.OpExecutionContext, lake: LakeResource) -> None:
    """Merge, and say what arrived."""
    with told(context.retry_number):
        require_lancedb()
        now = lake.run(context.run.run_id).now()
        found = merge(lake.open(), FRESH, MAIN, now, clear_source=True)
    context.add_output_metadata({"arrived": found.arrived, "skipped": found.skipped, "cleared": found.cleared})


@dg.job(name=MERGE_FRESH, description="The hot tier into the main corpus of workers, each night.")
def merge_fresh() -> None:
    """Merge fresh workers into the main corpus."""
    merge_fresh_workers()


def merge_schedule(status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    """Make the schedule of the merge, an hour after the nightly distillation."""

    @dg.schedule(
        name=MERGE_FRESH,
        job=merge_fresh,
        cron_schedule="0 3 * * *",
        execution_timezone="UTC",
        default_status=status,
        description="Fresh workers into the main corpus, where both were built.",
    )
    def nightly(lake: LakeResource) -> dg.RunRequest | dg.SkipReason:
        missing = [name for name in (FRESH, MAIN) if version(lake.open(), name) == 0]
        if missing:
            return dg.SkipReason(f"nothing to merge: {' and '.join(missing)} was never built")
        return dg.RunRequest()

    return nightly
