"""The gates on corpora: each sees the fault that it is there for, names the rows, and passes what is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lakehouse.corpora import store
from lakehouse.corpora.fresh import record_fresh
from lakehouse.corpora.merge import merge
from lakehouse.corpora.reading import snapshot
from lakehouse.corpora.rows import Item, table_of
from lakehouse.embedding import EmbedderIdentity
from lakehouse.errors import UsageError
from lakehouse.gates.corpora import FIXTURES, embed_parity, looked_at, row_parity
from lakehouse.gates.corpora_search import fresh_is_findable, recall_at_10
from lakehouse.records import Verdict
from tests.lakehouse.corpora.conftest import IDENTITY, NOW, Room, Searcher, WordEmbedder, worker


def whys(found: Verdict) -> list[str]:
    assert found.passed is not bool(found.offenders)
    return [offender["why"] for offender in found.offenders]


@pytest.fixture
def full(room: Room) -> Room:
    room.workers(60)
    room.build()
    return room


def plant(room: Room, *ids: str, text: str = "planted", origin: str = "workers", merge_insert: bool = False) -> None:
    """Write rows past every writer: `add` looks for no id."""
    items = [Item(one, (text,), {}, origin) for one in ids]
    rows = table_of(IDENTITY, items, room.embedder.embed([text] * len(ids)))
    with store.writing(room.lake, "workers") as writer:
        writer.put(rows, all_new=not merge_insert)


def test_row_parity_passes_a_corpus_like_its_source(full: Room) -> None:
    found = row_parity(full.lake, "workers", NOW)
    assert (whys(found), found.rows_checked, found.severity) == ([], 60, "ERROR")
    assert found.input_sha256 == looked_at(full.lake, "workers")


def test_row_parity_names_missing_foreign_and_double_rows(full: Room) -> None:
    with store.writing(full.lake, "workers") as writer:
        writer.delete(["w-7"])
    plant(full, "w-900")
    plant(full, "w-5")
    plant(full, "lost", origin="fresh_workers")
    found = row_parity(full.lake, "workers", NOW)
    assert set(whys(found)) >= {
        "w-7 is in the source and not in the corpus",
        "w-900 came from workers, whose source does not hold it",
        "w-5 is there 2 times",
        "lost came from fresh_workers, whose source does not hold it",
    }
    assert found.input_sha256 == looked_at(full.lake, "workers")


def test_row_parity_names_a_stale_text(full: Room) -> None:
    full.roster([worker(number, resume_text="new" if number == 4 else "Worked") for number in range(60)])
    assert "w-4 has another text in the source" in whys(row_parity(full.lake, "workers", NOW))


def test_row_parity_accepts_what_was_merged(full: Room) -> None:
    record_fresh(full.lake, [{"id": "f1", "role": "Cook"}, {"id": "f2", "role": "Cook"}], full.embedder, NOW)
    merge(full.lake, "fresh_workers", "workers", NOW)
    assert whys(row_parity(full.lake, "workers", NOW)) == []
    merge(full.lake, "fresh_workers", "workers", NOW, clear_source=True)
    assert whys(row_parity(full.lake, "workers", NOW)) == []
    assert whys(row_parity(full.lake, "fresh_workers", NOW)) == []


def test_row_parity_is_red_where_the_source_is_gone(full: Room) -> None:
    (full.lake.raw / "workers.csv").unlink()
    [why] = whys(row_parity(full.lake, "workers", NOW))
    assert "the source cannot be read" in why


def test_row_parity_of_nothing_says_so(room: Room) -> None:
    record_fresh(room.lake, [{"id": "f1", "role": "Cook"}], room.embedder, NOW)
    room.workers(1)
    room.build()
    merge(room.lake, "fresh_workers", "workers", NOW, clear_source=True)
    found = row_parity(room.lake, "fresh_workers", NOW)
    assert (found.passed, found.rows_checked) == (True, 0)
    assert "empty" in found.summary


class Off(WordEmbedder):
    """Turns what it is asked a little, where a condition on the texts holds."""

    def __init__(self, when: Any, identity: EmbedderIdentity = IDENTITY) -> None:
        super().__init__(identity)
        self.when = when

    def embed(self, texts: Any, kind: Any = "document") -> Any:
        vectors = super().embed(texts, kind)
        for row, text in zip(vectors, texts, strict=True):
            if self.when(texts, text):
                row[0] += 0.05
                row /= np.linalg.norm(row)
        return vectors


def test_embed_parity_passes_the_embedder_that_made_it(full: Room) -> None:
    found = embed_parity(full.lake, "workers", NOW, WordEmbedder(), WordEmbedder(), sample=20)
    assert (whys(found), found.rows_checked) == ([], 20)
    assert found.tables is not None
    assert [row["texts"] for row in found.tables["backends"]] == [20 + len(FIXTURES)] * 2


def test_embed_parity_names_rows_that_another_model_would_embed(full: Room) -> None:
    found = embed_parity(full.lake, "workers", NOW, Off(lambda _, text: "number 7." in text), sample=60)
    assert [why.split(" has")[0] for why in whys(found)] == ["fake: w-7 embedded again"]


def test_embed_parity_sees_a_batch_that_changes_a_vector(full: Room) -> None:
    found = embed_parity(full.lake, "workers", NOW, Off(lambda texts, text: len(texts) == 1 and text == "a"))
    assert [why.split(" has")[0] for why in whys(found)] == ["fake: fixture 6 alone and among others"]


def test_embed_parity_sees_a_peer_that_differs(full: Room) -> None:
    peer = Off(lambda *_: True, EmbedderIdentity("onnx", "words", "r1", 32))
    assert all(why.startswith("onnx: ") for why in whys(embed_parity(full.lake, "workers", NOW, WordEmbedder(), peer)))


def test_embed_parity_sees_a_stored_vector_that_was_changed(full: Room) -> None:
    plant(full, "w-9", text=snapshot(full.lake, "workers").column("text")[0].as_py(), merge_insert=True)
    rows = snapshot(full.lake, "workers")
    item = Item("w-9", (rows.column("text")[0].as_py(),), {}, "workers")
    wrong = table_of(IDENTITY, [item], full.embedder.embed(["something else"]))
    with store.writing(full.lake, "workers") as writer:
        writer.put(wrong)
    assert [why.split(" has")[0] for why in whys(embed_parity(full.lake, "workers", NOW, WordEmbedder()))] == [
        "fake: w-9 embedded again"
    ]


def test_embed_parity_refuses_what_proves_nothing(full: Room) -> None:
    class Cached(WordEmbedder):
        def embed(self, texts: Any, kind: Any = "document") -> Any:
            self.cached += 1
            return super().embed(texts, kind)

    with pytest.raises(UsageError, match="cache"):
        embed_parity(full.lake, "workers", NOW, Cached())
    with pytest.raises(UsageError, match="another embedder"):
        embed_parity(full.lake, "workers", NOW, WordEmbedder(EmbedderIdentity("fake", "words", "r2", 32)))
    peer = WordEmbedder(EmbedderIdentity("fake", "letters", "r1", 32))
    with pytest.raises(UsageError, match="another model"):
        embed_parity(full.lake, "workers", NOW, WordEmbedder(), peer)


def test_recall_passes_an_exact_search(full: Room, exact: Searcher) -> None:
    found = recall_at_10(full.lake, "workers", NOW, exact)
    assert (whys(found), found.rows_checked) == ([], 200)
    assert found.tables is not None
    assert found.tables["recall"][0]["recall"] == 1.0


def losing(exact: Searcher, every: int) -> Searcher:
    """Put the worst row in place of the tenth, in every so many queries."""

    def search(name: str, vectors: Any, k: int) -> Any:
        ids, distances = exact(name, vectors, 60)
        for number, (row, said) in enumerate(zip(ids, distances, strict=True)):
            row[k:], said[k:] = [], []
            if number % every == 0:
                all_ids, all_distances = exact(name, vectors[number : number + 1], 60)
                row[5:10], said[5:10] = all_ids[0][-5:], all_distances[0][-5:]
        return ids, distances

    return search


@pytest.mark.parametrize(("every", "severity"), [(15, "WARN"), (5, "ERROR")])
def test_recall_below_the_marks_warns_or_fails(full: Room, exact: Searcher, every: int, severity: str) -> None:
    found = recall_at_10(full.lake, "workers", NOW, losing(exact, every))
    assert (found.passed, found.severity) == (False, severity)
    assert len(whys(found)) == 1


def test_recall_sees_distances_and_ids_that_are_not_true(full: Room, exact: Searcher) -> None:
    def lying(name: str, vectors: Any, k: int) -> Any:
        ids, distances = exact(name, vectors, k)
        ids[3][9] = "ghost"
        distances[4][0] = 0.9
        ids[5][1] = ids[5][0]
        return ids, distances

    found = recall_at_10(full.lake, "workers", NOW, lying)
    assert found.severity == "ERROR"
    said = " | ".join(whys(found))
    assert "query 3: ghost is not in the corpus" in said
    assert "query 4: " in said
    assert "query 5: an id stands twice" in said


def test_recall_of_a_few_rows_counts_them_all(room: Room, exact: Searcher) -> None:
    room.workers(3)
    room.build()
    assert recall_at_10(room.lake, "workers", NOW, exact).passed


def test_fresh_rows_are_findable_before_and_after_a_build(full: Room, exact: Searcher) -> None:
    record_fresh(full.lake, [{"id": "f1", "role": "Diver", "city": "Flint"}], full.embedder, NOW)
    assert whys(fresh_is_findable(full.lake, "fresh_workers", NOW, WordEmbedder(), exact)) == []
    full.build("fresh_workers")
    found = fresh_is_findable(full.lake, "fresh_workers", NOW, WordEmbedder(), exact)
    assert (whys(found), found.rows_checked) == ([], 1)


def test_a_fresh_row_that_the_search_does_not_know_yet_is_named(full: Room, exact: Searcher) -> None:
    rows = [{"id": f"f{number}", "role": f"Role{number}"} for number in range(5)]
    record_fresh(full.lake, rows, full.embedder, NOW)

    def stale(name: str, vectors: Any, k: int) -> Any:
        ids, distances = exact(name, vectors, len(rows))
        kept = [[place for place, one in enumerate(row) if one != "f3"] for row in ids]
        return (
            [[row[place] for place in places][:k] for row, places in zip(ids, kept, strict=True)],
            [[row[place] for place in places][:k] for row, places in zip(distances, kept, strict=True)],
        )

    found = fresh_is_findable(full.lake, "fresh_workers", NOW, WordEmbedder(), stale)
    assert whys(found) == ["f3 is not found by its own text"]


def test_a_fresh_row_behind_another_is_named_with_its_rank(full: Room, exact: Searcher) -> None:
    rows = [{"id": f"f{number}", "role": f"Role{number}"} for number in range(5)]
    record_fresh(full.lake, rows, full.embedder, NOW)

    def turned(name: str, vectors: Any, k: int) -> Any:
        ids, distances = exact(name, vectors, k)
        ids[2][0], ids[2][1] = ids[2][1], ids[2][0]
        return ids, distances

    [why] = whys(fresh_is_findable(full.lake, "fresh_workers", NOW, WordEmbedder(), turned))
    assert " is at rank 1 for its own text" in why


def test_rows_of_the_same_text_share_rank_0(room: Room, exact: Searcher) -> None:
    rows = [{"id": f"f{number}", "role": "Cook"} for number in range(30)]
    record_fresh(room.lake, rows, room.embedder, NOW)
    assert whys(fresh_is_findable(room.lake, "fresh_workers", NOW, WordEmbedder(), exact)) == []
