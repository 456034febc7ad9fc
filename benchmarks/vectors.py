"""Made vectors that lie like embeddings: topics, a spectrum that falls, queries that are no rows.

Here: making them and their exact neighbours. Not here: what is measured on them (`retrieval.py`).

A row is a topic (one of 1,000, drawn unevenly) plus its own part, both of a normal distribution whose axes fall with the
square root of their number, turned at random and brought to length 1. Queries are drawn the same way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

DIMENSION = 384
TOPICS = 1_000


def write_vectors(folder: Path, rows: int, queries: int = 1_000, seed: int = 7) -> dict[str, float]:
    """Write `rows.npy`, `queries.npy` and `truth.npy` (the places of the ten nearest); give how far neighbours lie."""
    import numpy as np

    chance = np.random.default_rng(seed)
    falling = 1 / np.sqrt(1 + np.arange(DIMENSION))
    turned, _ = np.linalg.qr(chance.standard_normal((DIMENSION, DIMENSION)))
    topics = chance.standard_normal((TOPICS, DIMENSION)) * falling
    often = 1 / (10 + np.arange(TOPICS))
    often /= often.sum()

    def drawn(count: int) -> Any:
        own = chance.standard_normal((count, DIMENSION)) * falling
        made = (topics[chance.choice(TOPICS, count, p=often)] + 0.6 * own) @ turned
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    held = np.concatenate([drawn(min(10_000, rows - start)) for start in range(0, rows, 10_000)])
    asked = drawn(queries)
    truth, near, far = [], [], []
    for start in range(0, queries, 100):
        scores = asked[start : start + 100] @ held.T
        best = np.argpartition(-scores, 10, axis=1)[:, :10]
        truth.append(best)
        found = np.take_along_axis(scores, best, axis=1)
        near.append(1 - found.max(axis=1))
        far.append(1 - found.min(axis=1))
    np.save(folder / "rows.npy", held)
    np.save(folder / "queries.npy", asked)
    np.save(folder / "truth.npy", np.concatenate(truth))
    return {"first": float(np.median(np.concatenate(near))), "tenth": float(np.median(np.concatenate(far)))}
