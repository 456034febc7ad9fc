"""Streams of facts that a model extracted from other runs (class `extraction`): good for retrieval, never for SFT.

Here: for each such stream its row type and its transform. Not here: what confidence is worth (`scoring/`).
"""

from __future__ import annotations

from typing import Any

from lakehouse.records import EvidenceRecord, Number
from lakehouse.streams.shaping import as_text, describe
from lakehouse.streams.spec import Row, Seen, Stream, begin


class Distilled(Row):
    """What the three distilled streams share."""

    source_run_id: str
    text: str | None = None
    extractor: str | None = None
    confidence: Number | None = None
    category: str | None = None


class Procedure(Distilled):
    """A procedure: text and steps."""

    steps: list[Any] | None = None


class ConfigHint(Distilled):
    """A setting that helped."""

    key: str | None = None
    value: Any = None


class AuditFacts(Row):
    """Facts, entities and relationships found while auditing a commit."""

    head_sha: str
    facts: list[Any] | None = None
    entities: list[Any] | None = None
    relationships: list[Any] | None = None
    pr: str | int | None = None
    extractor: str | None = None


def _distilled(row: Distilled, seen: Seen, kind: str, text: str) -> EvidenceRecord:
    evidence = begin(row, seen, f"{kind}:{row.source_run_id}", text)
    return describe(
        evidence,
        confidence=row.confidence,
        category=row.category,
        extractor=row.extractor,
        source_run_id=row.source_run_id,
    )


def fact(row: Distilled, seen: Seen) -> EvidenceRecord:
    """Make evidence of a distilled fact."""
    return _distilled(row, seen, "fact", row.text or "")


def procedure(row: Procedure, seen: Seen) -> EvidenceRecord:
    """Make evidence of a distilled procedure: the text, then the numbered steps."""
    steps = [f"{number}. {as_text(step)}" for number, step in enumerate(row.steps or (), start=1)]
    return _distilled(row, seen, "procedure", "\n".join([row.text, *steps] if row.text else steps))


def config_hint(row: ConfigHint, seen: Seen) -> EvidenceRecord:
    """Make evidence of a config hint: the text, then `<key> = <value>`."""
    parts = [row.text] if row.text else []
    if row.key is not None:
        parts.append(f"{row.key} = {as_text(row.value)}")
    return _distilled(row, seen, "config_hint", "\n".join(parts))


def audit_facts(row: AuditFacts, seen: Seen) -> EvidenceRecord:
    """Make evidence of the facts of an audit, one a line; entities and relationships are counted."""
    evidence = begin(row, seen, f"audit_fact:{row.head_sha}", "\n".join(as_text(item) for item in row.facts or ()))
    return describe(
        evidence,
        entities=len(row.entities or ()),
        relationships=len(row.relationships or ()),
        pr=row.pr,
        head_sha=row.head_sha,
        extractor=row.extractor,
    )


STREAMS = (
    Stream(
        name="distilled_facts",
        source_class="extraction",
        role="extractor",
        scorer="extraction",
        row_type=Distilled,
        transform=fact,
        description="Facts distilled from runs.",
    ),
    Stream(
        name="distilled_procedures",
        source_class="extraction",
        role="extractor",
        scorer="extraction",
        row_type=Procedure,
        transform=procedure,
        description="Procedures distilled from runs, step by step.",
    ),
    Stream(
        name="distilled_config_hints",
        source_class="extraction",
        role="extractor",
        scorer="extraction",
        row_type=ConfigHint,
        transform=config_hint,
        description="Settings that helped a run.",
    ),
    Stream(
        name="audit_facts",
        source_class="extraction",
        role="extractor",
        scorer="extraction",
        row_type=AuditFacts,
        transform=audit_facts,
        description="Facts, entities and relationships found while auditing commits.",
    ),
)
