"""Playbooks: good answers to queries, remembered, by namespace.

Here: recording, retiring and listing. The log `_kb/playbooks.jsonl` is the truth; the corpora `playbook_memory` and
`playbook_<namespace>` are rebuilt from it. Not here: what a playbook does to a search (`lakehouse.search`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from lakehouse import canonical
from lakehouse.corpora import registry, store
from lakehouse.corpora.build import add_from_log
from lakehouse.corpora.logs import playbooks_of, playbooks_path
from lakehouse.corpora.rows import table_of
from lakehouse.corpora.sources import playbook_item
from lakehouse.corpora.vectors import vectors_of
from lakehouse.errors import UsageError
from lakehouse.files import append
from lakehouse.jsonl import encode
from lakehouse.lake import Lake
from lakehouse.records import PlaybookEntry

if TYPE_CHECKING:
    from lakehouse.embedding import Embedder


class Recording(msgspec.Struct, frozen=True):
    """A good answer to remember: the id `answer_id` of the corpus `corpus` answered `query_text` well, by `score` 0..1."""

    query_text: str
    answer_id: str
    corpus: str
    score: float
    role: str | None = None
    tags: tuple[str, ...] = ()


def record(
    lake: Lake,
    embedder: Embedder,
    query_text: str,
    answer_id: str,
    corpus: str,
    score: float,
    now: str,
    *,
    role: str | None = None,
    namespace: str | None = None,
    tags: Sequence[str] = (),
    recorded_by: str = "lakehouse",
) -> PlaybookEntry:
    """Record one playbook, as `record_many` does."""
    one = Recording(query_text, answer_id, corpus, score, role, tuple(tags))
    return record_many(lake, embedder, [one], now, namespace=namespace, recorded_by=recorded_by)[0]


def record_many(
    lake: Lake,
    embedder: Embedder,
    recordings: Sequence[Recording],
    now: str,
    *,
    namespace: str | None = None,
    recorded_by: str = "lakehouse",
) -> list[PlaybookEntry]:
    """Record playbooks. The same query, role and answer again replaces score and tags, and brings a retired one back.

    When this returns they are in the log, synced, and found by search. Nothing is written where one is wrong: `UsageError`
    for a score outside 0..1, an unknown corpus or namespace, an empty text, another embedder than the corpus has.
    """
    name = registry.playbook_corpus(namespace)
    for place, one in enumerate(recordings):
        _check(one, f"playbook {place} of {len(recordings)}")
    entries = [_entry(one, namespace, recorded_by, now) for one in recordings]
    if not entries:
        return []
    items = [playbook_item(entry, name) for entry in entries]
    kind = registry.corpus(name).kind
    table = table_of(embedder.identity, items, vectors_of(embedder, [item.texts for item in items], kind))
    add_from_log(lake, name, embedder, now, lambda: _append(lake, entries), table)
    return entries


def retire(lake: Lake, id: str, now: str, *, namespace: str | None = None) -> PlaybookEntry:  # noqa: A002 - its name on the wire
    """Take a playbook out of its namespace; the log keeps it. Raises `UsageError` where none of that id is in use."""
    name = registry.playbook_corpus(namespace)
    with store.writing(lake, name) as writer:
        _, held = playbooks_of(lake, name).get(id, (0, None))
        if held is None or held.retired_at is not None:
            raise UsageError(
                f"{name} has no playbook {id[:80]!r} in use", mend="list them: lakehouse playbook list [--namespace …]"
            )
        retired = msgspec.structs.replace(held, retired_at=now)
        _append(lake, [retired])
        if writer.committed:
            writer.fold()
            writer.delete([id])
    return retired


def listed(lake: Lake, namespace: str | None = None, *, retired: bool = False) -> list[PlaybookEntry]:
    """List the playbooks of a namespace as the log has them, in the order of their last line; `retired` gives those too."""
    found = sorted(playbooks_of(lake, registry.playbook_corpus(namespace)).values(), key=lambda placed: placed[0])
    return [entry for _, entry in found if retired or entry.retired_at is None]


def id_of(query_text: str, role: str | None, answer_id: str, answer_corpus: str) -> str:
    """Give the id of a playbook: `pb-` and 16 hex digits, from what it says and not from its score."""
    said = {"query_text": query_text, "role": role or "", "answer_id": answer_id, "answer_corpus": answer_corpus}
    return canonical.content_id("pb", said)


def _check(one: Recording, where: str) -> None:
    for field in ("query_text", "answer_id"):
        if not getattr(one, field).strip():
            raise UsageError(f"{field} is empty", where=where)
    if isinstance(one.score, bool) or not 0 <= one.score <= 1:
        raise UsageError(f"the score {one.score} is outside 0..1", where=where)
    registry.corpus(one.corpus)


def _entry(one: Recording, namespace: str | None, recorded_by: str, now: str) -> PlaybookEntry:
    return PlaybookEntry(
        id=id_of(one.query_text, one.role, one.answer_id, one.corpus),
        query_text=one.query_text,
        role=one.role,
        answer_id=one.answer_id,
        answer_corpus=one.corpus,
        score=float(one.score),
        tags=list(one.tags),
        recorded_by=recorded_by,
        recorded_at=now,
        namespace=namespace or None,
    )


def _append(lake: Lake, entries: list[PlaybookEntry]) -> None:
    append(playbooks_path(lake), [encode(entry) for entry in entries])
