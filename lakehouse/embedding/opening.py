"""Opening the embedder of a lake: which backend and model, with the cache in front.

Here: the choice. Not here: environment variables (`resources/embedder.py` reads those).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lakehouse.lake import Lake

if TYPE_CHECKING:
    from lakehouse.embedding.cached import CachedEmbedder


def open_embedder(
    lake: Lake,
    backend: str | None = None,
    model: str | None = None,
    *,
    host: str = "",
    timeout: float = 60.0,
    threads: int = 0,
    remember: int = 20_000,
    cache: bool = True,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> CachedEmbedder:
    """Open an embedder; close it yourself.

    Without a backend: `onnx` where the model is exported, or is the packaged one and can be; else the reference.
    `cache=False` leaves the table in the lake out, `remember` bounds the texts kept in memory (2 KB each), `threads` 0
    takes every core. `host`, `timeout` (seconds), `sleep` and `jitter` are for a model server. Raises
    `UsageError` where a backend is unknown or a package missing, `OutsideFailure` where a file or a server fails.
    """
    from lakehouse.embedding.backends import backend as backend_named
    from lakehouse.embedding.backends.spec import Options
    from lakehouse.embedding.cached import CachedEmbedder
    from lakehouse.embedding.table import VectorTable

    spec = backend_named(backend or default_backend(lake, model))
    options = Options(host, timeout, threads=threads, sleep=sleep, jitter=jitter)
    opened = spec.open(lake, model or spec.default_model, options)
    table = VectorTable(lake, opened.identity) if cache else None
    return CachedEmbedder(opened, table, remember)


def default_backend(lake: Lake, model: str | None = None) -> str:
    """Give the backend that is taken where none is named."""
    from lakehouse.embedding import export, source
    from lakehouse.embedding.backends import onnx, sentence_transformers

    if not source.installed(*export.NEEDS):
        return sentence_transformers.NAME
    model = model or source.PACKAGED_MODEL
    rounded = model.endswith(export.INT8)
    is_there = (export.folder_of(lake, model) / "export.json").is_file()
    can_be = model == source.PACKAGED_MODEL and source.installed(*export.MAKING, source.PACKAGE)
    return onnx.NAME if rounded or is_there or can_be else sentence_transformers.NAME
