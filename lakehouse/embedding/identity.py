"""Who made a vector: backend, model, revision and dimension, stored with every corpus.

Here: the record and the refusal to mix. Not here: how a backend finds its revision (`backends/`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lakehouse.errors import UsageError

Kind = Literal["document", "query"]
"""What a text is: some models read a query and a document differently."""


class EmbedderIdentity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An embedder. `revision` changes with the weights (a SHA-256, a commit or a digest); `dimension` counts numbers."""

    backend: str
    model: str
    revision: str
    dimension: int

    def __str__(self) -> str:
        return f"{self.backend} {self.model} ({self.revision[:12]}, {self.dimension} dimensions)"


def require_same(identity: EmbedderIdentity, other: EmbedderIdentity, *, where: str = "") -> None:
    """Refuse another embedder than the one that made the vectors at `where`, also where the dimension agrees.

    Raises `UsageError` that names what differs.
    """
    fields = EmbedderIdentity.__struct_fields__
    differing = [name for name in fields if getattr(identity, name) != getattr(other, name)]
    if differing:
        raise UsageError(
            f"its vectors are of {identity}, and {other} is another embedder ({', '.join(differing)} differ): "
            "distances between the two mean nothing",
            where=where,
            mend="build the corpus anew with this embedder, or choose its own: LAKEHOUSE_EMBEDDER and LAKEHOUSE_EMBEDDING_MODEL",
        )
