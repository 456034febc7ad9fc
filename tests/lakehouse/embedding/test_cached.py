"""The cache before a backend: a text is embedded once in its life, and what callers rely on is held."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lakehouse.embedding import EmbedderIdentity
from lakehouse.embedding.backends.spec import Encoded
from lakehouse.embedding.cached import CachedEmbedder
from lakehouse.embedding.table import VectorTable
from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.lake import Lake


def counters(embedder: CachedEmbedder) -> tuple[int, int, int]:
    return embedder.embedded, embedder.cached, embedder.cut


@pytest.fixture
def table(lake: Lake, fake: Any) -> Iterator[VectorTable]:
    opened = VectorTable(lake, fake().identity)
    yield opened
    opened.close()


def test_rows_are_in_the_order_of_the_texts(fake: Any) -> None:
    texts = [f"text {number} {'x' * (number * 7 % 30)}" for number in range(50)]
    vectors = CachedEmbedder(fake(), None).embed(texts)
    assert vectors.shape == (50, 8)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, fake().encode(texts, "document").vectors)


def test_no_texts_give_no_rows(fake: Any) -> None:
    assert CachedEmbedder(fake(), None).embed([]).shape == (0, 8)


def test_a_text_is_embedded_once_in_its_life(table: VectorTable, fake: Any) -> None:
    first, again = fake(), fake()
    embedder = CachedEmbedder(first, table)
    before = embedder.embed(["a", "b", "a"])
    assert (first.asked, counters(embedder)) == (["a", "b"], (2, 1, 0))
    # A new process: nothing in memory, everything in the table.
    later = CachedEmbedder(again, table)
    after = later.embed(["b", "c", "a"])
    assert (again.asked, counters(later)) == (["c"], (1, 2, 0))
    np.testing.assert_array_equal(after[[2, 0]], before[:2])


def test_memory_is_bounded_and_forgets_what_was_asked_for_longest_ago(fake: Any) -> None:
    backend = fake()
    embedder = CachedEmbedder(backend, None, remember=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        embedder.embed([text])
    assert backend.asked == ["a", "b", "c", "b"]


def test_what_memory_forgot_comes_from_the_table(table: VectorTable, fake: Any) -> None:
    backend = fake()
    embedder = CachedEmbedder(backend, table, remember=1)
    embedder.embed(["a", "b", "c"])
    np.testing.assert_array_equal(embedder.embed(["a"])[0], fake().encode(["a"], "document").vectors[0])
    assert backend.asked == ["a", "b", "c"]


@pytest.mark.parametrize(("by_kind", "asked"), [(False, ["word"]), (True, ["word", "word"])])
def test_query_and_document_are_one_text_unless_the_model_reads_them_differently(
    table: VectorTable, fake: Any, by_kind: bool, asked: list[str]
) -> None:
    backend = fake(by_kind=by_kind)
    embedder = CachedEmbedder(backend, table)
    document, query = embedder.embed(["word"], "document"), embedder.embed(["word"], "query")
    assert backend.asked == asked
    assert np.array_equal(document, query) is not by_kind


def test_another_embedder_never_reads_these_vectors(lake: Lake, table: VectorTable, fake: Any) -> None:
    CachedEmbedder(fake(), table).embed(["a"])
    newer = fake(EmbedderIdentity("fake", "words", "r2", 8))
    other = VectorTable(lake, newer.identity)
    CachedEmbedder(newer, other).embed(["a"])
    other.close()
    assert newer.asked == ["a"]
    assert other.path != table.path


def test_cut_texts_are_counted_also_when_they_are_cached(table: VectorTable, fake: Any) -> None:
    long = "x" * 41
    for embedder in (CachedEmbedder(fake(), table), CachedEmbedder(fake(), table)):
        embedder.embed([long, "short"])
        assert embedder.cut == 1


@pytest.mark.parametrize("blank", ["", " ", "\n\t ", "\u3000"])
def test_a_blank_text_is_an_error_that_names_its_place_and_nothing_is_embedded(fake: Any, blank: str) -> None:
    backend = fake()
    with pytest.raises(UsageError, match="text 1 of 3 is empty"):
        CachedEmbedder(backend, None).embed(["a", blank, "b"])
    assert backend.calls == []


def test_half_a_character_is_an_error(fake: Any) -> None:
    with pytest.raises(UsageError, match="half a character"):
        CachedEmbedder(fake(), None).embed(["\ud83d"])


def test_one_string_is_not_taken_for_a_list_of_letters(fake: Any) -> None:
    with pytest.raises(UsageError, match="list of texts"):
        CachedEmbedder(fake(), None).embed("word")


def test_many_texts_reach_the_backend_in_bounded_slices_and_are_kept_as_they_come(
    table: VectorTable, fake: Any
) -> None:
    backend = fake()
    texts = [f"text {number}" for number in range(2500)]

    def dying(given: list[str], kind: Any, encode: Any = backend.encode) -> Encoded:
        if len(backend.calls) == 2:
            raise KeyboardInterrupt
        made: Encoded = encode(given, kind)
        return made

    backend.encode = dying
    with pytest.raises(KeyboardInterrupt):
        CachedEmbedder(backend, table).embed(texts)
    assert [len(given) for _, given in backend.calls] == [1024, 1024]
    again = fake()
    CachedEmbedder(again, table).embed(texts)
    assert again.asked == texts[2048:]


def test_batches_stream_any_number_of_texts(fake: Any) -> None:
    texts = [f"text {number}" for number in range(10)]
    batches = list(CachedEmbedder(fake(), None).embed_batches(iter(texts), size=4))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(batches), fake().encode(texts, "document").vectors)


@pytest.mark.parametrize(
    "vectors",
    [np.zeros((1, 8)), np.full((1, 8), np.nan), np.ones((1, 8)), np.eye(8)[:2], np.eye(7)[:1]],
    ids=["zero", "nan", "not of length 1", "too many", "of another dimension"],
)
def test_a_backend_that_breaks_its_promise_is_told_and_nothing_is_kept(
    table: VectorTable, fake: Any, vectors: Any
) -> None:
    backend = fake()
    backend.encode = lambda texts, kind: Encoded(vectors.astype(np.float32), np.zeros(len(vectors), bool))
    with pytest.raises(OutsideFailure, match="fake words"):
        CachedEmbedder(backend, table).embed(["a"])
    assert table.count() == 0


def test_threads_share_one_embedder(table: VectorTable, fake: Any) -> None:
    embedder = CachedEmbedder(fake(), table, remember=50)
    texts = [f"text {number}" for number in range(200)]
    expected = fake().encode(texts, "document").vectors
    wrong: list[int] = []

    def work(number: int) -> None:
        for start in range(0, 200, 20):
            place = (start + 40 * number) % 200
            if not np.array_equal(embedder.embed(texts[place : place + 20]), expected[place : place + 20]):
                wrong.append(place)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert (table.count(), embedder.embedded + embedder.cached) == (200, 800)
