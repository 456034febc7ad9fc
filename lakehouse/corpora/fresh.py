"""Fresh workers: recorded at any time, found by the next search.

Here: appending to the log `_kb/fresh_workers.jsonl` and to the corpus. Not here: reading the log (`logs.py`), moving
workers into a roster's corpus (`merge.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.corpora.build import add_from_log
from lakehouse.corpora.logs import fresh_fault, fresh_path
from lakehouse.corpora.rows import table_of
from lakehouse.corpora.sources import FRESH, fresh_item
from lakehouse.corpora.vectors import vectors_of
from lakehouse.errors import UsageError
from lakehouse.files import append
from lakehouse.jsonl import encode
from lakehouse.lake import Lake
from lakehouse.records import FreshWorker

if TYPE_CHECKING:
    from lakehouse.embedding import Embedder


def record_fresh(
    lake: Lake, rows: Sequence[Mapping[str, Any]], embedder: Embedder, now: str, recorded_by: str = "lakehouse"
) -> list[FreshWorker]:
    """Record workers, given by the columns of a roster (`id`, and `role` or `resume_text`); an id that is there is replaced.

    When this returns they are in the log, synced, and found by search. Nothing is written where one of them cannot be used:
    `UsageError` names it. Raises it too where the corpus is of another embedder.
    """
    workers = []
    for place, row in enumerate(rows):
        try:
            worker = msgspec.convert({"recorded_by": recorded_by, **row, "recorded_at": now}, FreshWorker)
        except msgspec.ValidationError as error:
            raise UsageError(f"this is no worker ({error})", where=f"worker {place} of {len(rows)}") from None
        fault = "it says merged_into, which only merging does" if worker.merged_into else fresh_fault(worker)
        if fault is not None:
            raise UsageError(fault, where=f"worker {place} of {len(rows)}")
        workers.append(worker)
    if not workers:
        return []
    items = [fresh_item(worker) for worker in workers]
    table = table_of(embedder.identity, items, vectors_of(embedder, [item.texts for item in items]))
    lines = [encode(worker) for worker in workers]
    add_from_log(lake, FRESH, embedder, now, lambda: _append(lake, lines), table)
    return workers


def _append(lake: Lake, lines: list[bytes]) -> None:
    append(fresh_path(lake), lines)
