"""A corpus of a lake as the source of a searcher.

Here: bringing what `lakehouse.corpora` reads into order. Not here: reading it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse.lake import Lake
from lakehouse.search.layered import Held
from lakehouse.search.texts import Texts
from lakehouse.search.views import Changes

if TYPE_CHECKING:
    from lakehouse.corpora.rows import CorpusRows


@dataclass(frozen=True)
class CorpusSource:
    """The `Source` of one corpus."""

    lake: Lake
    name: str

    def version(self) -> int:
        """Give the version of the corpus, 0 where it was never built."""
        from lakehouse.corpora import reading

        return reading.version(self.lake, self.name)

    def rows(self) -> Held:
        """Read all rows, by id. Raises `UsageError` where the corpus was never built."""
        from lakehouse.corpora import reading

        found = reading.snapshot(self.lake, self.name)
        return _held(found, found.version)

    def changes(self, since: int) -> Changes | None:
        """Read what was written since a version, `None` where that cannot be told."""
        from lakehouse.corpora import reading

        found = reading.changes(self.lake, self.name, since)
        return None if found is None else Changes(found.version, _held(found.rows, found.version), found.total)


def _held(found: CorpusRows, version: int) -> Held:
    """Sort rows by id, which is by the bytes of its UTF-8 and so by its code points."""
    import pyarrow.compute as pc

    order = pc.sort_indices(found.ids)
    ids, metadata, texts = (found.column(name).take(order) for name in ("id", "metadata", "text"))
    vectors = found.vectors[order.to_numpy()]
    return Held(version, found.identity, ids.to_pylist(), vectors, Texts(metadata), Texts(texts))
