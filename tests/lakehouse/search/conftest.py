"""Corpora in memory: hand-made sources and an embedder whose vectors a test chooses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.search.engine import Searcher
from lakehouse.search.layered import Held
from lakehouse.search.views import Changes

IDENTITY = EmbedderIdentity("made", "by hand", "1", 8)


def at_distance(distance: float, axis: int = 1, dimension: int = 8) -> np.ndarray:
    """Give a unit vector at a cosine distance from the first axis, leaning towards another."""
    vector = np.zeros(dimension, np.float32)
    vector[0] = 1 - distance
    vector[axis] = np.sqrt(max(0.0, 1 - (1 - distance) ** 2))
    return vector


class MadeSource:
    """A corpus that a test writes to."""

    def __init__(self, identity: EmbedderIdentity = IDENTITY, *, tells_changes: bool = True) -> None:
        self.identity = identity
        self.tells_changes = tells_changes
        self.number = 1
        self.held: dict[str, tuple[np.ndarray, str, str]] = {}
        self.written: dict[str, int] = {}
        self.whole_reads = 0
        self.before_rows: Callable[[], None] = lambda: None

    def put(self, row_id: str, vector: np.ndarray, text: str = "", metadata: Mapping[str, Any] | None = None) -> None:
        self.number += 1
        self.held[row_id] = (np.asarray(vector, np.float32), json.dumps(metadata or {}), text)
        self.written[row_id] = self.number

    def put_all(self, prefix: str, vectors: np.ndarray) -> None:
        self.number += 1
        for place, vector in enumerate(vectors):
            row_id = f"{prefix}{place:06}"
            self.held[row_id] = (vector, json.dumps({"place": place}), f"text of {row_id}")
            self.written[row_id] = self.number

    def drop(self, row_id: str) -> None:
        self.number += 1
        del self.held[row_id]

    def version(self) -> int:
        return self.number

    def rows(self) -> Held:
        self.whole_reads += 1
        self.before_rows()
        return self._rows(list(self.held))

    def changes(self, since: int) -> Changes | None:
        if not self.tells_changes:
            return None
        ids = [row_id for row_id in self.held if self.written[row_id] > since]
        return Changes(self.number, self._rows(ids), len(self.held))

    def _rows(self, ids: list[str]) -> Held:
        rows = [self.held[row_id] for row_id in ids]
        shape = (len(ids), self.identity.dimension)
        vectors = np.array([row[0] for row in rows], np.float32).reshape(shape)
        return Held(self.number, self.identity, ids, vectors, [row[1] for row in rows], [row[2] for row in rows])


@dataclass
class MadeEmbedder:
    """An embedder that knows its texts; `asked` keeps what it was asked for."""

    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    identity: EmbedderIdentity = IDENTITY
    asked: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    embedded: int = 0
    cached: int = 0
    cut: int = 0

    def embed(self, texts: Sequence[str], kind: str = "document") -> np.ndarray:
        self.asked.append((tuple(texts), kind))
        return np.array([self.vectors.get(text, at_distance(0)) for text in texts], np.float32)


@pytest.fixture
def source() -> MadeSource:
    return MadeSource()


@pytest.fixture
def searcher(source: MadeSource) -> Searcher:
    return Searcher(source)
