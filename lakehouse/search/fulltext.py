"""Full text in memory: BM25 over the texts of a snapshot.

Here: words, postings and scores. Not here: how full text and vectors are joined (`search.py`). The score is Okapi BM25 with
the idf of Lucene, ln(1 + (N − n + 0.5) / (n + 0.5)); source: Robertson and Zaragoza, "The Probabilistic Relevance
Framework: BM25 and Beyond" (2009). Making it costs about 25 µs a text; a snapshot does so when it is first asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from math import log1p
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

K1: Final = 1.2
B: Final = 0.75
_WORD: Final = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Give the words of a text without case."""
    return _WORD.findall(text.casefold())


class Bm25:
    """The postings of all words: which rows have a word, and what it is worth there.

    With `like` words and lengths are weighed by the statistics of another one.
    """

    def __init__(self, texts: Iterable[str], *, like: Bm25 | None = None) -> None:
        import numpy as np

        self._vocabulary: dict[str, int] = {}
        word_ids: list[int] = []
        rows: list[int] = []
        counts: list[int] = []
        lengths: list[int] = []
        for row, text in enumerate(texts):
            found = words(text)
            lengths.append(len(found))
            for word, count in Counter(found).items():
                word_ids.append(self._vocabulary.setdefault(word, len(self._vocabulary)))
                rows.append(row)
                counts.append(count)
        self._count = len(lengths)
        order = np.argsort(np.array(word_ids, dtype=np.int64), kind="stable")
        self._rows = np.array(rows, dtype=np.int64)[order]
        held_by = np.bincount(np.array(word_ids, dtype=np.int64), minlength=len(self._vocabulary))
        self._starts = np.concatenate([[0], np.cumsum(held_by)])
        length = np.array(lengths, dtype=np.float64)
        self._idf = np.log1p((self._count - held_by + 0.5) / (held_by + 0.5))
        self._mean = float(length.mean()) if len(length) else 0.0
        if like is not None:
            self._idf = np.array([like.idf(word) for word in self._vocabulary])
            self._mean = like._mean
        relative = length / (self._mean or 1.0)
        often = np.array(counts, dtype=np.float64)[order]
        idf = np.repeat(self._idf, held_by)
        self._worth = idf * often * (K1 + 1) / (often + K1 * (1 - B + B * relative[self._rows]))

    def idf(self, word: str) -> float:
        """Give what a word is worth: the rarer the more."""
        number = self._vocabulary.get(word)
        return float(self._idf[number]) if number is not None else log1p((self._count + 0.5) / 0.5)

    def top(self, query: str, k: int, passing: NDArray[np.bool_] | None = None) -> list[tuple[float, int]]:
        """Give score and place of the `k` best rows, best first, those of the same score in their order.

        Rows without a word of the query are none.
        """
        import numpy as np

        scores = np.zeros(self._count)
        for word in dict.fromkeys(words(query)):
            number = self._vocabulary.get(word)
            if number is not None:
                here = slice(self._starts[number], self._starts[number + 1])
                scores[self._rows[here]] += self._worth[here]
        if passing is not None:
            scores[~passing] = 0
        found = np.flatnonzero(scores > 0)
        worth = np.round(scores[found], 9)
        best = np.lexsort((found, -worth))[:k]
        return list(zip(worth[best].tolist(), found[best].tolist(), strict=True))
