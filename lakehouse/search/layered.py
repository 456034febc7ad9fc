"""A snapshot and the rows that came since, searched as one.

Here: joining the answers of both, and folding the newer rows into a snapshot. Not here: when that happens (`engine.py`).
A single write costs the newer rows alone, not the corpus: they are few, are searched exactly, and hide the rows of the same id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.search.filters import Condition
from lakehouse.search.playbooks import Asked, Near
from lakehouse.search.snapshot import Snapshot
from lakehouse.search.views import Hit, Rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lakehouse.search.views import Vector


class Row(NamedTuple):
    """A newer row."""

    vector: Vector
    metadata: str
    text: str


@dataclass(frozen=True)
class Held:
    """`Rows` in memory."""

    version: int
    identity: EmbedderIdentity
    ids: Sequence[str]
    vectors: Vector
    metadata: Sequence[str]
    texts: Sequence[str]


def rows_by_id(rows: Rows) -> dict[str, Row]:
    """Give rows by their id."""
    return {row_id: Row(*row) for row_id, *row in zip(rows.ids, rows.vectors, rows.metadata, rows.texts, strict=True)}


class Layered:
    """A `View`: `base` as it is, with the rows of `newer` in place of those of the same id."""

    def __init__(self, base: Snapshot, newer: Mapping[str, Row], version: int) -> None:
        self.base = base
        self.newer = newer
        self.version = version
        self.identity = base.identity
        self._hidden = {row_id for row_id in newer if row_id in base.places} if newer else set()
        self._distinct: dict[tuple[str, ...], frozenset[tuple[object, ...]]] = {}
        self._tail = Snapshot(_held(base, newer, version)) if newer else None

    def __len__(self) -> int:
        return len(self.base) + len(self.newer) - len(self._hidden)

    def folded(self) -> Snapshot:
        """Give one snapshot of all rows. An index is carried over."""
        import numpy as np

        base, tail = self.base, self._tail
        if tail is None:
            return base
        kept = [place for place, row_id in enumerate(base.ids) if row_id not in self._hidden]
        metadata, texts = list(base.metadata), list(base.texts)
        whole = Held(
            self.version,
            self.identity,
            [base.ids[place] for place in kept] + tail.ids,
            np.concatenate([base.vectors[kept], tail.vectors]),
            [metadata[place] for place in kept] + list(tail.metadata),
            [texts[place] for place in kept] + list(tail.texts),
        )
        new = Snapshot(whole)
        return Snapshot(new, lists=base.carried_lists(new), like=base)

    def nearest(self, vector: Vector, k: int, where: Sequence[Condition] = ()) -> list[Hit]:
        """Give the `k` nearest rows that meet the conditions (see `View`)."""
        if self._tail is None or k <= 0:
            return self.base.nearest(vector, k, where)
        hits = self._shown(self.base.nearest(vector, k + len(self._hidden), where))
        return _joined(hits, self._tail.nearest(vector, k, where))[:k]

    def within(self, vector: Vector, distance: float) -> list[Hit]:
        """Give all rows up to a distance, itself included (see `View`)."""
        hits = self.base.within(vector, distance)
        return hits if self._tail is None else _joined(self._shown(hits), self._tail.within(vector, distance))

    def plays(self, vector: Vector, asked: Asked) -> Near:
        """Of a corpus of playbooks: give the entries that can act on what was found (see `View`)."""
        base = self.base.plays(vector, asked, self._hidden_places)
        if self._tail is None:
            return base
        tail = self._tail.plays(vector, asked)
        return Near(base.plays + tail.plays, base.count + tail.count, base.refused + tail.refused)

    @cached_property
    def _hidden_places(self) -> NDArray[np.int64] | None:
        import numpy as np

        return np.array([self.base.places[row_id] for row_id in self._hidden]) if self._hidden else None

    def among(self, ids: Iterable[str], vector: Vector, where: Sequence[Condition] = ()) -> list[Hit]:
        """Give those of the ids that are there and meet the conditions (see `View`)."""
        if self._tail is None:
            return self.base.among(ids, vector, where)
        wanted = list(ids)
        hits = self.base.among([one for one in wanted if one not in self._hidden], vector, where)
        return _joined(hits, self._tail.among(wanted, vector, where))

    def matching(self, query: str, k: int, where: Sequence[Condition] = ()) -> list[str]:
        """Give the ids of the `k` best rows by full text (see `View`); newer rows count by the statistics of the older."""
        found = self.base.matching_scores(query, k + len(self._hidden), where)
        if self._tail is not None:
            found = [one for one in found if one[1] not in self._hidden]
            found += self._tail.matching_scores(query, k, where, like=self.base.bm25)
            found.sort(key=lambda one: (-one[0], one[1]))
        return [row_id for _, row_id in found[:k]]

    def text_of(self, row_id: str) -> str:
        """Give the text of a row, `""` where there is none of that id."""
        newer = self.newer.get(row_id)
        return newer.text if newer else self.base.text_of(row_id)

    def distinct(self, fields: Sequence[str]) -> frozenset[tuple[object, ...]]:
        """Give the distinct combinations of values of metadata fields, also of rows that newer ones hide."""
        if self._tail is None:
            return self.base.distinct(fields)
        key = tuple(fields)
        if key not in self._distinct:
            self._distinct[key] = self.base.distinct(key) | self._tail.distinct(key)
        return self._distinct[key]

    def _shown(self, hits: list[Hit]) -> list[Hit]:
        return [hit for hit in hits if hit.id not in self._hidden] if self._hidden else hits


def _held(base: Snapshot, newer: Mapping[str, Row], version: int) -> Held:
    import numpy as np

    ids = sorted(newer)
    rows = [newer[row_id] for row_id in ids]
    vectors = np.stack([row.vector for row in rows])
    return Held(version, base.identity, ids, vectors, [row.metadata for row in rows], [row.text for row in rows])


def _joined(one: list[Hit], other: list[Hit]) -> list[Hit]:
    return sorted([*one, *other], key=lambda hit: (hit.distance, hit.id)) if other else one
