"""Everything that Dagster is told, built by a function: tests and the command line build it for their own lake.

Here: putting assets, checks, jobs, schedule, sensors and resources together. Not here: what any of them does, and
reading the environment (`definitions.py`).
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import dagster as dg

from assets import (
    agents,
    agents_checks,
    audit,
    audit_checks,
    checks,
    corpora,
    corpora_checks,
    exports,
    releases,
    streams,
)
from assets.days import partitions as day_partitions
from assets.distillation import DAILY, Daily, daily_assets
from lakehouse_dagster.alarms import alarms
from lakehouse_dagster.evidence_sensor import new_evidence_sensor
from lakehouse_dagster.fresh_merge import merge_fresh, merge_schedule
from lakehouse_dagster.jobs import audit_jobs, reindex_job, release_job, replay_job
from lakehouse_dagster.jobs import jobs as make_jobs
from lakehouse_dagster.roster_sensor import new_rag_export_sensor, new_roster_sensor
from lakehouse_dagster.schedules import nightly_schedule
from resources.chat import ChatResource
from resources.database import in_memory
from resources.embedder import EmbedderResource
from resources.lake import LakeResource, utc_now
from resources.subjects import SubjectsResource
from resources.webhook import WebhookResource


def build_definitions(
    root: Path,
    reports: Path,
    *,
    production: bool = False,
    commit: str = "",
    webhook_url: str = "",
    embedder: EmbedderResource | None = None,
    chat: ChatResource | None = None,
    subjects: SubjectsResource | None = None,
    first_day: str | None = None,
    clock: Callable[[], datetime] = utc_now,
    daily: Sequence[Daily] = DAILY,
    logger: dg.LoggerDefinition | None = None,
) -> dg.Definitions:
    """Build the definitions for the lake at `root`.

    `production` switches the schedule and the sensors on new data on. `first_day` is the first partition where it is not the lake's own
    first day; `clock` is what the sensor goes by; `daily` are the steps of the chain; `logger` takes the place of the
    console's; `embedder` is that of the corpora where it is not the best that can run; `chat` and `subjects` are as the
    environment says, else what they are without one. Raises `UsageError` where the lake's settings are wrong.
    """
    resource = LakeResource(root=str(root.absolute()), reports=str(reports.absolute()), commit=commit)
    lake = resource.open()
    days = day_partitions(lake, clock(), first_day)
    jobs, reindex = make_jobs(), reindex_job()
    watching = dg.DefaultSensorStatus.RUNNING if production else dg.DefaultSensorStatus.STOPPED
    scheduled = dg.DefaultScheduleStatus.RUNNING if production else dg.DefaultScheduleStatus.STOPPED
    return dg.Definitions(
        assets=[
            *streams.stream_specs(lake),
            *corpora.source_specs(lake),
            *agents.log_specs(),
            streams.line_index_asset(lake),
            *daily_assets(lake, days, daily),
            exports.sft_export,
            exports.rag_export,
            exports.preference_export,
            releases.release,
            *corpora.corpus_assets(),
            agents.session_audit,
            agents.subject_audit,
            agents.replay_report,
            audit.run_summary,
            audit.audit_baseline,
        ],
        asset_checks=[
            streams.append_only_check(),
            *checks.daily_checks(days),
            *checks.export_checks(),
            *corpora_checks.corpus_checks(),
            *agents_checks.agent_checks(),
            *audit_checks.audit_checks(),
        ],
        jobs=[*jobs, reindex, merge_fresh, release_job(), replay_job(), *audit_jobs()],
        schedules=[nightly_schedule(jobs[0], days, scheduled), merge_schedule(scheduled)],
        sensors=[
            new_evidence_sensor(jobs, days, clock, watching),
            new_roster_sensor(reindex, watching),
            new_rag_export_sensor(reindex, watching),
            *alarms(jobs),
        ],
        resources={
            "lake": resource,
            "duckdb": in_memory(),
            "embedder": embedder or EmbedderResource(),
            "chat": chat or ChatResource(),
            "subjects": subjects or SubjectsResource(),
            "webhook": WebhookResource(url=webhook_url),
        },
        loggers={"console": logger} if logger else None,
        executor=dg.in_process_executor,
    )
