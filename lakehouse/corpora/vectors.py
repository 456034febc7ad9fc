"""One vector per row, out of one or several texts.

Here: the mean of unit vectors, and embedding each different text once. Not here: embedders (`lakehouse.embedding`).

Measured on rosters: the mean of a worker's whole text and of its first sentence finds role and city of a demand at the first
place in 85–96 % of the queries, the whole text alone in 56–77 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakehouse.embedding.identity import Kind
from lakehouse.errors import OutsideFailure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lakehouse.embedding import Embedder


def vectors_of(embedder: Embedder, rows: Sequence[tuple[str, ...]], kind: Kind = "document") -> NDArray[np.float32]:
    """Give a unit vector per row (n, dimension): the normalised mean of the vectors of its texts.

    Raises `UsageError` where a text is blank, `OutsideFailure` where the embedder fails.
    """
    import numpy as np

    places: dict[str, int] = {}
    for texts in rows:
        for text in texts:
            places.setdefault(text, len(places))
    found = np.empty((len(rows), embedder.identity.dimension), np.float32)
    if not rows:
        return found
    each = embedder.embed(list(places), kind)
    for row, texts in zip(found, rows, strict=True):
        if len(texts) == 1:
            row[:] = each[places[texts[0]]]
            continue
        mean = each[[places[text] for text in texts]].mean(axis=0, dtype=np.float64)
        length = np.linalg.norm(mean)
        if length < 1e-6:
            raise OutsideFailure(
                "the vectors of a row's texts cancel each other out",
                where=str(embedder.identity),
                mend="choose another model",
            )
        row[:] = mean / length
    return found
