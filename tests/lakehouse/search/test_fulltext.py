"""BM25: what is found, in which order, and by whose statistics."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from lakehouse.search.fulltext import K1, B, Bm25, words

TEXTS = ["red forklift", "red red truck", "blue truck driver at night", ""]


def test_the_score_is_okapi_bm25() -> None:
    mean = (2 + 3 + 5 + 0) / 4
    idf = log(1 + (4 - 2 + 0.5) / (2 + 0.5))
    (best, row), _ = Bm25(TEXTS).top("red", 5)
    assert row == 1
    assert best == pytest.approx(idf * 2 * (K1 + 1) / (2 + K1 * (1 - B + B * 3 / mean)))


def test_rows_without_a_word_of_the_query_are_none() -> None:
    found = Bm25(TEXTS)
    assert found.top("green", 5) == found.top("", 5) == Bm25([]).top("red", 5) == Bm25([""]).top("red", 5) == []
    assert {row for _, row in found.top("TRUCK!", 5)} == {1, 2}


def test_a_filter_and_k_hold() -> None:
    found = Bm25(TEXTS)
    assert [row for _, row in found.top("red truck", 1)] == [1]
    assert [row for _, row in found.top("red", 5, np.array([True, False, True, True]))] == [0]


def test_equal_texts_stay_in_their_order() -> None:
    assert [row for _, row in Bm25(["b", "a", "a", "a"]).top("a", 2)] == [1, 2]


def test_by_the_statistics_of_the_whole_a_part_scores_as_in_the_whole() -> None:
    whole = Bm25(TEXTS)
    part = Bm25(TEXTS[1:3], like=whole)
    for query in ("red truck", "driver at night", "unheard of"):
        in_whole = {row: score for score, row in whole.top(query, 5)}
        assert {row + 1: score for score, row in part.top(query, 5)} == {
            row: score for row, score in in_whole.items() if row in (1, 2)
        }


def test_words_have_no_case() -> None:
    assert words("Straße OSHA-10") == ["strasse", "osha", "10"]
