"""Versions of a corpus that can be brought back: tags, rolling back, and what `lakehouse index status` shows.

Here: `<first 12 of the run hash>-<n>`, the newest ten of them. Not here: pruning what no tag holds (`store.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lakehouse.corpora import registry, store, tail
from lakehouse.corpora.reading import snapshot_size
from lakehouse.corpora.state import read_state
from lakehouse.corpora.store import Writer
from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.errors import UsageError
from lakehouse.lake import Lake

KEPT: Final = 10
_TAG: Final = re.compile(r"([0-9a-f]{1,12})-([0-9]{1,9})")
_RUN_HASH: Final = re.compile(r"[0-9a-f]{1,64}")


@dataclass(frozen=True)
class CorpusStatus:
    """A corpus as it lies on disk. `rows`, versions and bytes are 0, the embedder and `built_at` empty before a build.

    `waiting` counts the bytes of the tail, `table_version` is LanceDB's own.
    """

    name: str
    rows: int
    version: int
    table_version: int
    waiting: int
    embedder: EmbedderIdentity | None
    built_at: str
    tags: dict[str, int]


def tag(writer: Writer, run_hash: str) -> str:
    """Tag the newest version of a table, and drop all but the newest ten tags.

    A tag of the same run on the same version stands. Raises `UsageError` where the run hash is no hex.
    """
    if not _RUN_HASH.fullmatch(run_hash):
        raise UsageError(f"{run_hash[:80]!r} is no run hash", mend="give lowercase hex digits")
    held = _tags(writer.table)
    newest = list(held)[-1] if held else ""
    start, version = run_hash[:12], int(writer.table.version)
    if newest.partition("-")[0] == start and held[newest] == version:
        return newest
    made = f"{start}-{int(newest.partition('-')[2] or 0) + 1}"
    writer.table.tags.create(made, version)
    for old in [*held, made][:-KEPT]:
        writer.table.tags.delete(old)
    return made


def rollback(lake: Lake, name: str, tag: str) -> int:
    """Bring back what a corpus was at a tag, as a new version, which is given; readers go on meanwhile.

    The next build brings the corpus to its source again. Raises `UsageError` where there is no such tag.
    """
    registry.corpus(name)
    with store.opened(lake, name) as table:
        known = _tags(table)
    if tag not in known:
        raise UsageError(
            f"{name} has no tag {tag[:80]!r}",
            mend=f"its tags are {', '.join(known)}" if known else "its builds have left none: give them a run hash",
        )
    with store.writing(lake, name) as writer:
        writer.fold()
        writer.restore(_tags(writer.table)[tag])
        return writer.committed


def status(lake: Lake, name: str) -> CorpusStatus:
    """Say how a corpus lies on disk."""
    registry.corpus(name)
    state, committed = read_state(lake, name), store.committed(lake, name)
    if not committed:
        return CorpusStatus(name, 0, 0, 0, 0, None, "", {})
    with store.opened(lake, name) as table:
        tags = _tags(table)
        identity = store.embedder_of(table.schema)
    version, rows = snapshot_size(lake, name)
    waiting = tail.size_of(tail.tail_path(lake, name, committed))
    return CorpusStatus(name, rows, version, committed, waiting, identity, state.built_at if state else "", tags)


def _tags(table: object) -> dict[str, int]:
    """Give our tags and their versions, oldest first."""
    listed = table.tags.list()  # type: ignore[attr-defined]
    found = [(int(match[2]), name) for name in listed if (match := _TAG.fullmatch(name))]
    return {name: int(listed[name]["version"]) for _, name in sorted(found)}
