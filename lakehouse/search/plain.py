"""The plain path: LanceDB alone, behind the interface of the one in memory.

Here: asking a table. Not here: serving (`engine.py`). A query costs milliseconds, whatever the size; this is what the path in
memory is compared with, and what serves where memory is short. Conditions are met on metadata as they are in memory, and
reach LanceDB as the ids that meet them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lakehouse.corpora.filters import one_of
from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.search.columns import Column, distinct
from lakehouse.search.filters import Condition
from lakehouse.search.fulltext import Bm25
from lakehouse.search.playbooks import BOOST_THRESHOLD, Asked, Near, near, plays_of
from lakehouse.search.views import Hit

if TYPE_CHECKING:
    from lakehouse.search.views import Vector

_DIGITS = 6
"""Digits of LanceDB's float32 distances that mean something."""


class Plain:
    """An `Engine` over a LanceDB table. `open_table` gives its newest version, `identity_of` reads the embedder from its schema."""

    def __init__(self, open_table: Callable[[], Any], identity_of: Callable[[Any], EmbedderIdentity]) -> None:
        self._open_table = open_table
        self._identity_of = identity_of

    def view(self) -> PlainView:
        """Give the newest version."""
        table = self._open_table()
        return PlainView(table, self._identity_of(table.schema))


class PlainView:
    """A version of a LanceDB table with the columns id, vector, text and metadata (JSON)."""

    def __init__(self, table: Any, identity: EmbedderIdentity) -> None:
        self._table = table
        self.version: int = table.version
        self.identity = identity

    def nearest(self, vector: Vector, k: int, where: Sequence[Condition] = ()) -> list[Hit]:
        """Give the `k` nearest rows that meet the conditions (see `View`)."""
        if k <= 0:
            return []
        asked = self._asked(vector).limit(k)
        if where:
            met = self._meeting(where)
            if not met:
                return []
            asked = asked.where(one_of("id", met), prefilter=True).bypass_vector_index()
        return _hits(asked.to_arrow())

    def within(self, vector: Vector, distance: float) -> list[Hit]:
        """Give all rows up to a distance, itself included (see `View`)."""
        rows = self._table.count_rows()
        if not rows:
            return []
        asked = self._asked(vector).bypass_vector_index().limit(rows)
        return [hit for hit in _hits(asked.to_arrow()) if hit.distance <= distance]

    def plays(self, vector: Vector, asked: Asked) -> Near:
        """Of a corpus of playbooks: give the entries that can act on what was found (see `View`)."""
        return near(plays_of(self.within(vector, BOOST_THRESHOLD)), asked)

    def among(self, ids: Iterable[str], vector: Vector, where: Sequence[Condition] = ()) -> list[Hit]:
        """Give those of the ids that are there and meet the conditions (see `View`)."""
        wanted = list(dict.fromkeys(ids))
        if where:
            met = set(self._meeting(where))
            wanted = [one for one in wanted if one in met]
        if not wanted:
            return []
        asked = self._asked(vector).where(one_of("id", wanted), prefilter=True).bypass_vector_index().limit(len(wanted))
        return _hits(asked.to_arrow())

    def matching(self, query: str, k: int, where: Sequence[Condition] = ()) -> list[str]:
        """Give the ids of the `k` best rows by full text (see `View`)."""
        ids = self._rows["id"]
        places = [place for _, place in Bm25(self._rows["text"]).top(query, k if not where else len(ids))]
        met = set(self._meeting(where)) if where else None
        return [ids[place] for place in places if met is None or ids[place] in met][:k]

    def text_of(self, row_id: str) -> str:
        """Give the text of a row, `""` where there is none of that id."""
        found = self._table.search().where(one_of("id", [row_id])).select(["text"]).limit(1).to_arrow()
        return str(found.column("text")[0].as_py()) if found.num_rows else ""

    def distinct(self, fields: Sequence[str]) -> frozenset[tuple[object, ...]]:
        """Give the distinct combinations of values of metadata fields."""
        return frozenset(distinct([Column(field, self._rows["metadata"]) for field in fields]))

    def _asked(self, vector: Vector) -> Any:
        query = self._table.search(vector, vector_column_name="vector").distance_type("cosine")
        return query.select(["id", "metadata", "_distance"])

    def _meeting(self, where: Sequence[Condition]) -> list[str]:
        import numpy as np

        rows = self._rows
        passing = np.logical_and.reduce([Column(one.field, rows["metadata"]).passing(one) for one in where])
        return [rows["id"][place] for place in np.flatnonzero(passing).tolist()]

    @cached_property
    def _rows(self) -> dict[str, list[str]]:
        """Every row without its vector, by id."""
        columns = self._table.search().select(["id", "metadata", "text"]).limit(self._table.count_rows()).to_arrow()
        rows: dict[str, list[str]] = columns.sort_by("id").to_pydict()
        return rows


def _hits(found: Any) -> list[Hit]:
    columns = found.to_pydict()
    distances = (round(max(distance, 0.0), _DIGITS) for distance in columns["_distance"])
    hits = map(Hit, columns["id"], distances, columns["metadata"])
    return sorted(hits, key=lambda hit: (hit.distance, hit.id))
