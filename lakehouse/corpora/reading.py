"""What search reads of a corpus: its version, all rows at once, and what is new since a version.

Here: reading only, without any lock. Not here: writing (`store.py`), keeping rows in memory (`lakehouse.search`).

The version of a corpus is one number: the table's version in the high bits, the bytes of its tail in the low 32. It grows
with each write (only while a tail is being folded may it be a step behind for a moment), and asking for it opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lakehouse.corpora import queries, store, tail
from lakehouse.corpora.rows import CorpusRows, overlaid, rows_of, stamped
from lakehouse.corpora.state import read_state
from lakehouse.lake import Lake

_BITS: Final = 32
_LOW: Final = (1 << _BITS) - 1


@dataclass(frozen=True)
class CorpusChanges:
    """The rows that were written since a version, to be put in place of those of the same id.

    `total` is the number of rows that the corpus has then. Where a reader holds another, something was deleted: read a
    snapshot. It is `None` where nothing can have been deleted. A row may be among the changes although the reader has it.
    """

    version: int
    rows: CorpusRows
    total: int | None


def version(lake: Lake, name: str) -> int:
    """Give the version of a corpus, 0 where it was never built. Some 20 µs: a listing and a stat."""
    committed = store.committed(lake, name)
    return _version(committed, tail.size_of(tail.tail_path(lake, name, committed))) if committed else 0


def snapshot(lake: Lake, name: str) -> CorpusRows:
    """Read a whole corpus. Memory: all of its rows, vectors once. Raises `UsageError` where it was never built."""
    with store.opened(lake, name) as table:
        committed = int(table.version)
        table.checkout(committed)
        rows = table.to_arrow()
    identity = store.embedder_of(rows.schema)
    newer, end = tail.read(tail.tail_path(lake, name, committed), identity)
    return rows_of(_version(committed, end), overlaid(rows, stamped(newer, committed)))


def changes(lake: Lake, name: str, since: int) -> CorpusChanges | None:
    """Read what was written to a corpus since a version; cost follows the change, not the corpus.

    While the table stays the same only the tail's new lines are read, and LanceDB not at all. `None` where it cannot be
    told (the corpus was rolled back, made anew, or is gone): read a snapshot. Raises `UsageError` as `snapshot` does.
    """
    state = read_state(lake, name)
    before, seen = since >> _BITS, since & _LOW
    if state is None or not since or before < state.rewound:
        return None
    committed = store.committed(lake, name)
    if committed < before:
        return None
    if committed == before:
        newer, end = tail.read(tail.tail_path(lake, name, committed), state.embedder, seen)
        now = _version(committed, end)
        return CorpusChanges(now, rows_of(now, stamped(overlaid(newer.slice(0, 0), newer), committed)), None)
    with store.opened(lake, name) as table:
        committed = int(table.version)
        table.checkout(committed)
        rows = queries.written_since(table, before)
        identity = store.embedder_of(rows.schema)
        newer, end = tail.read(tail.tail_path(lake, name, committed), identity)
        newer = stamped(newer, committed)
        total = int(table.count_rows()) + len(set(newer.column("id").to_pylist()) - queries.ids_among(table, newer))
    now = _version(committed, end)
    return CorpusChanges(now, rows_of(now, overlaid(rows, newer)), total)


def ids_of(lake: Lake, name: str) -> Any:
    """Give `id`, `origin`, `text_sha256` and `after_version` of every row, without vectors and texts, as a `pyarrow.Table`."""
    return _scan(lake, name, ["id", "origin", "text_sha256", "after_version"])[1]


def snapshot_size(lake: Lake, name: str) -> tuple[int, int]:
    """Give the version of a corpus and the number of its rows."""
    version, rows = _scan(lake, name, ["id", "after_version"])
    return version, int(rows.num_rows)


def _scan(lake: Lake, name: str, columns: list[str]) -> tuple[int, Any]:
    with store.opened(lake, name) as table:
        committed = int(table.version)
        table.checkout(committed)
        rows = queries.scanned(table, columns)
        identity = store.embedder_of(table.schema)
    newer, end = tail.read(tail.tail_path(lake, name, committed), identity)
    return _version(committed, end), overlaid(rows, stamped(newer, committed).select(columns))


def table_version(version: int) -> int:
    """Give the version of LanceDB's table within a version of the corpus."""
    return version >> _BITS


def _version(committed: int, tail_bytes: int) -> int:
    return committed << _BITS | tail_bytes
