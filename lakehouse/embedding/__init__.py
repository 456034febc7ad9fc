"""Texts to vectors: one interface over several backends, and a cache in front of them.

Here: the interface, and what a caller needs: `open_embedder`, `EmbedderIdentity`, `require_same`. `backends/` holds one
file per backend; `export.py` and `graph.py` make what the onnx backend runs; `table.py` and `cached.py` are the cache.
Not here: what is embedded and where the vectors go (`corpora/`), counting tokens for chunks (`chunking/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from lakehouse.embedding.identity import EmbedderIdentity, Kind, require_same
from lakehouse.embedding.opening import open_embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Embedder", "EmbedderIdentity", "Kind", "open_embedder", "require_same"]


class Embedder(Protocol):
    """Turns texts into vectors and counts what it did.

    `embedded` counts the texts that the model read, `cached` those that it need not read, `cut` those longer than the
    model's window, cached ones included.
    """

    embedded: int
    cached: int
    cut: int

    @property
    def identity(self) -> EmbedderIdentity:
        """Who made the vectors."""

    def embed(self, texts: Sequence[str], kind: Kind = "document") -> NDArray[np.float32]:
        """Give one row of length 1 per text, in their order. Raises `UsageError` where a text is blank."""
