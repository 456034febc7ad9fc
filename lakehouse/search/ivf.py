"""An inverted-file index (IVF, flat) by faiss: which list each row lies in, and searching the lists near a query.

Here: training, carrying an index over to changed rows, measuring how many lists must be probed. Not here: exact search and
filters (`snapshot.py`), files (`saved.py`).

Chosen by measurement at 100,000 × 384 over a graph (faiss HNSW, M 16): as fast at the same recall, built in seconds instead
of a minute, the same for the same rows, and it carries over: a new row goes to its nearest list, the list in which its own
text looks first, so that it is found at once without training anew.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lakehouse.search.views import Vector

RECALL: Final = 0.994
"""What probing must reach on rows of the corpus itself; queries lie a little farther off, `recall_at_10` measures those."""

_SEED: Final = 1
_PER_LIST: Final = 40
_ROUNDS: Final = 6
_FEWEST_PROBES: Final = 4
_OUTGROWN: Final = 0.3
_SAMPLE: Final = 512
_PARTS: Final = 16
_MANY: Final = 20_000
_BLOCK: Final = 8192
_local = threading.local()


def available() -> bool:
    """Say whether faiss is installed; without it every corpus is searched exactly."""
    from importlib.util import find_spec

    return find_spec("faiss") is not None


@dataclass(frozen=True)
class Lists:
    """What of an index must be kept to make it again.

    `centroids` (lists, dim), `of_row` (n,) the list of each row; `probes` lists are searched, `trained` rows were there at
    training, `strangers` were placed since.
    """

    centroids: Vector
    of_row: NDArray[np.int32]
    probes: int
    trained: int
    strangers: int = 0

    @property
    def outgrown(self) -> bool:
        """Whether so many rows are others than at training that the lists should be trained anew."""
        return self.strangers > _OUTGROWN * self.trained or len(self.of_row) < self.trained * (1 - _OUTGROWN)


def train(vectors: Vector) -> Lists:
    """Cluster rows into about 4 √n lists and measure how many must be probed. The same for the same rows; all cores where they pay."""
    import numpy as np

    count, dimension = vectors.shape
    faiss = _faiss(_threads(count))
    try:
        lists = max(1, min(int(4 * count**0.5), count // _PER_LIST))
        chance = np.random.default_rng(_SEED)
        sample = np.sort(chance.choice(count, min(count, lists * _PER_LIST), replace=False))
        means = faiss.Kmeans(dimension, lists, niter=_ROUNDS, seed=_SEED, spherical=True, min_points_per_centroid=1)
        means.train(np.ascontiguousarray(vectors[sample]))
        centroids = np.ascontiguousarray(means.centroids.reshape(lists, dimension))
        of_row = nearest_lists(vectors, centroids)
        return Lists(centroids, of_row, _probes(vectors, centroids, of_row), count)
    finally:
        _faiss(1)


def carried(old: Lists, before: Vector, came_from: NDArray[np.int64], vectors: Vector) -> Lists:
    """Carry lists over to other rows: `came_from` (n,) is the place of each row in `before`, -1 for a new one.

    A row whose vector changed is placed like a new one.
    """
    import numpy as np

    of_row = np.full(len(vectors), -1, dtype=np.int32)
    for start in range(0, len(vectors), _BLOCK):
        block = came_from[start : start + _BLOCK]
        known = np.flatnonzero(block >= 0)
        same = known[(vectors[start + known] == before[block[known]]).all(axis=1)]
        of_row[start + same] = old.of_row[block[same]]
    new = np.flatnonzero(of_row < 0)
    of_row[new] = nearest_lists(vectors[new], old.centroids)
    return Lists(old.centroids, of_row, old.probes, old.trained, old.strangers + len(new))


def nearest_lists(vectors: Vector, centroids: Vector) -> NDArray[np.int32]:
    """Give the list of each row: that of the nearest centroid."""
    import numpy as np

    found = np.empty(len(vectors), dtype=np.int32)
    for start in range(0, len(vectors), _BLOCK):
        found[start : start + _BLOCK] = (vectors[start : start + _BLOCK] @ centroids.T).argmax(axis=1)
    return found


class Ivf:
    """The index in memory. Searching it is thread-safe and keeps one thread busy per query."""

    def __init__(self, vectors: Vector, lists: Lists) -> None:
        self.lists = lists
        self._faiss = _faiss(1)
        self._index = _assembled(self._faiss, vectors, lists.centroids, lists.of_row)
        self._index.nprobe = lists.probes

    def nearest(self, vector: Vector, k: int, passing: NDArray[np.bool_] | None = None) -> tuple[Any, Any]:
        """Give scores (cosines, falling) and places of up to `k` rows. With a filter more lists are probed, by its share."""
        import numpy as np

        _faiss(1)
        if passing is None:
            scores, places = self._index.search(vector[None], k)
        else:
            bits = np.packbits(passing, bitorder="little")
            probes = min(len(self.lists.centroids), int(self.lists.probes * len(passing) / max(1, passing.sum())) + 1)
            allowed = self._faiss.SearchParametersIVF(sel=self._faiss.IDSelectorBitmap(bits), nprobe=probes)
            scores, places = self._index.search(vector[None], k, params=allowed)
        there = places[0] >= 0
        return scores[0][there], places[0][there]


def _assembled(faiss: Any, vectors: Vector, centroids: Vector, of_row: NDArray[np.int32]) -> Any:
    import numpy as np

    quantizer = faiss.IndexFlatIP(vectors.shape[1])
    quantizer.add(centroids)
    index = faiss.IndexIVFFlat(quantizer, vectors.shape[1], len(centroids), faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True
    lists = of_row.astype(np.int64)
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    index.add_core(len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(lists))
    return index


def _probes(vectors: Vector, centroids: Vector, of_row: NDArray[np.int32]) -> int:
    """Give the smallest number of lists, in steps of a quarter, with which a sample of rows finds its ten nearest others."""
    import numpy as np

    faiss = _faiss(_threads(len(vectors)))
    index = _assembled(faiss, vectors, centroids, of_row)
    sample = np.random.default_rng(_SEED).choice(len(vectors), min(_SAMPLE, len(vectors)), replace=False)
    asked = np.ascontiguousarray(vectors[sample])
    everywhere = len(centroids)
    wanted = min(11, len(vectors))
    truth = np.concatenate([_best(part, vectors, wanted) for part in np.array_split(asked, _PARTS)])
    probes = min(_FEWEST_PROBES, everywhere)
    while probes < everywhere:
        index.nprobe = probes
        found, _ = index.search(asked, wanted)
        # By score, not by place: among rows of the same distance any is right. Its own row says nothing.
        if (found[:, 1:] >= truth[:, None] - 1e-6).mean() >= RECALL:
            return probes
        probes = min(everywhere, probes + max(1, probes // 4))
    return everywhere


def _best(asked: Vector, vectors: Vector, wanted: int) -> Vector:
    """Give the score of the last wanted row for each of some queries."""
    import numpy as np

    scores = asked @ vectors.T
    last: Vector = np.partition(scores, scores.shape[1] - wanted, axis=1)[:, scores.shape[1] - wanted]
    return last


def _threads(count: int) -> int:
    """Give how many threads pay for building over so many rows."""
    return (os.cpu_count() or 1) if count > _MANY else 1


def _faiss(threads: int) -> Any:
    """Give faiss, using so many threads for what this thread asks of it (OpenMP keeps the number per thread)."""
    import faiss

    if getattr(_local, "threads", None) != threads:
        faiss.omp_set_num_threads(threads)
        _local.threads = threads
    return faiss
