"""A backend behind its cache: a text is embedded once in its life.

Here: what is refused, remembered, looked up and left for the backend. Not here: the table on disk (`table.py`).

The key is the embedder (each has its own table), the kind and the SHA-256 of the text. Where a model reads queries and
documents alike, both are of one kind: a document that is searched for word by word is not embedded again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Final

from lakehouse.embedding.identity import EmbedderIdentity, Kind
from lakehouse.embedding.table import Known
from lakehouse.errors import OutsideFailure, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lakehouse.embedding.backends.spec import Backend
    from lakehouse.embedding.table import VectorTable

_SLICE: Final = 1024
"""Texts that are looked up, embedded and kept at once: what a kill can cost."""
_ALIKE: Final = "text"
"""The kind of all texts, where the model makes no difference."""
_TOLERANCE = 1e-3


class CachedEmbedder:
    """An `Embedder`. `remember` bounds the texts kept in memory, `table` may be left out. Safe to use from many threads."""

    def __init__(self, backend: Backend, table: VectorTable | None, remember: int = 20_000) -> None:
        self._backend = backend
        self._table = table
        self._memory = _Memory(remember)
        self._counting = threading.Lock()
        self.embedded = self.cached = self.cut = 0

    @property
    def identity(self) -> EmbedderIdentity:
        """Who makes the vectors."""
        return self._backend.identity

    def embed(self, texts: Sequence[str], kind: Kind = "document") -> NDArray[np.float32]:
        """Give one row of length 1 per text (n, dimension), in their order.

        Memory is that of the result and of 1024 texts. Raises `UsageError` where a text is blank,
        before anything is embedded, and `OutsideFailure` where the backend or the table fails.
        """
        import numpy as np

        if isinstance(texts, str):
            raise UsageError("embed takes a list of texts, not one", mend="write embed([text])")
        for place, text in enumerate(texts):
            if not text.strip():
                raise UsageError(
                    f"text {place} of {len(texts)} is empty, and has no meaning to embed", mend="leave it out"
                )
        vectors = np.empty((len(texts), self.identity.dimension), np.float32)
        for start in range(0, len(texts), _SLICE):
            self._fill(texts[start : start + _SLICE], kind, vectors[start : start + _SLICE])
        return vectors

    def embed_batches(
        self, texts: Iterable[str], kind: Kind = "document", size: int = _SLICE
    ) -> Iterator[NDArray[np.float32]]:
        """Give the rows of any number of texts, `size` at a time, so that neither needs to be in memory as a whole."""
        stream = iter(texts)
        while some := list(islice(stream, size)):
            yield self.embed(some, kind)

    def close(self) -> None:
        """Give files and connections back; the embedder cannot be used any more."""
        if self._table:
            self._table.close()
        close = getattr(self._backend, "close", None)
        if close:
            close()

    def _fill(self, texts: Sequence[str], kind: Kind, out: NDArray[np.float32]) -> None:
        """Write the vectors of at most 1024 texts into rows."""
        alike = kind if self._backend.by_kind else _ALIKE
        hashes = [_digest(text) for text in texts]
        known = self._memory.get(alike, hashes)
        unseen = {digest: text for digest, text in zip(hashes, texts, strict=True) if digest not in known}
        if unseen and self._table:
            on_disk = self._table.get(alike, list(unseen))
            self._memory.put(alike, on_disk)
            known |= on_disk
            unseen = {digest: text for digest, text in unseen.items() if digest not in on_disk}
        if unseen:
            made = self._encode(unseen, kind)
            if self._table:
                self._table.put(alike, made.items())
            self._memory.put(alike, made)
            known |= made
        for row, digest in zip(out, hashes, strict=True):
            row[:] = known[digest].vector
        with self._counting:
            self.embedded += len(unseen)
            self.cached += len(texts) - len(unseen)
            self.cut += sum(known[digest].cut for digest in hashes)

    def _encode(self, unseen: dict[bytes, str], kind: Kind) -> dict[bytes, Known]:
        """Let the backend embed; hold it to what every caller relies on."""
        import numpy as np

        vectors, cut = self._backend.encode(list(unseen.values()), kind)
        shape = len(unseen), self.identity.dimension
        lengths = np.linalg.norm(vectors, axis=-1)
        if vectors.shape != shape or not (np.abs(lengths - 1) < _TOLERANCE).all():
            raise OutsideFailure(
                f"it gave vectors of shape {vectors.shape}, or not of length 1, for {len(unseen)} texts",
                where=str(self.identity),
                mend="choose another backend or model: LAKEHOUSE_EMBEDDER and LAKEHOUSE_EMBEDDING_MODEL",
            )
        # Copies: a row that is remembered must not keep its whole batch in memory.
        rows = (Known(row.astype(np.float32, copy=True), bool(flag)) for row, flag in zip(vectors, cut, strict=True))
        return dict(zip(unseen, rows, strict=True))


class _Memory:
    """The vectors asked for last, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[tuple[str, bytes], Known] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, kind: str, hashes: Iterable[bytes]) -> dict[bytes, Known]:
        found: dict[bytes, Known] = {}
        with self._lock:
            for digest in hashes:
                if known := self._known.get((kind, digest)):
                    self._known.move_to_end((kind, digest))
                    found[digest] = known
        return found

    def put(self, kind: str, rows: dict[bytes, Known]) -> None:
        with self._lock:
            for digest, known in rows.items():
                self._known[kind, digest] = known
            while len(self._known) > self._most:
                self._known.popitem(last=False)


def _digest(text: str) -> bytes:
    try:
        return sha256(text.encode()).digest()
    except UnicodeEncodeError as error:
        raise UsageError(f"a text holds half a character ({error.reason})", mend="read it as UTF-8") from None
