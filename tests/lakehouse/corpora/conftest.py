"""Shared by the tests of corpora: an embedder that needs no model, a lake with a small roster, and an exact searcher."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lakehouse.corpora import build as building
from lakehouse.corpora.reading import snapshot
from lakehouse.embedding import EmbedderIdentity, Kind
from lakehouse.lake import Lake

NOW = "2026-05-10T02:00:00.000Z"
RUN = "0123456789abcdef" * 4
IDENTITY = EmbedderIdentity("fake", "words", "r1", 32)
CITIES = ("Flint", "Toledo", "Gary", "Akron", "Peoria")
ROLES = ("Welder", "Forklift Operator", "Picker", "Loader", "CNC Machinist", "Electrician", "Cook")

if importlib.util.find_spec("lancedb") is None:
    collect_ignore_glob = ["test_*.py"]


class WordEmbedder:
    """Adds up a direction per word, which the word alone decides. Remembers what it was asked, not what it answered."""

    def __init__(self, identity: EmbedderIdentity = IDENTITY, fail_after: int | None = None) -> None:
        self.identity = identity
        self.embedded = self.cached = self.cut = 0
        self.asked: list[str] = []
        self.fail_after = fail_after

    def embed(self, texts: Sequence[str], kind: Kind = "document") -> Any:
        if self.fail_after is not None and len(self.asked) + len(texts) > self.fail_after:
            raise ConnectionError("the model server went away")
        self.asked.extend(texts)
        self.embedded += len(texts)
        rows = [self._vector(text) for text in texts]
        return np.array(rows, np.float32).reshape(-1, self.identity.dimension)

    def _vector(self, text: str) -> Any:
        total = sum(_direction(self.identity, word) for word in text.lower().split())
        return total / np.linalg.norm(total)


@cache
def _direction(identity: EmbedderIdentity, word: str) -> Any:
    seed = int.from_bytes(sha256(f"{identity.model}/{identity.revision}/{word}".encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=identity.dimension)


def worker(number: int, prefix: str = "w-", **changes: Any) -> dict[str, Any]:
    said = {
        "id": f"{prefix}{number}",
        "name": f"Person {number}",
        "role": ROLES[number % len(ROLES)],
        "city": CITIES[number % len(CITIES)],
        "state": "MI",
        "skills": f"skill{number};tool{number % 11}",
        "resume_text": f"Worked {number} years as number {number}.",
        "available": "yes",
    }
    return {**said, **changes}


class Room:
    """A lake and what a test does with its corpora."""

    def __init__(self, root: Path) -> None:
        self.lake = Lake(root)
        self.lake.raw.mkdir(parents=True, exist_ok=True)
        self.embedder = WordEmbedder()

    def roster(self, rows: Iterable[dict[str, Any]], name: str = "workers") -> Path:
        path = self.lake.raw / f"{name}.csv"
        beside = path.with_suffix(".new")
        with beside.open("w", newline="") as file:
            out = csv.DictWriter(file, list(worker(0)))
            out.writeheader()
            out.writerows(rows)
        return beside.replace(path)

    def workers(self, count: int, name: str = "workers", prefix: str = "w-") -> None:
        self.roster([worker(number, prefix) for number in range(count)], name)

    def build(self, name: str = "workers", run_hash: str = RUN, **more: Any) -> building.BuildReport:
        return building.build(self.lake, name, more.pop("embedder", self.embedder), NOW, run_hash, **more)

    def ids(self, name: str = "workers") -> list[str]:
        return sorted(snapshot(self.lake, name).ids.to_pylist())

    def rows(self, name: str = "workers") -> dict[str, Any]:
        """Everything that a corpus holds by id, but not when it was written."""
        found = snapshot(self.lake, name)
        columns = ("id", "text", "also", "text_sha256", "origin", "metadata")
        values = zip(*(found.column(column).to_pylist() for column in columns), found.vectors.tolist(), strict=True)
        rows = {row[0]: row for row in values}
        assert len(rows) == len(found)
        return rows

    def log(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.lake.raw / f"{name}.jsonl").read_text().splitlines()]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


Searcher = Callable[[str, Any, int], tuple[list[list[str]], list[list[float]]]]


@pytest.fixture
def exact(room: Room) -> Searcher:
    """Search by looking at every row, as the search room's own does for a small corpus."""

    def search(name: str, vectors: Any, k: int) -> tuple[list[list[str]], list[list[float]]]:
        rows = snapshot(room.lake, name)
        ids = rows.ids.to_pylist()
        distances = 1 - vectors @ rows.vectors.T
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        found = [[ids[place] for place in row] for row in order]
        return found, np.take_along_axis(distances, order, axis=1).tolist()

    return search
