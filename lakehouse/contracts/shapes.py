"""Which columns the records of each asset become.

Here: one `Shape` per asset. No text of a record gets into a frame but its ids, its categories, its roles and the file that
it came from. Not here: the functions that make the columns (`columns.py`), what they must hold (`suites.py`).
"""

from __future__ import annotations

from typing import Any

from lakehouse.contracts.columns import (
    QUALITY,
    Context,
    Kind,
    Row,
    Shape,
    is_list,
    is_signature,
    number,
    roles,
    said,
    size,
)
from lakehouse.records import EvidenceRecord, PreferencePair, RagChunk, SftSample


def _placed(name: str) -> dict[str, Kind]:
    """Give the columns of a provenance."""
    return {
        f"{name}.source_file": "text",
        f"{name}.line_offset": "number",
        f"length of {name}.sig_hash": "number",
        f"{name}.sig_hash is one": "flag",
        f"day of {name}.recorded_at": "text",
    }


def _place(provenance: Any, context: Context) -> Row:
    if provenance is None:
        return None, None, None, True, None
    sig = provenance.sig_hash
    return (
        provenance.source_file,
        number(provenance.line_offset),
        size(sig),
        sig is None or is_signature(sig) is not None,
        context.day(provenance.recorded_at),
    )


def _sig(provenance: Any) -> str | None:
    return None if provenance is None else provenance.sig_hash


def _evidence(record: Any, context: Context) -> Row:
    place = _place(record.provenance, context)
    override = record.human_override
    return (
        number(record.schema_version),
        size(record.run_id),
        size(record.task_id),
        context.day(record.timestamp),
        *place,
        context.is_of(place[0], context.stream),
        record.source_class,
        size(record.success_markers),
        size(record.failure_markers),
        size(record.text),
        None if override is None else override.category,
        roles(record.messages)[1] if record.messages else 0,
        record.observer_confidence and number(record.observer_confidence),
        record.cost_usd and number(record.cost_usd),
        record.latency_ms and number(record.latency_ms),
        record.prompt_tokens and number(record.prompt_tokens),
        record.completion_tokens and number(record.completion_tokens),
        context.key(context.stream, _sig(record.provenance)),
    )


EVIDENCE = Shape(
    EvidenceRecord,
    {
        "schema_version": "number",
        "length of run_id": "number",
        "length of task_id": "number",
        "day of timestamp": "text",
        **_placed("provenance"),
        "file is of its stream": "flag",
        "source_class": "text",
        "length of success_markers": "number",
        "length of failure_markers": "number",
        "length of text": "number",
        "human_override.category": "text",
        "messages without a role": "number",
        "observer_confidence": "number",
        "cost_usd": "number",
        "latency_ms": "number",
        "prompt_tokens": "number",
        "completion_tokens": "number",
    },
    _evidence,
)


def _sample(record: Any, context: Context) -> Row:
    count, nameless, unknown, _, last = roles(record.messages)
    return (
        number(record.schema_version),
        record.id,
        said(record.instruction),
        said(record.response),
        size(record.context),
        record.category,
        number(record.quality_score),
        record.quality_score is None or QUALITY.get(record.category, record.quality_score) == record.quality_score,
        count,
        nameless,
        unknown,
        last,
        is_list(record.tools),
        size(record.source_run_id),
        size(record.task_id),
        context.day(record.created_at),
        *_place(record.provenance, context),
        context.key(record.id),
    )


SFT = Shape(
    SftSample,
    {
        "schema_version": "number",
        "id": "text",
        "length of instruction": "number",
        "length of response": "number",
        "length of context": "number",
        "category": "text",
        "quality_score": "number",
        "score is of its category": "flag",
        "messages of messages": "number",
        "messages of messages without a role": "number",
        "messages of messages of an unknown role": "number",
        "last role of messages": "text",
        "tools are a list": "flag",
        "length of source_run_id": "number",
        "length of task_id": "number",
        "day of created_at": "text",
        **_placed("provenance"),
    },
    _sample,
)


def _chunk(record: Any, context: Context) -> Row:
    place = _place(record.provenance, context)
    spanned = None not in (record.content, record.char_start, record.char_end)
    return (
        number(record.schema_version),
        record.id,
        size(record.title),
        size(record.content),
        size(record.stream),
        size(record.source_run_id),
        size(record.task_id),
        size(record.tags),
        record.category,
        context.is_of(place[0], record.stream),
        number(record.chunk_index),
        number(record.chunk_count),
        number(record.token_count),
        number(record.char_start),
        number(record.char_end),
        not spanned or len(record.content) == record.char_end - record.char_start,
        context.day(record.created_at),
        *place,
        context.key(record.id),
    )


RAG = Shape(
    RagChunk,
    {
        "schema_version": "number",
        "id": "text",
        "length of title": "number",
        "length of content": "number",
        "length of stream": "number",
        "length of source_run_id": "number",
        "length of task_id": "number",
        "length of tags": "number",
        "category": "text",
        "stream is of its file": "flag",
        "chunk_index": "number",
        "chunk_count": "number",
        "token_count": "number",
        "char_start": "number",
        "char_end": "number",
        "content is as long as its span": "flag",
        "day of created_at": "text",
        **_placed("provenance"),
    },
    _chunk,
)


def _pair(record: Any, context: Context) -> Row:
    chosen, rejected = _place(record.provenance_chosen, context), _place(record.provenance_rejected, context)
    return (
        number(record.schema_version),
        record.id,
        *roles(record.prompt)[:3],
        *roles(record.chosen),
        *roles(record.rejected),
        is_list(record.tools),
        size(record.reason),
        size(record.chosen_run_id),
        size(record.rejected_run_id),
        size(record.task_id),
        record.chosen_category,
        record.rejected_category,
        record.chosen_category is None or record.chosen_category != record.rejected_category,
        context.day(record.created_at),
        *chosen,
        *rejected,
        _sig(record.provenance_chosen) is None or _sig(record.provenance_chosen) != _sig(record.provenance_rejected),
        context.key(record.task_id, record.tools, record.id),
    )


def _turns(name: str, *ends: str) -> dict[str, Kind]:
    return {
        f"messages of {name}": "number",
        f"messages of {name} without a role": "number",
        f"messages of {name} of an unknown role": "number",
        **{f"{end} role of {name}": "text" for end in ends},
    }


PREFERENCE = Shape(
    PreferencePair,
    {
        "schema_version": "number",
        "id": "text",
        **_turns("prompt"),
        **_turns("chosen", "first", "last"),
        **_turns("rejected", "first", "last"),
        "tools are a list": "flag",
        "length of reason": "number",
        "length of chosen_run_id": "number",
        "length of rejected_run_id": "number",
        "length of task_id": "number",
        "chosen_category": "text",
        "rejected_category": "text",
        "categories differ": "flag",
        "day of created_at": "text",
        **_placed("provenance_chosen"),
        **_placed("provenance_rejected"),
        "runs differ": "flag",
    },
    _pair,
)
