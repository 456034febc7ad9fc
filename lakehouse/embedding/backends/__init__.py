"""The backends by name. A new one is a file here that ends with its `SPEC`, and a line in this list."""

from __future__ import annotations

from lakehouse.embedding.backends import ollama, onnx, sentence_transformers
from lakehouse.embedding.backends.spec import BackendSpec
from lakehouse.errors import UsageError

BACKENDS: dict[str, BackendSpec] = {spec.name: spec for spec in (sentence_transformers.SPEC, onnx.SPEC, ollama.SPEC)}


def backend(name: str) -> BackendSpec:
    """Give a backend. Raises `UsageError` that lists the known names."""
    try:
        return BACKENDS[name]
    except KeyError:
        raise UsageError(
            f"there is no embedding backend {name!r}",
            where="LAKEHOUSE_EMBEDDER",
            mend=f"the backends are {', '.join(BACKENDS)}",
        ) from None
