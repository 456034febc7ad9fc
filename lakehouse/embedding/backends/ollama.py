"""The backend of a model server: Ollama, or what speaks its API (`/api/tags`, `/api/embed`).

Here: requests, and what a bad answer means. Not here: when a text needs to be embedded (`../cached.py`), what is tried
again (`lakehouse/upstream.py`).

The revision is the digest of the model that the server holds, so that pulling a newer one makes another embedder.
Source: Ollama's API documentation, "Generate embeddings" and "List local models".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from lakehouse.addresses import checked_host, without_secret
from lakehouse.clients import Hooks, ollama_client, own_headers
from lakehouse.embedding import source
from lakehouse.embedding.backends.spec import BackendSpec, Encoded, Options
from lakehouse.embedding.identity import EmbedderIdentity, Kind
from lakehouse.errors import OutsideFailure
from lakehouse.lake import Lake
from lakehouse.upstream import MISSING, Failed, by_ollama, retried

NAME = "ollama"
DEFAULT_MODEL = "nomic-embed-text-v2-moe"
UNVERSIONED = "unversioned"
"""The revision where a server does not list its models."""
_BATCH = 32
_TOO_LONG = "context length"
"""What every version of the server says of a text beyond the model's window, under several status codes."""
_Answer = TypeVar("_Answer")


class OllamaBackend:
    """A model on a server. One request holds at most 32 texts of like length."""

    def __init__(self, model: str, options: Options) -> None:
        self._model = model
        self._options = options
        hooks: Hooks = {"request": [own_headers()]}
        self._client = ollama_client(checked_host(options.host), options.timeout, hooks)
        self._host = without_secret(options.host)
        kinds: tuple[Kind, ...] = ("document", "query")
        self._prefixes = {kind: source.prefix_of(model, kind) for kind in kinds}
        self.by_kind = len(set(self._prefixes.values())) > 1
        revision = self._retried(self._revision)
        dimension = len(self._retried(lambda: self._ask(["dimension"], truncate=True))[0])
        self.identity = EmbedderIdentity(NAME, model, revision, dimension)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        """Embed texts; see `Backend`. Raises `OutsideFailure` naming host and model."""
        import numpy as np

        vectors = np.empty((len(texts), self.identity.dimension), np.float32)
        cut = np.zeros(len(texts), bool)
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            rows, cut[batch] = self._batch([self._prefixes[kind] + texts[place] for place in batch])
            vectors[batch] = self._unit(rows)
        return Encoded(vectors, cut)

    def _batch(self, texts: list[str]) -> tuple[list[Sequence[float]], list[bool]]:
        """Embed a batch, and say which texts were cut: only by refusing does the server tell that one is too long."""
        try:
            return self._retried(lambda: self._ask(texts, truncate=False)), [False] * len(texts)
        except OutsideFailure as error:
            if _TOO_LONG not in error.what:
                raise
        if len(texts) == 1:
            return self._retried(lambda: self._ask(texts, truncate=True)), [True]
        parts = [self._batch([text]) for text in texts]
        return [rows[0] for rows, _ in parts], [cut[0] for _, cut in parts]

    def _ask(self, texts: list[str], *, truncate: bool) -> list[Sequence[float]]:
        answer = self._call(lambda: self._client.embed(self._model, texts, truncate=truncate))
        rows = list(answer.embeddings)
        if len(rows) != len(texts) or not rows[0]:
            raise Failed(f"gave {len(rows)} vectors for {len(texts)} texts, or an empty one")
        return rows

    def _unit(self, rows: list[Sequence[float]]) -> Any:
        """Give rows of length 1."""
        import numpy as np

        dimension = self.identity.dimension
        for row in rows:
            if len(row) != dimension:
                raise self._error(f"gave a vector of {len(row)} numbers, where {dimension} came before")
        raw = np.array(rows, np.float64)
        lengths = np.linalg.norm(raw, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise self._error("gave a vector that has no direction (all zeros, or not numbers)")
        return raw / lengths

    def _revision(self) -> str:
        try:
            listed = self._call(self._client.list)
        except Failed as failed:
            if failed.status == MISSING:
                return UNVERSIONED
            raise
        names = {self._model, f"{self._model}:latest"}
        for one in listed.models:
            if one.model in names:
                return one.digest or UNVERSIONED
        raise Failed(f"does not hold it (it lists {len(listed.models)} models)", MISSING)

    def _call(self, request: Callable[[], Any]) -> Any:
        """Make one request. A text that is too long is too long the next time too."""
        return by_ollama(request, self._options.timeout, lasting=_TOO_LONG)

    def _retried(self, request: Callable[[], _Answer]) -> _Answer:
        """Try a few times. Raises `OutsideFailure` when it is no use."""
        options = self._options
        try:
            return retried(request, tries=options.tries, sleep=options.sleep, jitter=options.jitter)
        except Failed as failed:
            raise self._error(str(failed)) from failed

    def _error(self, what: str) -> OutsideFailure:
        return OutsideFailure(
            f"the model server {what}",
            where=f"Ollama at {self._host}, model {self._model}",
            mend=f"see that it runs there (`ollama serve`; OLLAMA_HOST names another one) and holds the model: "
            f"`ollama pull {self._model}`",
        )


def open_model(lake: Lake, model: str, options: Options) -> OllamaBackend:  # noqa: ARG001 (one shape for all backends)
    """Ask a server for a model. Raises `UsageError` or `OutsideFailure`."""
    source.require_packages("ollama")
    return OllamaBackend(model, options)


SPEC = BackendSpec(NAME, DEFAULT_MODEL, open_model)
