"""Merging one corpus into another: the hot tier into the roster's, a namespace of playbooks into the common memory.

Here: what moves, and in which order, so that a kill loses nothing and a second merge ends what the first began. Not here:
the store.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import msgspec

from lakehouse.corpora import registry
from lakehouse.corpora.logs import MEMORY, PLAYBOOKS, fresh_of, fresh_path, playbooks_of, playbooks_path
from lakehouse.corpora.queries import rows_by_id, scanned
from lakehouse.corpora.registry import Corpus
from lakehouse.corpora.rows import stamped
from lakehouse.corpora.store import Writer, writing
from lakehouse.embedding import require_same
from lakehouse.errors import UsageError
from lakehouse.files import append
from lakehouse.jsonl import encode
from lakehouse.lake import Lake


class MergeReport(msgspec.Struct, frozen=True):
    """What a merge did: rows that arrived, those whose id was there already, and those cleared from the source."""

    src: str
    dest: str
    arrived: int
    skipped: int
    cleared: int


def merge(lake: Lake, src: str, dest: str, now: str, *, clear_source: bool = False) -> MergeReport:
    """Add the rows of `src` to `dest`, where an id that is there already stays as it is; each row keeps its origin.

    `clear_source` then takes out of `src` what is in `dest`; a row whose id belongs to another one there stays in `src`.
    Raises `UsageError`, before anything is written, where the two are one, unknown, never built, of different families or
    embedders, or where `src` comes from a file, which would bring cleared rows back.
    """
    one, other = _checked(src, dest, clear_source)
    with ExitStack() as both:
        # In one order everywhere, so that two merges never wait for each other.
        writers = {name: both.enter_context(writing(lake, name)) for name in sorted((src, dest))}
        source, target = writers[src], writers[dest]
        for writer in (source, target):
            if writer.state is None:
                raise UsageError(f"{writer.name} was never built", mend=f"lakehouse index build {writer.name}")
            writer.fold()
        assert source.state is not None
        assert target.state is not None
        require_same(target.state.embedder, source.state.embedder, where=f"{src} into {dest}")
        there, here = _index(target), _index(source)
        new = [id_ for id_ in here if id_ not in there]
        if new:
            rows = stamped(rows_by_id(source.table, new), target.committed)
            if other.family == "playbooks":
                _record(lake, one, other, new)
            target.put(rows, all_new=True)
        cleared: list[str] = []
        if clear_source:
            # What an earlier merge brought over, and was killed before it cleared, has arrived as well.
            cleared = [id_ for id_ in here if id_ not in there or there[id_] == here[id_]]
            _clear(lake, one, other, cleared, now)
            source.delete(cleared)
        return MergeReport(src, dest, len(new), len(here) - len(new), len(cleared))


def _checked(src: str, dest: str, clear_source: bool) -> tuple[Corpus, Corpus]:
    one, other = registry.corpus(src), registry.corpus(dest)
    if src == dest:
        raise UsageError(f"{src} cannot be merged into itself", mend="name two corpora")
    if one.family != other.family:
        raise UsageError(f"{src} holds {one.family}, {dest} holds {other.family}", mend="merge corpora of one kind")
    if clear_source and not one.from_log:
        raise UsageError(
            f"{src} cannot be cleared: its next build would bring everything back",
            where=one.source,
            mend="merge without clearing, and take the rows out of that file",
        )
    return one, other


def _index(writer: Writer) -> dict[str, tuple[str, str, str]]:
    names = ("id", "text_sha256", "metadata", "origin")
    rows = scanned(writer.table, names)
    columns: Any = [rows.column(name).to_pylist() for name in names]
    return {id_: tuple(rest) for id_, *rest in zip(*columns, strict=True)}


def _record(lake: Lake, one: Corpus, other: Corpus, ids: list[str]) -> None:
    """Write playbooks into the log under their new namespace: the log is what the corpus is rebuilt from."""
    held = playbooks_of(lake, one.name)
    namespace = None if other.name == MEMORY else other.name.removeprefix(PLAYBOOKS)
    changes = {"namespace": namespace, "retired_at": None}
    append(
        playbooks_path(lake),
        [
            encode(msgspec.structs.replace(entry, merged_from=entry.merged_from or one.name, **changes))
            for _, entry in (held[id_] for id_ in ids if id_ in held)
        ],
    )


def _clear(lake: Lake, one: Corpus, other: Corpus, ids: list[str], now: str) -> None:
    """Say in the log that rows moved, so that a rebuild does not bring them back."""
    if one.family == "playbooks":
        held = playbooks_of(lake, one.name)
        entries = (held[id_][1] for id_ in ids if id_ in held)
        lines = [encode(msgspec.structs.replace(entry, retired_at=now)) for entry in entries]
        append(playbooks_path(lake), lines)
    else:
        fresh = fresh_of(lake)
        workers = (fresh[id_][1] for id_ in ids if id_ in fresh)
        lines = [encode(msgspec.structs.replace(worker, merged_into=other.name)) for worker in workers]
        append(fresh_path(lake), lines)
