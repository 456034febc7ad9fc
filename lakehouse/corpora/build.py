"""Building a corpus from its source: what is new is embedded, what changed replaced, what left deleted.

Here: the comparison and the order of the steps. Not here: sources (`sources.py`), commits (`store.py`), tags (`versions.py`).

Everything is read and embedded first, and one commit then writes and deletes: a kill at any moment leaves the old state or
the new. The table's writer lock is held throughout; readers go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from lakehouse.corpora import registry, versions
from lakehouse.corpora.logs import STAGE
from lakehouse.corpora.queries import scanned, vectors_by_id
from lakehouse.corpora.registry import Corpus
from lakehouse.corpora.rows import Item, items_of, schema_of, table_of
from lakehouse.corpora.store import Writer, require_lancedb, writing
from lakehouse.corpora.vectors import vectors_of
from lakehouse.errors import UsageError
from lakehouse.files import remove
from lakehouse.jsonl import JsonlWriter, encode
from lakehouse.lake import Lake
from lakehouse.quarantine import quarantined
from lakehouse.records import QuarantinedRow

if TYPE_CHECKING:
    from lakehouse.embedding import Embedder

_BATCH: Final = 1024
"""Rows that are compared and embedded at once."""

Done = Callable[[int], None]


class BuildReport(msgspec.Struct, frozen=True):
    """What a build did. `rows` are there after it, of which `unchanged` were left alone; `refused` are in the quarantine.

    `embedded` and `cached` count texts (a row may have several): those that the model read, and those whose vector was known
    to the embedder's cache or the table. `version` is LanceDB's; `tag` is empty where no run hash was given.
    """

    corpus: str
    rows: int
    embedded: int
    cached: int
    upserted: int
    deleted: int
    unchanged: int
    refused: int
    version: int
    tag: str


def build(
    lake: Lake,
    name: str,
    embedder: Embedder,
    now: str,
    run_hash: str = "",
    done: Done = lambda _: None,
    *,
    anew: bool = False,
    allow_empty: bool = False,
) -> BuildReport:
    """Bring a corpus to what its source holds; `done` hears of the rows read so far.

    `anew` makes the table afresh, which another embedder needs; its tags go. Raises `UsageError` where the source is missing,
    cannot be read as a whole, or would delete every row that came from it (`allow_empty` lets that happen), and where the
    table is of another embedder.
    """
    corpus = registry.corpus(name)
    with writing(lake, name, None if anew else embedder.identity) as writer:
        if writer.committed:
            writer.fold()
        return _Build(lake, corpus, embedder, writer, anew or not writer.committed).run(
            now, run_hash, done, allow_empty
        )


class _Held(NamedTuple):
    """A row that the table holds: what decides whether it must be written again."""

    text_sha256: str
    rest: tuple[str, str]


class _Build:
    """One build, under the writer's lock."""

    def __init__(self, lake: Lake, corpus: Corpus, embedder: Embedder, writer: Writer, anew: bool) -> None:
        self.lake, self.corpus, self.embedder, self.writer, self.anew = lake, corpus, embedder, writer, anew
        self.refused: list[QuarantinedRow] = []
        self.there = _held(writer.table) if writer.committed else {}
        self.held = {} if anew else self.there
        self.by_text = {row.text_sha256: one for one, row in self.held.items()}
        self.gone = corpus.gone(lake, corpus.name)
        self.seen: set[str] = set()
        self.read = self.unchanged = self.upserted = self.added = self.known = 0

    def run(self, now: str, run_hash: str, done: Done, allow_empty: bool) -> BuildReport:
        before = self.embedder.embedded, self.embedder.cached
        name, writer = self.corpus.name, self.writer
        staged = self.lake.root / "lance" / f".{name}.staged"
        staged.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._stage(staged, done)
            self._quarantine()
            left = self._left(allow_empty)
            self._commit(staged, left)
        finally:
            staged.unlink(missing_ok=True)
        writer.built(now, run_hash)
        return BuildReport(
            corpus=name,
            rows=int(writer.table.count_rows()),
            embedded=self.embedder.embedded - before[0],
            cached=self.embedder.cached - before[1] + self.known,
            upserted=self.upserted,
            deleted=len(left),
            unchanged=self.unchanged,
            refused=len(self.refused),
            version=writer.committed,
            tag=versions.tag(writer, run_hash) if run_hash else "",
        )

    def _stage(self, path: Path, done: Done) -> None:
        """Write the rows that are new or changed, with their vectors, into a file beside the table."""
        import pyarrow as pa

        identity, version = self.embedder.identity, self.writer.committed
        items = chain(self.corpus.read(self.lake, self.corpus.name, self.refused.append), self._carried())
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema_of(identity)) as out:
            for some in _batches(items):
                changed = [item for item in some if self._is_news(item)]
                done(len(self.seen))
                if changed:
                    out.write_table(table_of(identity, changed, self._vectors(changed), version))
                    self.upserted += len(changed)

    def _carried(self) -> Iterator[Item]:
        """Give the rows of other origins that a table made anew would lose."""
        if self.anew and self.writer.committed:
            names = ("id", "text", "also", "metadata", "origin")
            for batch in scanned(self.writer.table, names).to_batches(max_chunksize=_BATCH):
                for item in items_of(batch):
                    if item.origin != self.corpus.name and item.id not in self.seen and item.id not in self.gone:
                        yield item

    def _is_news(self, item: Item) -> bool:
        own, prefix = item.origin == self.corpus.name, self.corpus.prefix or ""
        if item.id in self.seen:
            return self._refuse(item, "duplicate_id", "the id is that of an earlier row")
        if own and not item.id.startswith(prefix):
            return self._refuse(item, "wrong_prefix", f"the id does not begin with {prefix}")
        self.seen.add(item.id)
        self.read += own
        held = self.held.get(item.id)
        if held == _Held(item.text_sha256, (item.metadata_json, item.origin)):
            self.unchanged += 1
            return False
        self.added += held is None
        return True

    def _refuse(self, item: Item, code: str, why: str) -> bool:
        source = self.corpus.source
        self.refused.append(quarantined(STAGE, self.corpus.name, source, item.line, code, why, item.id.encode()))
        return False

    def _vectors(self, changed: list[Item]) -> Any:
        """Give the vectors of rows; those of a text that the table holds are read from it."""
        import numpy as np

        source = {item.text_sha256: self.by_text.get(item.text_sha256) for item in changed}
        wanted = sorted({one for one in source.values() if one is not None})
        there = vectors_by_id(self.writer.table, wanted) if wanted else {}
        found = np.empty((len(changed), self.embedder.identity.dimension), np.float32)
        unseen = []
        for place, item in enumerate(changed):
            one = source[item.text_sha256]
            if one is None:
                unseen.append(place)
            else:
                found[place] = there[one]
                self.known += len(item.texts)
        if unseen:
            found[unseen] = vectors_of(self.embedder, [changed[place].texts for place in unseen], self.corpus.kind)
        return found

    def _left(self, allow_empty: bool) -> list[str]:
        """Give the ids that left the source. Raises `UsageError` where these are all that came from it."""
        own = {one for one, row in self.there.items() if row.rest[1] == self.corpus.name}
        left = own - self.seen
        if left and not self.read and not left <= self.gone and not allow_empty:
            raise UsageError(
                f"it holds no row that can be used, and {self.corpus.name} has {len(own)} from it: nothing was changed",
                where=str(self.lake.root / self.corpus.source),
                mend="restore the source; where it is meant to be empty, build with --allow-empty",
            )
        return sorted(left | (self.gone & self.there.keys()) - self.seen)

    def _commit(self, staged: Path, left: list[str]) -> None:
        import pyarrow as pa

        with pa.memory_map(str(staged)) as source, pa.ipc.open_file(source) as file:
            batches = (file.get_batch(number) for number in range(file.num_record_batches))
            rows = pa.RecordBatchReader.from_batches(file.schema, batches)
            if self.anew:
                self.writer.renew(self.embedder.identity, rows)
            elif self.upserted:
                self.writer.put(rows, all_new=self.added == self.upserted, without=left)
            else:
                self.writer.delete(left)

    def _quarantine(self) -> None:
        """Keep the refused rows of this build, in place of those of the last."""
        path = quarantine_path(self.lake, self.corpus.name)
        if not self.refused:
            remove(path)
            return
        with JsonlWriter(path) as out:
            for row in self.refused:
                out.add(encode(row))


def quarantine_path(lake: Lake, name: str) -> Path:
    """Where the refused rows of a corpus' source lie: they have no day. The rows say stage `index`."""
    return lake.quarantine(None, f"{STAGE}-{Path(registry.corpus(name).source).stem}")


def add_from_log(lake: Lake, name: str, embedder: Embedder, now: str, append: Callable[[], None], rows: Any) -> None:
    """Append to the log of a corpus, then take the same rows into its table; both under the table's lock.

    Where the table was never made, it is built from the whole log. Raises `UsageError` before anything is written where the
    table is of another embedder.
    """
    with writing(lake, name, embedder.identity) as writer:
        if not writer.committed:
            require_lancedb()
        append()
        if writer.committed:
            writer.append(rows)
            return
    build(lake, name, embedder, now)


def _held(table: Any) -> dict[str, _Held]:
    names = ("id", "text_sha256", "metadata", "origin")
    rows = scanned(table, names)
    columns = (rows.column(name).to_pylist() for name in names)
    return {one: _Held(text, (rest, origin)) for one, text, rest, origin in zip(*columns, strict=True)}


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    left = iter(items)
    while some := list(islice(left, _BATCH)):
        yield some
