"""A lake's own corpora, searched: what is recorded is found by the next search, also by another process's searcher."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.search.opening import open_retrieval, open_searcher, search_folder

pytest.importorskip("lancedb")

from lakehouse.corpora import playbooks
from lakehouse.corpora.fresh import record_fresh

NOW = "2026-05-02T02:00:00.000Z"


class WordEmbedder:
    """Texts that share words lie near each other: the mean of one made vector per word."""

    identity = EmbedderIdentity("made", "words", "1", 64)
    embedded = cached = cut = 0

    def embed(self, texts: Any, kind: str = "document") -> np.ndarray:
        return np.array([self._one(text) for text in texts], np.float32)

    def _one(self, text: str) -> np.ndarray:
        seeds = [int.from_bytes(sha256(word.encode()).digest()[:4], "big") for word in text.lower().split()]
        mean = np.mean([np.random.default_rng(seed).standard_normal(64) for seed in seeds], axis=0)
        return mean / np.linalg.norm(mean)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / "_kb").mkdir()
    return Lake(tmp_path)


def worker(row_id: str, role: str, city: str = "Detroit") -> dict[str, Any]:
    text = f"{role} in {city}, MI."
    return {"id": row_id, "role": role, "city": city, "state": "MI", "resume_text": text}


def test_fresh_workers_and_playbooks_are_found_by_the_next_search(lake: Lake) -> None:
    embedder = WordEmbedder()
    retrieval, other = open_retrieval(lake, embedder), open_retrieval(lake, embedder)
    assert list(retrieval.corpora) == []
    with pytest.raises(UsageError, match="none yet"):
        retrieval.search("welder", ["fresh_workers"])
    record_fresh(lake, [worker(f"f-{place}", "Welder") for place in range(3)], embedder, NOW)
    record_fresh(lake, [worker("f-loader", "Loader", "Gary")], embedder, NOW)
    for one in (retrieval, other):
        found = one.search("Need 2 Loaders in Gary MI", ["fresh_workers"], k=1, use_playbook=True)
        assert [row.id for row in found.results] == ["f-loader"]
        assert found.searched_for["fresh_workers"] != "Need 2 Loaders in Gary MI"
    query = "somebody for the night"
    before = retrieval.search(query, ["fresh_workers"], k=1, use_playbook=True)
    wanted = next(row_id for row_id in ("f-loader", "f-0") if row_id != before.results[0].id)
    playbooks.record(lake, embedder, query, wanted, "fresh_workers", 1.0, NOW, role="Loader")
    for one in (retrieval, other):
        warm = one.search(query, ["fresh_workers"], k=1, use_playbook=True)
        assert [(row.id, row.injected or row.boosted, row.distance) for row in warm.results] == [(wanted, True, 0.0)]
        gated = one.search(query, ["fresh_workers"], k=1, use_playbook=True, role="Welder")
        assert gated.results == before.results
    (entry,) = playbooks.listed(lake)
    playbooks.retire(lake, entry.id, NOW)
    assert retrieval.search(query, ["fresh_workers"], k=1, use_playbook=True).results == before.results


def test_namespaces_are_apart(lake: Lake) -> None:
    embedder = WordEmbedder()
    retrieval = open_retrieval(lake, embedder)
    record_fresh(lake, [worker(f"f-{place}", role) for place, role in enumerate(("Welder", "Picker"))], embedder, NOW)
    playbooks.record(lake, embedder, "a picker", "f-0", "fresh_workers", 1.0, NOW, namespace="acme")
    for namespace, plays in (("acme", 1), (None, 0), ("other", 0)):
        found = retrieval.search("a picker", ["fresh_workers"], use_playbook=True, namespace=namespace)
        assert found.plays == plays


def test_a_name_that_is_no_corpus_leads_to_no_folder(lake: Lake) -> None:
    for name in ("../../etc", "nobody", "playbook_a/b"):
        with pytest.raises(UsageError):
            search_folder(lake, name)
        with pytest.raises(UsageError):
            open_searcher(lake, name)


def test_a_saved_corpus_is_served_again(lake: Lake) -> None:
    embedder = WordEmbedder()
    record_fresh(lake, [worker(f"f-{place}", "Welder") for place in range(5)], embedder, NOW)
    first = open_searcher(lake, "fresh_workers")
    first.prepare()
    assert (search_folder(lake, "fresh_workers") / "about.json").is_file()
    (vector,) = embedder.embed(["Welder in Detroit"], "query")
    again = open_searcher(lake, "fresh_workers")
    assert again.view().nearest(vector, 5) == first.view().nearest(vector, 5)
    record_fresh(lake, [worker("f-9", "Welder")], embedder, NOW)
    assert len(again.view()) == len(first.view()) == 6
