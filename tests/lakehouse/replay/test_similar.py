"""How alike two answers are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.embedding import EmbedderIdentity
from lakehouse.replay.similar import BY_WORDS, by_embedder, word_overlap


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("the lock is held", "the lock is held", 1.0),
        ("the lock is held", "Held is THE lock!", 1.0),
        ("the lock is held", "nobody waits", 0.0),
        ("a b", "a b c d", 2 / 3),
        # Each word counts as often as it stands there.
        ("a a a", "a", 0.5),
        ("", "", 0.0),
        ("夜勤", "夜道", 0.5),
    ],
)
def test_words_that_two_texts_share(one: str, other: str, alike: float) -> None:
    assert word_overlap(one, other) == pytest.approx(alike)


@given(st.text(), st.text())
def test_word_overlap_is_a_share_and_the_same_both_ways(one: str, other: str) -> None:
    assert 0 <= word_overlap(one, other) <= 1
    assert word_overlap(one, other) == word_overlap(other, one)


class FakeEmbedder:
    """Knows two directions: texts with `a`, and all others."""

    identity = EmbedderIdentity("fake", "two", "r1", 2)
    embedded = cached = cut = 0

    def embed(self, texts: Any, kind: str = "document") -> Any:
        return np.array([[1, 0] if "a" in text else [0.6, -0.8] for text in texts], np.float32)


@pytest.mark.parametrize(
    ("one", "other", "alike"), [("a", "ba", 1.0), ("a", "c", 0.6), ("c", "c", 1.0), ("a", " ", 0.0), ("", "", 0.0)]
)
def test_an_embedder_gives_the_cosine_and_nothing_where_there_is_no_text(one: str, other: str, alike: float) -> None:
    assert by_embedder(FakeEmbedder()).of(one, other) == pytest.approx(alike)


def test_each_measure_has_its_name() -> None:
    assert BY_WORDS.method == "word overlap (F1)"
    assert by_embedder(FakeEmbedder()).method == "cosine (fake two (r1, 2 dimensions))"
