"""The interfaces of serving: where rows come from, and what can be asked of them.

Here: `Rows` and `Source` (what a store gives), `View` and `Engine` (what search asks), `Hit`. Not here: how either is
done: from memory (`snapshot.py`, `engine.py`), by LanceDB alone (`plain.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import orjson

from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.search.filters import Condition

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lakehouse.search.playbooks import Asked, Near

    Vector = NDArray[np.float32]


class Rows(Protocol):
    """A corpus as it stood at a version: row for row an id, a vector of length 1, metadata (a JSON object) and the text.

    `vectors` is (n, dimension) float32.
    """

    @property
    def version(self) -> int:
        """The number of the version."""

    @property
    def ids(self) -> Sequence[str]:
        """The ids."""

    @property
    def vectors(self) -> Vector:
        """The vectors."""

    @property
    def metadata(self) -> Sequence[str]:
        """The metadata as JSON."""

    @property
    def texts(self) -> Sequence[str]:
        """The texts."""

    @property
    def identity(self) -> EmbedderIdentity:
        """The embedder that made the vectors."""


@dataclass(frozen=True)
class Changes:
    """What was written since a version: rows to be put in place of those of the same id, and the version then.

    `total` is the number of rows that there are then, `None` where nothing can have been deleted.
    """

    version: int
    rows: Rows
    total: int | None


class Source(Protocol):
    """What a corpus is read from. `version` is asked before each search, so it should cost microseconds."""

    def version(self) -> int:
        """Give a number that is another one whenever the rows are."""

    def rows(self) -> Rows:
        """Read all rows of the newest version."""

    def changes(self, since: int) -> Changes | None:
        """Read what was written since a version, `None` where that cannot be told."""


class Hit(msgspec.Struct, frozen=True):
    """A row and its cosine distance (0..2, rounded to 9 digits) to what was searched for; `raw` is its metadata as JSON."""

    id: str
    distance: float
    raw: str

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata; empty where the row has none."""
        return orjson.loads(self.raw) if self.raw else {}


class View(Protocol):
    """One version of a corpus: every answer of a view is of the same rows.

    Hits come by distance, those of the same distance by id.
    """

    @property
    def version(self) -> int:
        """The number of the version."""

    @property
    def identity(self) -> EmbedderIdentity:
        """The embedder that made the vectors."""

    def nearest(self, vector: Vector, k: int, where: Sequence[Condition] = ()) -> list[Hit]:
        """Give the `k` nearest rows that meet the conditions; fewer only where there are no more."""

    def within(self, vector: Vector, distance: float) -> list[Hit]:
        """Give all rows up to a distance, itself included."""

    def plays(self, vector: Vector, asked: Asked) -> Near:
        """Of a corpus of playbooks: give the entries that can act on what was found."""

    def among(self, ids: Iterable[str], vector: Vector, where: Sequence[Condition] = ()) -> list[Hit]:
        """Give those of the ids that are there and meet the conditions, with their distances."""

    def matching(self, query: str, k: int, where: Sequence[Condition] = ()) -> list[str]:
        """Give the ids of the `k` best rows by full text (BM25), best first; rows without a word of the query are none."""

    def text_of(self, row_id: str) -> str:
        """Give the text of a row, `""` where there is none of that id."""

    def distinct(self, fields: Sequence[str]) -> frozenset[tuple[object, ...]]:
        """Give the distinct combinations of values of metadata fields."""


class Engine(Protocol):
    """A corpus that can be searched; `view` gives its newest version."""

    def view(self) -> View:
        """Give what to search in."""
