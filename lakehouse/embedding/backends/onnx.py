"""The fast backend: an exported model run by onnxruntime, with the `tokenizers` library. No torch once it is exported.

Here: tokenizing, batching and running. Not here: making the export (`../export.py`).

Texts are sorted by length and run in batches of 8, so that little padding is computed. A single batch, which is a query,
takes two threads; of many batches each takes one thread, and as many run at once: cores that need not wait for each
other embed more texts, also on a machine that does other work.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from lakehouse.embedding import export, source
from lakehouse.embedding.backends.spec import BackendSpec, Encoded, Options
from lakehouse.embedding.identity import EmbedderIdentity, Kind
from lakehouse.lake import Lake

NAME = "onnx"
_BATCH = 8
_MOST_ON_ONE = 2
"""Threads on one batch: a model this small gains little from more."""


class OnnxBackend:
    """An export in this process. Safe to call from many threads; not across a fork."""

    def __init__(self, folder: Path, exported: export.Export, threads: int = 0) -> None:
        from tokenizers import Tokenizer

        self.identity = EmbedderIdentity(NAME, exported.model, exported.revision, exported.dimension)
        self.by_kind = len(set(exported.prefixes.values())) > 1
        self._exported = exported
        self._graph = folder / exported.graph.file
        self._threads = threads or len(os.sched_getaffinity(0))
        self._tokenizer = Tokenizer.from_file(str(folder / exported.tokenizer.file))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(exported.window)
        self._alone = self._session(min(self._threads, _MOST_ON_ONE))

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        """Embed texts; see `Backend`."""
        import numpy as np

        prefix = self._exported.prefixes[kind]
        encodings = self._tokenizer.encode_batch([prefix + text for text in texts])
        order = sorted(range(len(texts)), key=lambda place: len(encodings[place].ids), reverse=True)
        batches = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
        vectors = np.empty((len(texts), self.identity.dimension), np.float32)

        def run(session: Any, batch: list[int]) -> None:
            (vectors[batch],) = session.run(None, self._inputs([encodings[place] for place in batch]))

        if len(batches) == 1 or self._threads == 1:
            for batch in batches:
                run(self._alone, batch)
        else:
            session = self._beside
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(lambda batch: run(session, batch), batches))
        return Encoded(vectors, np.array([bool(encoding.overflowing) for encoding in encodings], bool))

    def _inputs(self, encodings: list[Any]) -> dict[str, Any]:
        """Give what the graph reads: token ids and masks, each padded to the longest (texts, tokens)."""
        import numpy as np

        shape = len(encodings), max(len(encoding.ids) for encoding in encodings)
        given = {name: np.zeros(shape, np.int64) for name in self._exported.inputs}
        given["input_ids"].fill(self._exported.pad)
        for row, encoding in enumerate(encodings):
            length = len(encoding.ids)
            given["input_ids"][row, :length] = encoding.ids
            given["attention_mask"][row, :length] = 1
        return given

    @cached_property
    def _beside(self) -> Any:
        """A session of one thread, to be run by several at once; made when many texts come first."""
        return self._session(1)

    def _session(self, threads: int) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(self._graph, options, providers=["CPUExecutionProvider"])


def open_model(lake: Lake, model: str, options: Options) -> OnnxBackend:
    """Open a model's export, made first where there is none. Raises `UsageError` or `OutsideFailure`."""
    source.require_packages(*export.NEEDS)
    exported = export.find(lake, model) or export.make(lake, model)
    return OnnxBackend(export.folder_of(lake, model), exported, options.threads)


SPEC = BackendSpec(NAME, source.PACKAGED_MODEL, open_model)
