"""Streams in which an agent's own run left its traces (class `telemetry`).

Here: for each such stream its row type and its transform, conversations (`agent_runs`) included.
Not here: what a marker is worth (`scoring/`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from lakehouse.records import EvidenceRecord, Number, RetrievedContext
from lakehouse.streams.shaping import check_messages, describe, joined, last_answer
from lakehouse.streams.spec import Row, Seen, Stream, begin

NOTHING_DONE = frozenset({"no_patches", "all_rejected"})
"""Actions of `auto_apply` after which nothing was changed."""


class AutoApply(Row):
    """A patch tried automatically."""

    file: str
    action: str | None = None
    patch: str | None = None
    patches_applied: int | None = None
    build_green: bool | None = None


def auto_apply(row: AutoApply, seen: Seen) -> EvidenceRecord:
    """Make evidence of a patch; its text is the patch."""
    evidence = begin(row, seen, f"auto_apply:{row.file}", row.patch or "")
    evidence.source_files = [row.file]
    success, failure = evidence.success_markers, evidence.failure_markers
    if row.action is not None:
        against = row.action.endswith("_reverted") or row.action in NOTHING_DONE
        (failure if against else success).append(row.action)
    if row.build_green is not None:
        (success if row.build_green else failure).append("build_green" if row.build_green else "build_red")
    return describe(evidence, patches_applied=row.patches_applied)


class Event(msgspec.Struct, gc=False):
    """One event of a scenario."""

    name: str
    ok: bool


class Outcome(Row):
    """A scenario run: its events one by one, or only how many there were and how many went well."""

    scenario: str
    events: list[Event] | None = None
    total_events: int | None = None
    ok_events: int | None = None
    elapsed_ms: Number | None = None


def outcome(row: Outcome, seen: Seen) -> EvidenceRecord:
    """Make evidence of a scenario run; its text is one line per event, or the totals."""
    counts: list[str] = []
    text = ""
    if row.events:
        counts.append(f"events_ok:{sum(event.ok for event in row.events)}/{len(row.events)}")
        text = "\n".join(f"{event.name}: {'ok' if event.ok else 'failed'}" for event in row.events)
    if row.total_events is not None and row.ok_events is not None:
        total = f"events_ok:{row.ok_events}/{row.total_events}"
        if total not in counts:
            # Totals that contradict the events are kept as a second signal: the scorer takes the worse one.
            counts.append(total)
        text = text or f"{row.ok_events} of {row.total_events} events ok"
    evidence = begin(row, seen, f"outcome:{row.scenario}", text)
    evidence.success_markers = counts
    evidence.latency_ms = row.elapsed_ms if row.latency_ms is None else row.latency_ms
    return describe(evidence, scenario=row.scenario)


class Sources(msgspec.Struct, gc=False):
    """What a mode retrieved before it prompted."""

    corpora: list[str] | None = None
    chunks_kept: int | None = None
    chunks_dropped: int | None = None
    pathway_fingerprints: list[str] | None = None
    downgraded_from: str | None = None


class ModeExperiment(Row):
    """One mode of prompting tried on a file."""

    task_class: str
    file: str
    mode: str | None = None
    response: str | None = None
    ok: bool | None = None
    sources: Sources | None = None


def mode_experiment(row: ModeExperiment, seen: Seen) -> EvidenceRecord:
    """Make evidence of a mode experiment; its text is the response."""
    sources = row.sources
    evidence = begin(row, seen, f"{row.task_class}:{row.file}", row.response or "")
    evidence.task_class = row.task_class
    evidence.source_files = [row.file]
    evidence.success_markers = ["ok"] if row.ok else []
    evidence.failure_markers = ["not_ok"] if row.ok is False else []
    if sources is not None:
        evidence.retrieved_context = RetrievedContext(
            corpora=sources.corpora or [],
            chunks_kept=sources.chunks_kept,
            chunks_dropped=sources.chunks_dropped,
            pathway_fingerprints=sources.pathway_fingerprints,
        )
    return describe(evidence, mode=row.mode, downgraded_from=sources and sources.downgraded_from)


JUDGING = frozenset({"reward", "passed", "verdict"})
"""Keys of the metadata that the scorer `outcome` reads."""


class AgentRun(Row):
    """A run of any agent framework: a conversation or a prompt with its response, and how it was judged."""

    task_id: str | None = None
    messages: list[dict[str, Any]] | None = None
    prompt: str | list[Any] | None = None
    response: str | None = None
    reward: Number | None = None
    passed: bool | None = None
    verdict: str | None = None
    metadata: dict[str, Any] | None = None


def agent_run(row: AgentRun, seen: Seen) -> EvidenceRecord:
    """Make evidence of an agent's run; its text is the response, else the last assistant message that has text."""
    if row.messages is not None:
        check_messages(row.messages)
    text = row.response
    if text is None:
        text = last_answer(row.messages) if row.messages else ""
    evidence = begin(row, seen, row.task_id or "", text)
    evidence.task_id = row.task_id or f"agent_run:{evidence.run_id}"
    evidence.messages = row.messages
    if row.metadata:
        # Only the row's own fields judge it: what its free metadata calls reward is kept under another name.
        own = {f"metadata_{key}" if key in JUDGING else key: value for key, value in row.metadata.items()}
        evidence.metadata = {**own, **(evidence.metadata or {})}
    prompt = None if row.prompt is None else joined(row.prompt)
    return describe(evidence, prompt=prompt, reward=row.reward, passed=row.passed, verdict=row.verdict)


STREAMS = (
    Stream(
        name="auto_apply",
        source_class="telemetry",
        role="applier",
        scorer="auto_apply",
        row_type=AutoApply,
        transform=auto_apply,
        template="auto_apply",
        description="Patches tried automatically, and whether the build stayed green.",
    ),
    Stream(
        name="outcomes",
        source_class="telemetry",
        role="executor",
        scorer="outcome",
        row_type=Outcome,
        transform=outcome,
        template="outcomes",
        description="Scenario runs, event by event.",
    ),
    Stream(
        name="mode_experiments",
        source_class="telemetry",
        role="executor",
        scorer="mode_experiment",
        row_type=ModeExperiment,
        transform=mode_experiment,
        template="mode_experiments",
        description="Prompting modes tried on files, with what they had retrieved.",
    ),
    Stream(
        name="agent_runs",
        source_class="telemetry",
        role="executor",
        scorer="outcome",
        row_type=AgentRun,
        transform=agent_run,
        template="agent_runs",
        description="Runs of any agent framework in the common shape that importers write.",
    ),
)
