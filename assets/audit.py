"""What is kept of a run: its summary, and the audit with the baseline that later runs are compared with.

Here: calls of the domain and what they show. Not here: what a summary says (`lakehouse.summary`), what an audit looks
at (`lakehouse.audit`), its checks (`audit_checks.py`). A run that a gate stopped gets its summary from a sensor or from
the command line.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.agents import REPLAYS
from assets.days import days_of
from assets.describing import OWNER, ROWS, column_schema, rows_table
from assets.failures import told
from lakehouse.audit.model import AuditReport
from lakehouse.audit.newest import newest_summary
from lakehouse.audit.run import audit_once, report_path
from lakehouse.baseline import append_baseline, log_path
from lakehouse.board import bars
from lakehouse.chain.manifests import Staleness, manifest_days
from lakehouse.contracts.data_docs import write_data_docs
from lakehouse.drift.page import write_drift_page
from lakehouse.gates.code_gates import standing
from lakehouse.lake import Lake
from lakehouse.publish.companions import write_live
from lakehouse.publish.exports import EXPORTS
from lakehouse.records import AuditBaseline, RunSummary
from lakehouse.replay.live import live_replay
from lakehouse.report import write_page
from lakehouse.run import Run
from lakehouse.summary import summarize
from lakehouse.timestamps import day_of
from resources.chat import ChatResource
from resources.embedder import EmbedderResource
from resources.lake import LakeResource, utc_now
from resources.replayer import open_with

GROUP = "audit"
BASELINE = "audit_baseline"
DRIFT_DAYS = 30
"""The newest days that the drift page compares, each with those before it."""
DEEP_TAG = "lakehouse/deep"
"""A run with this tag audits every day and every run, not only the newest."""
ANEW_TAG = "lakehouse/anew"
"""A run with this tag lets the gates on the code look again, although a green verdict stands."""


@dg.asset(
    deps=list(EXPORTS),
    group_name=GROUP,
    kinds={"python", "json"},
    owners=[OWNER],
    code_version="1",
    description=(
        "The receipts of this run in one page: what each stage read and wrote, what the firewall kept out, which gates "
        "are red, which days are held back, and the run hash, which is the same for the same input on any machine. The "
        "page beside it draws the way from rows to samples, chunks and pairs."
    ),
    metadata={"dagster/column_schema": column_schema(RunSummary)},
)
def run_summary(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult[None]:
    """Write the summary of this run."""
    domain, run = lake.open(), lake.run(context.run.run_id)
    with told(context.retry_number):
        waiting = Staleness(domain).waiting_future(day_of(utc_now()))
        summary = summarize(domain, run, days_of(context.run.tags), waiting_future=waiting)
        write_live(domain, summary.run_hash)
        page, tables = write_page(domain, run, summary)
    return dg.MaterializeResult(
        metadata={
            **summary.counts,
            "run_hash": summary.run_hash,
            "status": summary.status,
            "gates_green": summary.checks.passed,
            "gates_red": summary.checks.failed,
            "firewall_blocked": summary.firewall.blocked,
            "firewall": dg.MetadataValue.md(bars("verdict", summary.firewall.by_category)),
            "failed_gates": rows_table([{"gate": gate} for gate in summary.failed_gates], ("gate",)),
            "held_days": rows_table([{"day": d, "why": why} for d, why in summary.held_days.items()], ("day", "why")),
            **{name: dg.MetadataValue.md(text) for name, text in tables.items()},
            "page": dg.MetadataValue.url(page.as_uri()),
            "path": dg.MetadataValue.path(str(run.folder / "summary.json")),
        }
    )


@dg.asset(
    name=BASELINE,
    # The replays first: the audit looks at their log.
    deps=["run_summary", REPLAYS],
    group_name=GROUP,
    kinds={"python", "jsonl"},
    owners=[OWNER],
    code_version="2",
    description=(
        "An audit of what the newest run left, phase by phase, and the metrics of the lake as a whole, one line in a log "
        "that other runtimes append to as well. A run that wrote what an earlier one wrote adds nothing. The job `audit` "
        "looks at every day and every run."
    ),
    metadata={"dagster/column_schema": column_schema(AuditBaseline)},
)
def audit_baseline(
    context: dg.AssetExecutionContext, lake: LakeResource, chat: ChatResource, embedder: EmbedderResource
) -> dg.MaterializeResult[None]:
    """Audit, and append the baseline."""
    domain, run = lake.open(), lake.run(context.run.run_id)
    with told(context.retry_number):
        report = audited(domain, run, context.run.tags, chat, embedder)
        summary = newest_summary(run.reports)
        baseline = append_baseline(domain, summary, run.now(), report.observed) if summary is not None else None
        drift, _ = write_drift_page(domain, run.reports, manifest_days(domain, "score")[-DRIFT_DAYS:], run.now())
        # Great Expectations takes seconds to draw its pages: with the audits that look at everything, not every night.
        docs = write_data_docs(domain, run.reports) if report.deep else None
    counts = {state: sum(one.status == state for one in report.checks) for state in ("passed", "failed", "skipped")}
    shown: dict[str, Any] = {
        "passed": report.passed,
        "deep": report.deep,
        **{f"checks_{state}": number for state, number in counts.items()},
        "phases": rows_table(
            [{"phase": one.phase, "looks_at": one.name, "status": one.status} for one in report.phases]
        ),
        "page": dg.MetadataValue.url(report_path(run).as_uri()),
        "drift": dg.MetadataValue.url(drift.as_uri()),
        "path": dg.MetadataValue.path(str(log_path(domain))),
        "appended": baseline is not None,
    }
    if docs is not None:
        shown["data_docs"] = dg.MetadataValue.url(docs.as_uri())
    if baseline is not None:
        shown |= {ROWS: 1, **baseline.metrics}
    return dg.MaterializeResult(metadata=shown)


def audited(
    lake: Lake, run: Run, tags: Mapping[str, str], chat: ChatResource, embedder: EmbedderResource
) -> AuditReport:
    """Give the audit of a run: the one that it made, or a new one. A deep one asks a model once; each night replays anyway."""
    anew, deep = ANEW_TAG in tags, DEEP_TAG in tags
    return audit_once(
        lake,
        run,
        deep=deep,
        acceptance=lambda: standing(lake, "acceptance", run.now(), anew=anew),
        live_replay=live_replay(lake, lambda: open_with(lake, chat, lambda: embedder.open(lake))) if deep else None,
    )
