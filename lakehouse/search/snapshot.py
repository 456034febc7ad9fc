"""A corpus in memory at one version: what is searched.

Here: exact search, the index beside it, filters as masks, distances. Not here: when another version takes its place
(`engine.py`).

Candidates come from float32 products (exact or by index) with a few to spare; what is given is ranked by distances that are
computed again in float64 and rounded, the same way on every path. So equal texts are true ties and go by id, and the exact
path, the index and other machines agree on distances.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.errors import UsageError
from lakehouse.search.bounds import DIMENSIONS, Bounds
from lakehouse.search.columns import Column, distinct
from lakehouse.search.filters import Condition
from lakehouse.search.fulltext import Bm25
from lakehouse.search.ivf import Ivf, Lists, carried
from lakehouse.search.passing import Late, Passing
from lakehouse.search.playbooks import Asked, Near
from lakehouse.search.remembered import Remembered
from lakehouse.search.views import Hit, Rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lakehouse.search.views import Vector

EXACT_BELOW: Final = 5_000
"""Rows up to which every one is looked at, also where a filter leaves no more.

0.1 ms at 5,000 × 384; above 0.5 ms from 10,000 on.
"""

_SPARE: Final = 8
_LISTED: Final = 50_000
_ALIKE: Final = 1e-6
_DIGITS: Final = 9
_BOUNDED_FROM: Final = 2_000
_FEW: Final = 200


class Snapshot:
    """The rows of a corpus, by id, and what is needed to search them; never changed after it is shared.

    `lists` are those of an index over exactly these rows. What searches of `like` needed is prepared at once.
    """

    def __init__(self, rows: Rows, *, lists: Lists | None = None, like: Snapshot | None = None) -> None:
        import numpy as np

        ids = list(rows.ids)
        vectors = rows.vectors
        if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != len(ids):
            raise UsageError(
                f"{len(ids)} ids came with vectors of shape {vectors.shape} and type {vectors.dtype}",
                where="search",
                mend="give one float32 row per id",
            )
        texts, metadata = rows.texts, rows.metadata
        if any(one > other for one, other in pairwise(ids)):
            order = sorted(range(len(ids)), key=ids.__getitem__)
            ids, vectors = [ids[place] for place in order], vectors[order]
            texts, metadata = [texts[place] for place in order], [metadata[place] for place in order]
        self.version = rows.version
        self.identity: EmbedderIdentity = rows.identity
        self.ids: list[str] = ids
        self.vectors: Vector = vectors
        self.texts: Sequence[str] = texts
        # Of small corpora, as playbooks are, many rows are read per search: ready texts cost less than Arrow's.
        self.metadata: Sequence[str] = list(metadata) if len(ids) <= _LISTED else metadata
        self._columns: dict[str, Column] = {}
        self._distinct: dict[tuple[str, ...], frozenset[tuple[object, ...]]] = {}
        self._passing = Late()
        self._ivf = Ivf(vectors, lists) if lists is not None else None
        if like is not None:
            self._prepare(like)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lists(self) -> Lists | None:
        """The lists of the index, `None` where every row is looked at."""
        return self._ivf.lists if self._ivf else None

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each id."""
        return {row_id: place for place, row_id in enumerate(self.ids)}

    def carried_lists(self, rows: Snapshot) -> Lists | None:
        """Give the lists of this snapshot's index for the rows of another one."""
        import numpy as np

        if self.lists is None or self.vectors.shape[1] != rows.vectors.shape[1]:
            return None
        came_from = np.array([self.places.get(row_id, -1) for row_id in rows.ids], dtype=np.int64)
        return carried(self.lists, self.vectors, came_from, rows.vectors)

    def nearest(self, vector: Vector, k: int, where: Sequence[Condition] = ()) -> list[Hit]:
        """Give the `k` nearest rows that meet the conditions (see `View`)."""
        vector = self._checked(vector)
        passing = self._met(where)
        allowed = len(passing.places) if passing is not None else len(self.ids)
        if k <= 0 or not allowed:
            return []
        candidates = None
        if self._ivf is not None and (passing is None or allowed > EXACT_BELOW):
            candidates = self._by_index(self._ivf, vector, k, passing.mask if passing else None)
        if candidates is None:
            candidates = self._exactly(vector, k, passing)
        return self._ranked(candidates, vector, k)

    def within(self, vector: Vector, distance: float) -> list[Hit]:
        """Give all rows up to a distance, itself included (see `View`)."""
        vector = self._checked(vector)
        candidates = self.reachable(vector, distance)
        return [hit for hit in self._ranked(candidates, vector) if hit.distance <= distance]

    def reachable(self, vector: Vector, distance: float) -> NDArray[np.int64]:
        """Give the places, in order, of the rows that can lie within a distance: all that do and few others."""
        import numpy as np

        if not self._bounded:
            return np.flatnonzero(self.vectors @ vector >= 1 - distance - _ALIKE)
        found = self._bounds.within(vector, distance)
        return found if len(found) < _FEW else found[self.vectors[found] @ vector >= 1 - distance - _ALIKE]

    def close(
        self, places: NDArray[np.int64], vector: Vector, distance: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Give those of some places whose rows lie within a distance, and their distances."""
        distances = self._distances(places, vector)
        kept = distances <= distance
        return places[kept], distances[kept]

    def plays(self, vector: Vector, asked: Asked, hidden: NDArray[np.int64] | None = None) -> Near:
        """Of playbooks: give the entries that can act on what was found (see `View`), without the rows at hidden places."""
        return self._remembered.near(self, self._checked(vector), asked, hidden)

    def among(self, ids: Iterable[str], vector: Vector, where: Sequence[Condition] = ()) -> list[Hit]:
        """Give those of the ids that are there and meet the conditions (see `View`)."""
        import numpy as np

        vector = self._checked(vector)
        passing = self._met(where)
        places = {self.places[row_id] for row_id in ids if row_id in self.places}
        kept = [place for place in places if passing is None or passing.mask[place]]
        return self._ranked(np.array(kept, dtype=np.int64), vector)

    def matching(self, query: str, k: int, where: Sequence[Condition] = ()) -> list[str]:
        """Give the ids of the `k` best rows by full text (see `View`)."""
        return [row_id for _, row_id in self.matching_scores(query, k, where)]

    def matching_scores(
        self, query: str, k: int, where: Sequence[Condition] = (), *, like: Bm25 | None = None
    ) -> list[tuple[float, str]]:
        """Give score and id of the `k` best rows by full text, counted by the statistics of `like` where it is given."""
        passing = self._met(where)
        bm25 = self.bm25 if like is None else Bm25(self.texts, like=like)
        return [(score, self.ids[place]) for score, place in bm25.top(query, k, passing.mask if passing else None)]

    def text_of(self, row_id: str) -> str:
        """Give the text of a row, `""` where there is none of that id."""
        place = self.places.get(row_id)
        return self.texts[place] if place is not None else ""

    def distinct(self, fields: Sequence[str]) -> frozenset[tuple[object, ...]]:
        """Give the distinct combinations of values of metadata fields."""
        key = tuple(fields)
        if key not in self._distinct:
            self._distinct[key] = frozenset(distinct([self._column(field) for field in key]))
        return self._distinct[key]

    @cached_property
    def bm25(self) -> Bm25:
        """The full-text index, made when it is first asked for."""
        return Bm25(self.texts)

    @cached_property
    def _bounds(self) -> Bounds:
        return Bounds(self.vectors)

    @cached_property
    def _remembered(self) -> Remembered:
        return Remembered(self.metadata)

    def _prepare(self, like: Snapshot) -> None:
        for field in list(like._columns):
            self._column(field)
        if "_remembered" in vars(like):
            self._remembered  # noqa: B018
            if self._bounded:
                self._bounds  # noqa: B018

    @property
    def _bounded(self) -> bool:
        return len(self.ids) >= _BOUNDED_FROM and self.vectors.shape[1] >= 2 * DIMENSIONS

    def _by_index(
        self, ivf: Ivf, vector: Vector, k: int, passing: NDArray[np.bool_] | None
    ) -> NDArray[np.int64] | None:
        """Give candidates by index, `None` where the probed lists hold too few."""
        fetch = k + _SPARE
        while True:
            scores, places = ivf.nearest(vector, fetch, passing)
            if len(scores) < k:
                return None
            # Rows that tie with the last one wanted must all be there before ids decide between them.
            if len(scores) < fetch or scores[-1] < scores[k - 1] - _ALIKE:
                return places  # type: ignore[no-any-return]
            fetch *= 4

    def _exactly(self, vector: Vector, k: int, passing: Passing | None) -> NDArray[np.int64]:
        import numpy as np

        places = None if passing is None else passing.places
        if passing is not None and passing.vectors is not None:
            scores = passing.vectors @ vector
        else:
            scores = self.vectors @ vector
            scores = scores if places is None else scores[places]
        if len(scores) > k:
            found = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k] - _ALIKE)
        else:
            found = np.arange(len(scores))
        return found if places is None else places[found]

    def _ranked(self, candidates: NDArray[np.int64], vector: Vector, k: int | None = None) -> list[Hit]:
        import numpy as np

        distances = self._distances(candidates, vector)
        # Ids are sorted, so that the smaller place is the smaller id.
        order = np.lexsort((candidates, distances))[:k].tolist()
        places, far = candidates.tolist(), distances.tolist()
        return [Hit(self.ids[places[one]], far[one], self.metadata[places[one]]) for one in order]

    def _distances(self, places: NDArray[np.int64], vector: Vector) -> NDArray[np.float64]:
        import numpy as np

        cosines = self.vectors[places].astype(np.float64) @ vector.astype(np.float64)
        distances: NDArray[np.float64] = np.maximum(1 - cosines, 0).round(_DIGITS)
        return distances

    def _met(self, where: Sequence[Condition]) -> Passing | None:
        return self._passing.get(tuple(where), self._meeting) if where else None

    def _meeting(self, where: tuple[Condition, ...]) -> Passing:
        import numpy as np

        mask = np.logical_and.reduce([self._column(one.field).passing(one) for one in where])
        places = np.flatnonzero(mask)
        return Passing(mask, places, self.vectors[places] if len(places) <= EXACT_BELOW else None)

    def _column(self, field: str) -> Column:
        column = self._columns.get(field)
        if column is None:
            column = self._columns[field] = Column(field, self.metadata)
        return column

    def _checked(self, vector: Any) -> Vector:
        import numpy as np

        checked: Vector = np.ascontiguousarray(vector, dtype=np.float32)
        if checked.shape != self.vectors.shape[1:]:
            raise UsageError(
                f"the query has {checked.shape} numbers, the rows have {self.vectors.shape[1:]}",
                where="search",
                mend="search with the embedder of the corpus",
            )
        return checked
