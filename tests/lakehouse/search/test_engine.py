"""Serving from memory: exact, by index, and following what is written."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lakehouse import files
from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.search import ivf, saved
from lakehouse.search.engine import Searcher
from lakehouse.search.filters import conditions

from .conftest import IDENTITY, MadeSource, at_distance

faiss = pytest.importorskip("faiss")
QUERY = at_distance(0)


def clustered(count: int, dimension: int = 8, seed: int = 3) -> np.ndarray:
    chance = np.random.default_rng(seed)
    centres = chance.standard_normal((max(1, count // 50), dimension))
    rows = centres[chance.integers(0, len(centres), count)] + 0.3 * chance.standard_normal((count, dimension))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_nearest_come_first_with_their_true_distance(source: MadeSource, searcher: Searcher) -> None:
    for row_id, distance in (("c", 0.3), ("a", 1.2), ("b", 0.1)):
        source.put(row_id, at_distance(distance))
    found = searcher.view().nearest(QUERY, 10)
    assert [(hit.id, pytest.approx(hit.distance, abs=1e-7)) for hit in found] == [("b", 0.1), ("c", 0.3), ("a", 1.2)]


def test_rows_of_the_same_distance_go_by_id(source: MadeSource, searcher: Searcher) -> None:
    for row_id in ("w-9", "w-10", "w-1", "w-2"):
        source.put(row_id, at_distance(0.25))
    assert [hit.id for hit in searcher.view().nearest(QUERY, 3)] == ["w-1", "w-10", "w-2"]


def test_an_empty_corpus_and_a_k_of_none_give_nothing(source: MadeSource, searcher: Searcher) -> None:
    assert searcher.view().nearest(QUERY, 5) == []
    source.put("a", at_distance(0.1))
    assert searcher.view().nearest(QUERY, 0) == []


def test_a_query_of_another_dimension_is_refused(source: MadeSource, searcher: Searcher) -> None:
    source.put("a", at_distance(0.1))
    with pytest.raises(UsageError):
        searcher.view().nearest(np.ones(3, np.float32), 1)


@pytest.mark.parametrize("where", [[], [{"field": "place", "op": "lt", "value": 2500}]])
def test_index_and_exact_search_give_the_same(where: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.search.snapshot.EXACT_BELOW", 0)
    source = MadeSource()
    vectors = clustered(4000)
    source.put_all("w-", vectors)
    exact, indexed = Searcher(source, index_from=10**9), Searcher(source, index_from=100)
    indexed.prepare()
    assert indexed.status().how == "ivf"
    met = conditions(where)
    same = sum(
        exact.view().nearest(vector, 10, met) == indexed.view().nearest(vector, 10, met) for vector in vectors[::40]
    )
    assert same >= 99


def test_an_index_gives_ties_by_id_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.search.snapshot.EXACT_BELOW", 0)
    source = MadeSource()
    vectors = clustered(600)
    vectors[100:400] = vectors[100]
    source.put_all("w-", vectors)
    searcher = Searcher(source, index_from=100)
    searcher.prepare()
    assert [hit.id for hit in searcher.view().nearest(vectors[100], 5)] == [
        f"w-{place:06}" for place in range(100, 105)
    ]


def test_a_selective_filter_never_gives_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.search.snapshot.EXACT_BELOW", 2)
    source = MadeSource()
    vectors = clustered(2000)
    source.put_all("w-", vectors)
    searcher = Searcher(source, index_from=100)
    searcher.prepare()
    for most in (1, 3, 20, 500):
        met = conditions([{"field": "place", "op": "lt", "value": most}])
        for vector in vectors[::200]:
            found = searcher.view().nearest(vector, 10, met)
            assert len(found) == min(10, most)
            assert all(hit.metadata["place"] < most for hit in found)


def test_training_is_the_same_for_the_same_rows() -> None:
    vectors = clustered(2000)
    one, other = ivf.train(vectors), ivf.train(vectors)
    assert (one.of_row == other.of_row).all()
    assert one.probes == other.probes


def test_new_rows_are_found_at_once_before_and_after_an_index() -> None:
    source = MadeSource()
    source.put_all("w-", clustered(1000))
    searcher = Searcher(source, index_from=100)
    new = clustered(3, seed=99)
    source.put("fresh-1", new[0])
    assert searcher.view().nearest(new[0], 1)[0].id == "fresh-1"
    searcher.settle()
    assert searcher.status().how == "ivf"
    source.put("fresh-2", new[1])
    assert searcher.view().nearest(new[1], 1)[0].id == "fresh-2"
    searcher.prepare()
    for row_id, vector in (("fresh-1", new[0]), ("fresh-2", new[1])):
        assert searcher.view().nearest(vector, 1)[0].id == row_id


def test_a_row_that_changed_is_found_where_it_is_now(source: MadeSource, searcher: Searcher) -> None:
    source.put("a", at_distance(0.1), "old words", {"city": "Erie"})
    source.put("b", at_distance(0.5))
    searcher.view()
    source.put("a", at_distance(0.9), "new words", {"city": "Gary"})
    view = searcher.view()
    assert [(hit.id, round(hit.distance, 6)) for hit in view.nearest(QUERY, 5)] == [("b", 0.5), ("a", 0.9)]
    assert view.text_of("a") == "new words"
    assert view.nearest(QUERY, 5, conditions([{"field": "city", "op": "eq", "value": "Erie"}])) == []
    assert [hit.id for hit in view.among(["a"], QUERY)] == ["a"]
    assert [hit.id for hit in view.within(QUERY, 0.6)] == ["b"]
    assert (view.matching("old", 5), view.matching("new", 5)) == ([], ["a"])
    assert source.whole_reads == 1


def test_a_row_that_was_deleted_is_gone(source: MadeSource, searcher: Searcher) -> None:
    source.put("a", at_distance(0.1))
    source.put("b", at_distance(0.2))
    searcher.view()
    source.drop("a")
    source.put("c", at_distance(0.3))
    assert [hit.id for hit in searcher.view().nearest(QUERY, 5)] == ["b", "c"]


@pytest.mark.parametrize("tells_changes", [True, False])
def test_many_single_writes_are_folded_in(tells_changes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.search.engine._FOLD_FROM", 20)
    source = MadeSource(tells_changes=tells_changes)
    searcher = Searcher(source, index_from=50)
    vectors = clustered(130)
    for place, vector in enumerate(vectors):
        source.put(f"pb-{place:03}", vector)
        assert searcher.view().nearest(vector, 1)[0].id == f"pb-{place:03}"
    searcher.settle()
    assert len(searcher.view()) == 130
    assert searcher.status().newer < 130
    assert [searcher.view().nearest(vector, 1)[0].id for vector in vectors] == sorted(source.held)
    assert source.whole_reads == (1 if tells_changes else 130)


def test_writing_while_the_index_is_trained_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    source = MadeSource()
    source.put_all("w-", clustered(500))
    searcher = Searcher(source, index_from=100)
    trained, go_on, train = threading.Event(), threading.Event(), ivf.train

    def slowly(vectors: np.ndarray) -> ivf.Lists:
        lists = train(vectors)
        trained.set()
        assert go_on.wait(20)
        return lists

    monkeypatch.setattr(ivf, "train", slowly)
    new = clustered(2, seed=8)
    searcher.view()
    assert trained.wait(20)
    source.put("w-new", new[0])
    assert searcher.view().nearest(new[0], 1)[0].id == "w-new"
    assert searcher.status().how == "exact"
    go_on.set()
    searcher.settle()
    assert searcher.status().how == "ivf"
    assert searcher.view().nearest(new[0], 1)[0].id == "w-new"


def test_everything_read_anew_while_training_keeps_the_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    source = MadeSource(tells_changes=False)
    source.put_all("w-", clustered(500))
    searcher = Searcher(source, index_from=100)
    go_on, train = threading.Event(), ivf.train
    monkeypatch.setattr(ivf, "train", lambda vectors: (go_on.wait(20), train(vectors))[1])
    searcher.view()
    source.drop("w-000007")
    searcher.view()
    go_on.set()
    searcher.settle()
    assert searcher.status().how == "ivf"
    assert searcher.view().among(["w-000007"], QUERY) == []


def test_without_waiting_searches_go_on_with_the_old_while_the_new_is_read(source: MadeSource) -> None:
    source.tells_changes = False
    source.put("a", at_distance(0.1))
    searcher = Searcher(source, wait=False)
    assert len(searcher.view()) == 1
    go_on = threading.Event()
    source.before_rows = lambda: None if go_on.wait(20) else pytest.fail("nobody let it go on")
    source.put("b", at_distance(0.2))
    assert [hit.id for hit in searcher.view().nearest(QUERY, 5)] == ["a"]
    go_on.set()
    searcher.settle()
    assert [hit.id for hit in searcher.view().nearest(QUERY, 5)] == ["a", "b"]


def test_a_store_that_fails_beside_leaves_the_old_serving_and_is_asked_again(source: MadeSource) -> None:
    source.tells_changes = False
    source.put("a", at_distance(0.1))
    searcher = Searcher(source, wait=False)
    searcher.view()

    def fail() -> None:
        raise OutsideFailure("the disk is gone", where="here", mend="plug it in")

    source.before_rows = fail
    source.put("b", at_distance(0.2))
    assert [hit.id for hit in searcher.view().nearest(QUERY, 5)] == ["a"]
    searcher.settle()
    assert "the disk is gone" in searcher.trouble
    source.before_rows = lambda: None
    searcher.view()
    searcher.settle()
    assert len(searcher.view()) == 2
    assert searcher.trouble == ""


def test_readers_never_see_half_of_a_version() -> None:
    """Every version holds rows of one distance; whoever sees two of them saw half a version."""
    source = MadeSource(tells_changes=False)
    searcher = Searcher(source)
    versions = [{f"w-{place}": (at_distance(far), "{}", "") for place in range(30)} for far in (0.1, 0.4)]
    source.held = versions[0]
    wrong: list[set[float]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen = {hit.distance for hit in searcher.view().nearest(QUERY, 30)}
            if len(seen) != 1:
                wrong.append(seen)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for turn in range(60):
        source.held = versions[turn % 2]
        source.number += 1
        searcher.view()
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_a_saved_snapshot_serves_without_reading_the_store(tmp_path: Path) -> None:
    source = MadeSource()
    vectors = clustered(600)
    source.put_all("w-", vectors)
    first = Searcher(source, folder=tmp_path, index_from=100)
    first.prepare()
    again = Searcher(source, folder=tmp_path, index_from=100)
    assert again.status() == first.status()
    assert again.view().nearest(vectors[5], 10) == first.view().nearest(vectors[5], 10)
    assert source.whole_reads == 1


def test_a_saved_snapshot_that_is_stale_takes_the_changes(tmp_path: Path) -> None:
    source = MadeSource()
    source.put_all("w-", clustered(600))
    Searcher(source, folder=tmp_path, index_from=100).prepare()
    new = clustered(1, seed=5)[0]
    source.put("w-new", new)
    again = Searcher(source, folder=tmp_path, index_from=100)
    assert again.view().nearest(new, 1)[0].id == "w-new"
    assert source.whole_reads == 1


@pytest.mark.parametrize("kind", ["about", "rows", "vectors", "centroids", "lists"])
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_file_is_as_if_it_were_not_there(tmp_path: Path, kind: str, damage: str) -> None:
    source = MadeSource()
    vectors = clustered(300)
    source.put_all("w-", vectors)
    Searcher(source, folder=tmp_path, index_from=100).prepare()
    (path,) = tmp_path.glob(f"{kind}*")
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data[: len(data) // 2] if damage == "cut" else bytes([data[0] ^ 255]) + data[1:])
    assert saved.load(tmp_path) is None
    again = Searcher(source, folder=tmp_path, index_from=100)
    assert again.view().nearest(vectors[7], 1)[0].id == "w-000007"
    assert source.whole_reads == 2
    again.prepare(retrain=True)
    assert saved.load(tmp_path) is not None


@pytest.mark.parametrize("killed_at", range(4))
def test_a_writer_killed_while_saving_leaves_the_old_files_serving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    """Ids and texts stay: vectors, centroids and lists are written, and last about.json."""
    source = MadeSource()
    source.put_all("w-", clustered(300))
    Searcher(source, folder=tmp_path, index_from=100).prepare()
    old = saved.load(tmp_path)
    source.put_all("w-", clustered(300, seed=77))
    writes = []

    class Killed(files.Staged):
        def __enter__(self) -> files.Staged:
            writes.append(self.path)
            if len(writes) > killed_at:
                raise KeyboardInterrupt
            return super().__enter__()

    monkeypatch.setattr(saved, "Staged", Killed)
    monkeypatch.setattr(files, "Staged", Killed)
    with pytest.raises(KeyboardInterrupt):
        Searcher(source, folder=tmp_path, index_from=100).prepare(retrain=True)
    now = saved.load(tmp_path)
    assert old is not None
    assert now is not None
    assert (now.version, now.ids) == (old.version, old.ids)
    assert now.nearest(old.vectors[3], 5) == old.nearest(old.vectors[3], 5)
    assert len(writes) == killed_at + 1


def test_saving_removes_what_the_version_before_had(tmp_path: Path) -> None:
    source = MadeSource()
    source.put_all("w-", clustered(300))
    searcher = Searcher(source, folder=tmp_path, index_from=100)
    searcher.prepare()
    source.put("w-new", at_distance(0.5))
    searcher.prepare()
    assert len([path for path in tmp_path.iterdir() if not path.name.startswith(".")]) == 5


def test_an_empty_corpus_can_be_saved(tmp_path: Path) -> None:
    searcher = Searcher(MadeSource(), folder=tmp_path)
    searcher.prepare()
    loaded = saved.load(tmp_path)
    assert loaded is not None
    assert len(loaded) == 0


def test_without_faiss_every_row_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = MadeSource()
    vectors = clustered(300)
    source.put_all("w-", vectors)
    Searcher(source, folder=tmp_path, index_from=100).prepare()
    monkeypatch.setattr("lakehouse.search.ivf.available", lambda: False)
    monkeypatch.setattr("lakehouse.search.saved.available", lambda: False)
    for folder in (None, tmp_path):
        searcher = Searcher(source, folder=folder, index_from=100)
        assert searcher.status().how == "exact"
        assert searcher.view().nearest(vectors[9], 1)[0].id == "w-000009"


def test_an_index_that_was_outgrown_is_trained_anew() -> None:
    source = MadeSource()
    source.put_all("w-", clustered(400))
    searcher = Searcher(source, index_from=100)
    searcher.prepare()
    lists = searcher.view().base.lists
    source.put_all("x-", clustered(300, seed=4))
    searcher.prepare()
    grown = searcher.view().base.lists
    assert lists is not None
    assert grown is not None
    assert (grown.trained, grown.strangers, lists.trained) == (700, 0, 400)


def test_another_embedder_is_read_anew() -> None:
    source = MadeSource()
    source.put("a", at_distance(0.1))
    searcher = Searcher(source)
    searcher.view()
    source.identity = EmbedderIdentity("made", "by hand", "2", IDENTITY.dimension)
    source.number += 1
    assert searcher.view().identity == source.identity
    assert source.whole_reads == 2


def test_many_threads_get_what_one_gets() -> None:
    source = MadeSource()
    vectors = clustered(1500)
    source.put_all("w-", vectors)
    searcher = Searcher(source, index_from=100)
    searcher.prepare()
    alone = [searcher.view().nearest(vector, 5) for vector in vectors[:200]]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda vector: searcher.view().nearest(vector, 5), vectors[:200])) == alone
