"""The views over the files of a lake: what the chain made, what was published, and the logs that many append to.

Here: one entry for each. Not here: rosters (`rosters.py`), what is made of these views (`questions.py`).
"""

from __future__ import annotations

from typing import Final

from lakehouse.records import (
    AuditBaseline,
    EvidenceRecord,
    FreshWorker,
    GateVerdicts,
    GateWaiver,
    OverrideRow,
    PlaybookEntry,
    PreferencePair,
    QuarantinedRow,
    RagChunk,
    RecallRow,
    Record,
    Release,
    ReplayRun,
    ScoredRun,
    SessionRecord,
    SftSample,
    SubjectAuditRow,
    SubjectManifest,
)
from lakehouse.roster.schema import PRIVATE
from lakehouse.views.files import Files
from lakehouse.views.view import DAY, STREAM, Lines, View


class LeftOut(Record, kw_only=True):
    """One line of `distilled/sft/left_out.jsonl`; `line` counts from 1 in the day's part."""

    day: str
    line: int
    id: str
    task_id: str
    stream: str
    sig_hash: str
    reason: str
    detail: str


_DAYS: Final = "*/*/*/[!.]*.jsonl"


def _newest(by: str, order: str = "entry", but: str = "") -> str:
    """Give the column `holds`: whether a line is the newest of its kind, and does not take it back."""
    newest = f"row_number() OVER (PARTITION BY {by} ORDER BY {order} DESC) = 1"
    return f"({newest}{but}) AS holds"


_LINES: Final = (
    Lines(
        "evidence",
        "Every row of every stream in the common shape.",
        Files(f"evidence/{_DAYS}"),
        EvidenceRecord,
        ("run_id", "provenance"),
        (STREAM, DAY),
    ),
    Lines(
        "scored_runs",
        "The verdict on each row of evidence, with its reasons; joined to it by provenance.sig_hash and stream.",
        Files(f"scored-runs/{_DAYS}"),
        ScoredRun,
        ("evidence_run_id", "category"),
        (DAY,),
    ),
    Lines(
        "quarantine",
        "What could not be used, and why; without a day where the row had none.",
        Files("quarantine/**/[!.]*.jsonl"),
        QuarantinedRow,
        ("stage", "reason_code"),
        (DAY,),
    ),
    Lines(
        "sft",
        "The published training samples.",
        Files("distilled/sft/sft_export.jsonl"),
        SftSample,
        ("id",),
    ),
    Lines(
        "left_out",
        "Samples that could have been published and were not, with the reason.",
        Files("distilled/sft/left_out.jsonl"),
        LeftOut,
        ("id", "reason"),
    ),
    Lines(
        "rag_chunks",
        "The published chunks for retrieval.",
        Files("distilled/rag/rag_export.jsonl"),
        RagChunk,
        ("id",),
    ),
    Lines(
        "preference_pairs",
        "The published pairs of a better and a worse answer.",
        Files("distilled/preference/preference_export.jsonl"),
        PreferencePair,
        ("id",),
    ),
    Lines(
        "releases",
        "The page of each release.",
        Files("distilled/releases/*/release.json", whole=False),
        Release,
        ("release_hash",),
        documents=True,
    ),
    Lines(
        "recalls",
        "Runs in releases whose verdict is another now; `holds` marks the newest line of each that is still so.",
        Files("distilled/releases/recalls.jsonl"),
        RecallRow,
        ("release_hash", "sig_hash"),
        (_newest("release_hash, sig_hash", but=" AND verdict_now <> verdict_then"),),
        entry=True,
    ),
    Lines(
        "gate_verdicts",
        "The newest verdicts of the gates, a row for each asset and day, the verdicts as a list.",
        Files("gates/**/[!.]*.json"),
        GateVerdicts,
        ("asset", "verdicts"),
        documents=True,
    ),
    Lines(
        "gate_waivers",
        "People's words on red gates; `holds` marks the newest for an asset, day and check that was not taken back.",
        Files("_kb/gate_waivers.jsonl"),
        GateWaiver,
        ("asset", "partition", "check"),
        (_newest('asset, "partition", "check"', but=" AND NOT withdrawn"),),
        entry=True,
    ),
    Lines(
        "human_overrides",
        "People's verdicts on rows; `holds` marks the latest on each row by its time.",
        Files("_kb/human_overrides.jsonl"),
        OverrideRow,
        ("sig_hash", "category"),
        (_newest("sig_hash", "coalesce(try_cast(\"at\" AS TIMESTAMPTZ), '-infinity') DESC, entry"),),
        entry=True,
    ),
    Lines(
        "audit_baselines",
        "The metrics of the lake after each audited run.",
        Files("_kb/audit_baselines.jsonl"),
        AuditBaseline,
        ("run_id", "metrics"),
        entry=True,
    ),
    Lines(
        "playbooks",
        "Good answers to queries; `holds` marks the newest line of each that was not retired.",
        Files("_kb/playbooks.jsonl"),
        PlaybookEntry,
        ("id", "query_text"),
        (_newest("coalesce(namespace, ''), id", but=" AND retired_at IS NULL"),),
        entry=True,
    ),
    Lines(
        "fresh_workers",
        "Workers recorded since the rosters; `holds` marks the newest line of each that was not merged.",
        Files("_kb/fresh_workers.jsonl"),
        FreshWorker,
        ("id",),
        (_newest("id", but=" AND merged_into IS NULL"),),
        entry=True,
        hidden=PRIVATE,
    ),
    Lines(
        "sessions",
        "Every call of iterate with its attempts, whoever wrote it.",
        Files("_kb/sessions.jsonl"),
        SessionRecord,
        ("session_id", "verdict"),
        entry=True,
    ),
    Lines(
        "replay_runs",
        "Every task that was done again with what the lake retrieves.",
        Files("_kb/replay_runs.jsonl"),
        ReplayRun,
        ("run_id", "session_id"),
        entry=True,
    ),
    Lines(
        "subjects",
        "The people and things whose data is looked at, and where.",
        Files("subjects/*/manifest.json", whole=False),
        SubjectManifest,
        ("subject_id",),
        documents=True,
    ),
    Lines(
        "subject_audit",
        "Who looked at whose data: the logs of all subjects, as they stand (`lakehouse subject verify` checks them).",
        Files("subjects/*/audit.jsonl", whole=False),
        SubjectAuditRow,
        ("subject_id", "ts"),
    ),
)

VIEWS: Final[tuple[View, ...]] = tuple(one.view() for one in _LINES)
