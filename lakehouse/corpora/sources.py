"""What each corpus is built from: from the rows of its source to items, their texts and metadata.

Here: one function per kind of source, `(lake, corpus, refuse) -> items`, each id once. A row that cannot be used goes to
`refuse`; a source that is not there or cannot be read as a whole raises. Not here: which corpus has which source
(`registry.py`), embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from lakehouse.corpora.logs import STAGE, fresh_of, playbooks_of
from lakehouse.corpora.rows import Item
from lakehouse.errors import UsageError
from lakehouse.jsonl import JsonlReader, encode
from lakehouse.lake import Lake
from lakehouse.publish.exports import RAG
from lakehouse.quarantine import quarantined
from lakehouse.records import FreshWorker, PlaybookEntry, QuarantinedRow, RagChunk
from lakehouse.roster.reading import find_roster, read_roster
from lakehouse.roster.schema import PREFIXES, head_of, metadata_of, text_of

Refuse = Callable[[QuarantinedRow], None]
FRESH: Final = "fresh_workers"


def roster(lake: Lake, name: str, refuse: Refuse) -> Iterator[Item]:
    """Read a roster, then the fresh workers that were moved into it; where both hold an id, the roster's row stays."""
    path = find_roster(lake.raw, name)
    if path is None:
        raise UsageError(
            "there is no roster", where=str(lake.raw), mend=f"put {name}.parquet or {name}.csv there (docs: rosters)"
        )
    seen: set[str] = set()
    batches = read_roster(path, PREFIXES[name], refuse, roster=name, source_file=lake.relative(path))
    for row in (row for batch in batches for row in batch.to_pylist()):
        seen.add(row["id"])
        yield _worker(row, name)
    moved = (found for found in fresh_of(lake).values() if found[1].merged_into == name)
    yield from (fresh_item(worker, line) for line, worker in moved if worker.id not in seen)


def fresh(lake: Lake, name: str, refuse: Refuse) -> Iterator[Item]:  # noqa: ARG001 - sources are called alike
    """Read the fresh workers that were not moved elsewhere."""
    found = fresh_of(lake, refuse).values()
    return (fresh_item(worker, line) for line, worker in found if worker.merged_into is None)


def moved_fresh(lake: Lake, name: str) -> set[str]:  # noqa: ARG001 - sources are called alike
    """Give the ids of the fresh workers that were moved into another corpus."""
    return {worker.id for _, worker in fresh_of(lake).values() if worker.merged_into is not None}


def rag(lake: Lake, name: str, refuse: Refuse) -> Iterator[Item]:
    """Read the published RAG export. The text is a chunk's content alone, which was cut to fit the model's window."""
    path = RAG.main(lake)
    if not path.exists():
        raise UsageError("the RAG export is not published", where=str(path), mend="run `lakehouse distill` first")
    for number, chunk in JsonlReader(RagChunk).lines(path):
        if chunk.content.strip():
            yield Item(chunk.id, (chunk.content,), _chunk_metadata(chunk), name, number - 1)
        else:
            raw = encode(chunk)
            refuse(quarantined(STAGE, name, lake.relative(path), number - 1, "empty_text", "the content is empty", raw))


def playbooks(lake: Lake, name: str, refuse: Refuse) -> Iterator[Item]:
    """Read the playbooks of one namespace that are not retired."""
    found = playbooks_of(lake, name, refuse).values()
    return (playbook_item(entry, name, line) for line, entry in found if entry.retired_at is None)


def retired_playbooks(lake: Lake, name: str) -> set[str]:
    """Give the ids of the playbooks of one namespace that are retired."""
    return {entry.id for _, entry in playbooks_of(lake, name).values() if entry.retired_at is not None}


def nothing_gone(lake: Lake, name: str) -> set[str]:  # noqa: ARG001 - sources are called alike
    """Give no id: a file says only what is there."""
    return set()


def fresh_item(worker: FreshWorker, line: int = 0) -> Item:
    """Give the item of a fresh worker. Without a role there is the resume alone."""
    row: dict[str, Any] = {
        "id": worker.id,
        **{name: getattr(worker, name) or "" for name in ("name", "role", "city", "state", "resume_text", "shift")},
        **{name: getattr(worker, name) or [] for name in ("certs", "skills")},
        "available": worker.available,
        "years": worker.years,
    }
    if row["role"].strip():
        return _worker(row, FRESH, line)
    return Item(worker.id, (row["resume_text"],), metadata_of(row), FRESH, line)


def playbook_item(entry: PlaybookEntry, name: str, line: int = 0) -> Item:
    """Give the item of a playbook: its query is the text, the rest metadata."""
    fields = ("role", "answer_id", "answer_corpus", "score", "tags", "recorded_by", "recorded_at")
    metadata = {field: value for field in fields if (value := getattr(entry, field)) is not None}
    return Item(entry.id, (entry.query_text,), metadata, entry.merged_from or name, line)


def _worker(row: dict[str, Any], origin: str, line: int = 0) -> Item:
    whole, head = text_of(row), head_of(row["role"], row["city"], row["state"])
    return Item(row["id"], (whole,) if whole == head else (whole, head), metadata_of(row), origin, line)


def _chunk_metadata(chunk: RagChunk) -> dict[str, Any]:
    said = {name: getattr(chunk, name) for name in ("title", "tags", "category", "stream", "source_run_id", "task_id")}
    place = {"chunk_index": chunk.chunk_index, "chunk_count": chunk.chunk_count}
    return {**said, **place, "source_file": chunk.provenance.source_file, "sig_hash": chunk.provenance.sig_hash}
