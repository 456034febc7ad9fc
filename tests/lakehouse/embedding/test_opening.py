"""Which backend a lake gets, and that the whole of it keeps its promise: embedded once, whoever asks."""

import importlib.util
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from lakehouse.embedding import export, open_embedder, source
from lakehouse.embedding.backends import BACKENDS
from lakehouse.embedding.opening import default_backend
from lakehouse.errors import UsageError
from lakehouse.lake import Lake

RETRIEVAL = {"onnxruntime", "tokenizers", "onnx", "torch", "sentence_transformers", source.PACKAGE}


def with_packages(monkeypatch: pytest.MonkeyPatch, packages: set[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in packages else None)


@pytest.mark.parametrize(
    ("missing", "model", "there", "backend"),
    [
        (set(), None, False, "onnx"),
        (set(), source.PACKAGED_MODEL, False, "onnx"),
        (set(), source.PACKAGED_MODEL + "-int8", False, "onnx"),
        (set(), "BAAI/bge-small-en", False, "sentence-transformers"),
        (set(), "BAAI/bge-small-en", True, "onnx"),
        ({"onnxruntime"}, None, True, "sentence-transformers"),
        ({"onnx"}, None, False, "sentence-transformers"),
        ({"torch", "sentence_transformers", "onnx", source.PACKAGE}, None, True, "onnx"),
        (RETRIEVAL, None, False, "sentence-transformers"),
    ],
)
def test_the_default_is_the_export_where_it_is_or_can_be(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, missing: set[str], model: str | None, there: bool, backend: str
) -> None:
    with_packages(monkeypatch, RETRIEVAL - missing)
    if there:
        folder = export.folder_of(lake, model or source.PACKAGED_MODEL)
        folder.mkdir(parents=True)
        (folder / "export.json").write_text("{}")
    assert default_backend(lake, model) == backend


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_the_extra_every_backend_says_what_to_install(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    with_packages(monkeypatch, {"tokenizers"})
    with pytest.raises(UsageError, match=r"pip install 'lakehouse-dagster\[retrieval\]'"):
        open_embedder(lake, backend)


def test_an_unknown_backend_is_an_error_that_lists_the_known(lake: Lake) -> None:
    with pytest.raises(UsageError, match="sentence-transformers, onnx, ollama"):
        open_embedder(lake, "word2vec")


def test_a_lake_embeds_a_text_once_over_all_its_processes(exported: Lake) -> None:
    texts = ["Need 3 Forklift Operators in Detroit, MI", "CNC machinist in Flint", "x " * 300]
    with closing(open_embedder(exported)) as first:
        made = first.embed(texts)
        again = first.embed([texts[1]], "query")
    with closing(open_embedder(exported)) as second:
        read = second.embed(texts[::-1])
    assert (first.embedded, first.cached, first.cut) == (3, 1, 1)
    assert (second.embedded, second.cached, second.cut) == (0, 3, 1)
    np.testing.assert_array_equal(read[::-1], made)
    np.testing.assert_array_equal(again[0], made[1])


def test_a_model_server_is_one_option_away(ollama: Any, lake: Lake) -> None:
    with closing(open_embedder(lake, "ollama", host=ollama.host)) as embedder:
        vectors = embedder.embed(["who", "what"], "query")
        embedder.embed(["who"], "query")
        embedder.embed(["who"], "document")
    assert vectors.shape == (2, 6)
    assert (embedder.identity.model, embedder.embedded, embedder.cached) == ("nomic-embed-text-v2-moe", 3, 1)
