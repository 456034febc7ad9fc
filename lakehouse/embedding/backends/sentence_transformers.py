"""The reference backend: sentence-transformers on torch, and the way to any model that it can load.

Here: running a loaded model. Not here: where its files come from (`source.py`), the faster way to the same vectors
(`onnx.py`). Cold start takes seconds, for torch does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lakehouse.embedding import source
from lakehouse.embedding.backends.spec import BackendSpec, Encoded, Options
from lakehouse.embedding.identity import EmbedderIdentity, Kind
from lakehouse.lake import Lake

NAME = "sentence-transformers"
_BATCH = 32


class SentenceTransformersBackend:
    """A model in this process. Rows are sorted by length inside `SentenceTransformer.encode`."""

    def __init__(self, model: Any, name: str, revision: str) -> None:
        self.model = model
        self._prefixes = prefixes(model, name)
        self.by_kind = len(set(self._prefixes.values())) > 1
        self.identity = EmbedderIdentity(NAME, name, revision, int(model.get_embedding_dimension()))

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        """Embed texts; see `Backend`."""
        import numpy as np

        prefix = self._prefixes[kind]
        vectors = self.model.encode(
            list(texts),
            prompt=prefix or None,
            batch_size=_BATCH,
            convert_to_numpy=True,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        window = self.model.max_seq_length
        # The tokenizer says how long each text is before it is cut; it would also warn about it.
        lengths = [
            len(ids) for ids in self.model.tokenizer([prefix + text for text in texts], verbose=False)["input_ids"]
        ]
        cut = np.array([window is not None and length > window for length in lengths], bool)
        return Encoded(np.asarray(vectors, np.float32), cut)


def prefixes(model: Any, name: str) -> dict[Kind, str]:
    """Give what is put before a text of each kind: as the model's card asks, else as its configuration says."""
    kinds: tuple[Kind, ...] = ("document", "query")
    return {kind: source.prefix_of(name, kind) or model.prompts.get(kind) or "" for kind in kinds}


def open_model(lake: Lake, model: str, options: Options) -> SentenceTransformersBackend:  # noqa: ARG001 (one shape for all backends)
    """Load a model by name or folder. Raises `UsageError` or `OutsideFailure` where that cannot be done."""
    found = source.find(model)
    loaded = source.load(found)
    return SentenceTransformersBackend(loaded, found.name, found.revision or source.commit_of(loaded))


SPEC = BackendSpec(NAME, source.PACKAGED_MODEL, open_model)
