"""How alike two answers are: by their words, or by an embedder.

Here: the two measures, each with its name. Not here: what follows from them. Numbers of two methods are never compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from lakehouse.similarity.words import words

if TYPE_CHECKING:
    from lakehouse.embedding import Embedder


class Similar(NamedTuple):
    """A measure. `of` gives a number up to 1, where both texts are the same; `method` names it in reports."""

    method: str
    of: Callable[[str, str], float]


def word_overlap(one: str, other: str) -> float:
    """Give the F1 of the words that two texts share, each counted as often as it stands there: 0 none, 1 the same words.

    Order counts for nothing. Two texts without a word are as unlike as can be said: 0.
    """
    left, right = Counter(words(one)), Counter(words(other))
    total = left.total() + right.total()
    return 2 * (left & right).total() / total if total else 0.0


BY_WORDS: Final = Similar("word overlap (F1)", word_overlap)


def by_embedder(embedder: Embedder) -> Similar:
    """Give the cosine of the texts' vectors. A text longer than the model's window counts by its beginning."""

    def cosine(one: str, other: str) -> float:
        if not one.strip() or not other.strip():
            return 0.0
        if one == other:
            return 1.0
        left, right = embedder.embed([one, other], "document").astype("float64")
        return float(min(1.0, max(-1.0, left @ right)))

    return Similar(f"cosine ({embedder.identity})", cosine)
