"""The gates on searching a corpus: against brute force, and for the newest rows.

Here: each gate as a function from a lake, a corpus, the time and a searcher to a verdict. Not here: searching
(`lakehouse.search`), the gates on what a corpus holds (`corpora.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow.compute as pc

from lakehouse.corpora import registry
from lakehouse.corpora.reading import snapshot
from lakehouse.corpora.rows import CorpusRows
from lakehouse.corpora.state import read_state
from lakehouse.corpora.vectors import vectors_of
from lakehouse.embedding import require_same
from lakehouse.gates.corpora import verdict_on
from lakehouse.lake import Lake
from lakehouse.records import Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lakehouse.embedding import Embedder

QUERIES: Final = 200
NEWEST: Final = 100
MOST_FRESH: Final = 1_000
GOOD_RECALL, LEAST_RECALL = 0.98, 0.95
_TIE: Final = 1e-5
"""Cosine distances closer than this are one: float32, summed in another order."""
_K: Final = 10
_MOST_TWINS: Final = 256
_BLOCK: Final = 65_536

Searcher = Callable[[str, Any, int], tuple[Sequence[Sequence[str]], Sequence[Sequence[float]]]]
"""From a corpus, unit vectors (q, dim) and k to ids and cosine distances, both (q, up to k), nearest first."""


def recall_at_10(lake: Lake, name: str, checked_at: str, searcher: Searcher, queries: int = QUERIES) -> Verdict:
    """Hold the first ten of a search against brute force over every row, for seeded queries.

    A query lies between two stored rows. A result counts where its true distance is among the ten nearest (ties with the
    tenth too) and no id stands twice; a distance that is not the true one is an offender. Below 0.98 warns, below 0.95 is an
    error, and so is a wrong distance or an id that is not there.
    """
    import numpy as np

    rows = snapshot(lake, name)
    k, count = min(_K, len(rows)), len(rows)
    if not k:
        return verdict_on(
            lake, "recall_at_10", name, [], 0, "the corpus is empty: nothing to search", checked_at, rows=rows
        )
    asked = _queries(rows, queries)
    truth = _nearest(rows, asked, k)
    found, said = searcher(name, asked, k)
    place_of = {one: place for place, one in enumerate(rows.ids.to_pylist())}
    whys: list[str] = []
    hits = 0
    for number, (ids, distances) in enumerate(zip(found, said, strict=True)):
        if len(set(ids)) < len(ids):
            whys.append(f"query {number}: an id stands twice among the results")
        for one, distance in dict(zip(ids[:k], distances[:k], strict=True)).items():
            if one not in place_of:
                whys.append(f"query {number}: {one} is not in the corpus")
                continue
            true = 1 - float(asked[number] @ rows.vectors[place_of[one]])
            hits += bool(true <= truth[number][-1] + _TIE)
            if abs(true - distance) > 100 * _TIE:
                whys.append(f"query {number}: {one} is at {true:.4f}, and the search says {distance:.4f}")
    recall = hits / (k * len(asked))
    severity: Literal["ERROR", "WARN"] = "ERROR" if whys or recall < LEAST_RECALL else "WARN"
    if recall < GOOD_RECALL:
        whys.append(f"recall@{k} is {recall:.4f}, below {LEAST_RECALL if recall < LEAST_RECALL else GOOD_RECALL}")
    summary = f"recall@{k} is {recall:.4f} over {len(asked)} queries against brute force on {count} rows"
    numbers = {
        "queries": len(asked),
        "rows": count,
        "k": k,
        "recall": recall,
        "mean_tenth_distance": float(np.mean(truth[:, -1])),
    }
    return verdict_on(
        lake, "recall_at_10", name, whys, len(asked), whys[0] if len(whys) > 1 else summary, checked_at,
        rows=rows, tables={"recall": [numbers]}, severity=severity if whys else "ERROR",
    )  # fmt: skip


def _queries(rows: CorpusRows, count: int) -> NDArray[np.float32]:
    """Give seeded unit vectors between two rows each: near the corpus, and none of its rows."""
    import numpy as np

    chance = np.random.default_rng(20_260_501)
    one, other = rows.vectors[chance.integers(len(rows), size=(2, count))]
    weight = chance.uniform(0.2, 0.5, size=(count, 1)).astype(np.float32)
    mixed = (1 - weight) * one + weight * other
    lengths = np.linalg.norm(mixed, axis=1, keepdims=True)
    # Two opposite rows have no direction between them; the first will do.
    chosen: NDArray[np.float32] = np.where(lengths > 1e-3, mixed / np.maximum(lengths, 1e-3), one).astype(np.float32)
    return chosen


def _nearest(rows: CorpusRows, asked: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Give the k smallest cosine distances of each query (q, k), ascending, by looking at every row in blocks."""
    import numpy as np

    best = np.full((len(asked), k), np.inf, np.float32)
    for start in range(0, len(rows), _BLOCK):
        distances = 1 - asked @ rows.vectors[start : start + _BLOCK].T
        joined = np.concatenate([best, distances], axis=1)
        best = np.partition(joined, k - 1, axis=1)[:, :k]
    return np.sort(best, axis=1)


def fresh_is_findable(lake: Lake, name: str, checked_at: str, embedder: Embedder, searcher: Searcher) -> Verdict:
    """Search for new rows by their own text, embedded as they were: each must be at rank 0.

    New are the rows written since the last build, or the newest hundred where those are fewer; a seeded sample of 1000 where
    they are more. Rows of the very same text share rank 0.
    """
    import numpy as np

    corpus, rows, state = registry.corpus(name), snapshot(lake, name), read_state(lake, name)
    require_same(rows.identity, embedder.identity, where=name)
    written = rows.column("after_version").to_numpy()
    # Stable, newest last: rows of one commit keep their order.
    order = np.argsort(written, kind="stable")
    since = int(np.count_nonzero(written >= (state.built if state else 0)))
    places = order[-max(since, min(NEWEST, len(rows))) :].tolist() if len(rows) else []
    if len(places) > MOST_FRESH:
        places = sorted(Random(f"{name}/{len(rows)}").sample(places, MOST_FRESH))  # noqa: S311 - a sample, no secret
    if not places:
        return verdict_on(lake, "fresh_is_findable", name, [], 0, "the corpus is empty", checked_at, rows=rows)
    ids, text, also, shas = (
        rows.column(column).take(places).to_pylist() for column in ("id", "text", "also", "text_sha256")
    )
    asked = vectors_of(embedder, [(one, *more) for one, more in zip(text, also, strict=True)], corpus.kind)
    twins = pc.value_counts(rows.column("text_sha256"))
    shared = {one["values"]: one["counts"] for one in twins.to_pylist()}
    whys = []
    k = min(len(rows), max(_K, min(_MOST_TWINS, max(shared[sha] for sha in shas))))
    found, said = searcher(name, asked, k)
    for one, sha, results, distances in zip(ids, shas, found, said, strict=True):
        at = list(results).index(one) if one in results else None
        if at is None and shared[sha] > k and distances and distances[0] <= _TIE:
            continue  # One of very many of the same text: the first k are its equals.
        if at is None:
            whys.append(f"{one} is not found by its own text")
        elif distances[at] > distances[0] + _TIE:
            whys.append(f"{one} is at rank {at} for its own text, {distances[at]:.4f} against {distances[0]:.4f}")
    good = f"{len(ids)} rows ({since} of them since the last build) are at rank 0 for their own text"
    say = f"{len(whys)} of {len(ids)} new rows are not at rank 0 for their own text"
    return verdict_on(lake, "fresh_is_findable", name, whys, len(ids), say if whys else good, checked_at, rows=rows)
