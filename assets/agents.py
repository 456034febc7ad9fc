"""What agents leave beside the streams: sessions of iterate, logs of who looked at whose data, replays of accepted tasks.

Here: calls of the domain and what they show. Not here: what a session, a chain, a replay is (`lakehouse.sessions`,
`lakehouse.subjects`, `lakehouse.replay`), and their checks (`agents_checks.py`).
"""

from typing import Any

import dagster as dg
import msgspec
from pydantic import Field

from assets.describing import OWNER, ROWS, column_schema, rows_table
from assets.failures import told
from assets.streams import GROUP as STREAMS
from assets.streams import stream_key
from lakehouse.board import bars
from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.records import ReplayRun, SessionRecord, SubjectAuditRow
from lakehouse.replay.newest import replay_newest
from lakehouse.replay.opening import Asked, similar_of
from lakehouse.replay.report import ReplayReport, report_path
from lakehouse.sessions.counts import FirstShot
from lakehouse.sessions.page import write_page
from lakehouse.subjects.checks import verify_all
from lakehouse.views.database import write_database
from resources.chat import ChatResource
from resources.embedder import EmbedderResource
from resources.lake import LakeResource
from resources.replayer import open_with
from resources.subjects import SubjectsResource

GROUP = "audit"
SESSIONS, SUBJECTS, REPLAYS = "session_audit", "subject_audit", "replay_report"
MOST_TASKS, MOST_PASSAGES = 10_000, 100
SESSION_LOG, SUBJECT_LOGS = stream_key("sessions"), dg.AssetKey("subjects")


def log_specs() -> list[dg.AssetSpec]:
    """Give the logs that agents write beside the streams, as external assets."""
    return [
        dg.AssetSpec(
            SESSION_LOG,
            description="One line for each call of iterate, whatever came of it. Other runtimes append to the same log.",
            group_name=STREAMS,
            kinds={"jsonl"},
            owners=[OWNER],
            metadata={"files": "_kb/sessions.jsonl", "dagster/column_schema": column_schema(SessionRecord)},
        ),
        dg.AssetSpec(
            SUBJECT_LOGS,
            description="Who looked at whose data: a chained, signed log for each subject, anchored outside the lake.",
            group_name=STREAMS,
            kinds={"jsonl"},
            owners=[OWNER],
            metadata={"files": "subjects/*/audit.jsonl", "dagster/column_schema": column_schema(SubjectAuditRow)},
        ),
    ]


@dg.asset(
    name=SESSIONS,
    deps=[SESSION_LOG],
    group_name=GROUP,
    kinds={"python", "duckdb"},
    owners=[OWNER],
    code_version="1",
    description=(
        "How models do at proposing what is valid: first-shot rate per model, sessions that were rejected three times "
        "running, verdicts by day. Writes the views for SQL (`lakehouse.duckdb`) as well."
    ),
    metadata={"dagster/column_schema": column_schema(SessionRecord)},
)
def session_audit(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult[None]:
    """Count the sessions, and write their page."""
    domain, run = lake.open(), lake.run(context.run.run_id)
    with told(context.retry_number):
        page, report = write_page(domain, run.reports, run.now())
        database = write_database(domain)
    counts = report.counts
    return dg.MaterializeResult(
        metadata={
            ROWS: counts.sessions,
            **counts.verdicts,
            "refused_lines": report.refused_in_all,
            "rejected_three_times_running": counts.rejected_in_all,
            "verdicts": dg.MetadataValue.md(bars("verdict", dict(counts.verdicts))),
            "first_shots": rows_table([_rated(one) for one in counts.first_shots], ("model", "rate")),
            "rejected": rows_table([msgspec.structs.asdict(one) for one in counts.rejected], ("session_id", "model")),
            "page": dg.MetadataValue.url(page.as_uri()),
            "sql": dg.MetadataValue.path(str(database)),
            "path": dg.MetadataValue.path(str(domain.sessions)),
        }
    )


def _rated(one: FirstShot) -> dict[str, Any]:
    return {**msgspec.structs.asdict(one), "rate": None if one.rate is None else round(one.rate, 4)}


@dg.asset(
    name=SUBJECTS,
    deps=[SUBJECT_LOGS],
    group_name=GROUP,
    kinds={"python", "jsonl"},
    owners=[OWNER],
    code_version="1",
    description=(
        "Every subject's log, verified from its first row to its last: how many rows, the hash that it ends with, and the "
        "line and kind of the first thing that is wrong."
    ),
    metadata={"dagster/column_schema": column_schema(SubjectAuditRow)},
)
def subject_audit(
    context: dg.AssetExecutionContext, lake: LakeResource, subjects: SubjectsResource
) -> dg.MaterializeResult[None]:
    """Verify every log."""
    domain = lake.open()
    with told(context.retry_number):
        try:
            found = list(verify_all(subjects.open(domain)))
        except UsageError as error:
            # Keys or anchors inside the lake: the check says so in red, and needs this asset to have been made.
            return dg.MaterializeResult(metadata={ROWS: 0, "subjects": 0, "broken": 0, "note": str(error)})
    rows = [
        {
            "subject": one.subject_id,
            "rows": one.found.count,
            "verified": one.found.verified,
            "tip": one.found.tip,
            "error": f"line {one.found.error.line}: {one.found.error.kind}" if one.found.error else "",
            "warnings": ", ".join(warning.kind for warning in one.found.warnings),
        }
        for one in found
    ]
    return dg.MaterializeResult(
        metadata={
            ROWS: sum(one.found.count for one in found),
            "subjects": len(found),
            "broken": sum(not one.found.verified for one in found),
            "logs": rows_table(rows, ("subject", "rows", "verified", "tip")),
            "path": dg.MetadataValue.path(str(domain.subjects)),
        }
    )


class ReplayConfig(dg.Config):
    """What a person may ask of a replay; what is left empty is as `[replay]` of lakehouse.toml says."""

    tasks: int | None = Field(default=None, ge=1, le=MOST_TASKS, description="How many of the newest accepted tasks.")
    model: str | None = Field(default=None, description="Who is asked: a name or a tier.")
    stronger: str | None = Field(
        default=None, description="Who is asked where an answer is not valid: a name or a tier."
    )
    passages: int | None = Field(default=None, ge=1, le=MOST_PASSAGES, description="Passages per task.")
    anew: bool = Field(default=False, description="Ask also where an answer to the same question is there.")


@dg.asset(
    name=REPLAYS,
    deps=["scored_runs", "rag_export"],
    group_name=GROUP,
    kinds={"python", "jsonl"},
    owners=[OWNER],
    code_version="1",
    description=(
        "The newest accepted tasks, done again with what the lake retrieves now and without what their own runs wrote: is "
        "the answer valid, and how near is it to the one that was accepted? What was answered before is not asked again."
    ),
    metadata={"dagster/column_schema": column_schema(ReplayRun)},
)
def replay_report(
    context: dg.AssetExecutionContext,
    config: ReplayConfig,
    lake: LakeResource,
    chat: ChatResource,
    embedder: EmbedderResource,
) -> dg.MaterializeResult[None]:
    """Replay the newest accepted tasks."""
    domain, run = lake.open(), lake.run(context.run.run_id)
    asked = Asked(config.model, config.stronger, config.passages)
    with told(context.retry_number), open_with(domain, chat, lambda: embedder.open(domain), asked) as opened:
        count = config.tasks or domain.settings.replay.tasks
        report = replay_newest(domain, run, opened, similar_of(opened), count, anew=config.anew)
    for one in report.no_answer:
        context.log.warning("%s has no answer: %s %s", one.task_id, one.where, one.what)
    return dg.MaterializeResult(metadata={**_numbers(report), **_shown(domain, report, run.reports)})


def _numbers(report: ReplayReport) -> dict[str, Any]:
    """Give the numbers that have a history."""
    found: dict[str, Any] = {
        ROWS: len(report.rows),
        "tasks": report.tasks,
        "asked_now": report.asked,
        "valid": report.valid,
        "valid_then": report.valid_then,
        "escalated": report.escalated,
        "no_answer": len(report.no_answer) + report.not_asked,
        "lines_passed_over": report.refused_lines,
    }
    if report.mean is not None and report.median is not None:
        found |= {"mean_similarity": report.mean, "median_similarity": report.median}
    return found


def _shown(lake: Lake, report: ReplayReport, reports: Any) -> dict[str, Any]:
    rows = [
        {
            "task": one.task_id,
            "day": one.day,
            "similarity": one.similarity,
            "valid_then": one.valid_then,
            "valid_now": one.run.validation.ok,
            "escalated": one.run.escalated,
            "asked_now": one.asked,
        }
        for one in report.least_similar
    ]
    failed = [{"task": one.task_id, "kind": one.kind, "why": f"{one.where}: {one.what}"} for one in report.no_answer]
    return {
        "model": report.model,
        "as_lakehouse_toml_says": report.settings is not None,
        "retrieval": f"{report.retrieval} ({report.corpus})",
        "similarity_by": report.method,
        "least_similar": rows_table(rows, ("task", "day", "similarity")),
        "without_answer": rows_table(failed, ("task", "kind", "why")),
        "page": dg.MetadataValue.url(report_path(reports, report.run_id).as_uri()),
        "path": dg.MetadataValue.path(str(lake.replays)),
    }
