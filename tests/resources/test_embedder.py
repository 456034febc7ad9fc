"""The embedder as a resource: what the environment says reaches it, and the look of `lakehouse doctor`."""

from pathlib import Path

import pytest

from lakehouse.embedding import source
from lakehouse.lake import Lake
from resources import embedder
from resources.embedder import EmbedderResource, from_environment, look


def test_the_environment_names_backend_model_and_host() -> None:
    given = {"LAKEHOUSE_EMBEDDER": "ollama", "LAKEHOUSE_EMBEDDING_MODEL": "m", "OLLAMA_HOST": "http://gpu:1"}
    named = from_environment(given)
    assert (named.backend, named.model, named.host) == ("ollama", "m", "http://gpu:1")
    default = from_environment({})
    assert (default.backend, default.model, default.host) == ("", "", "http://127.0.0.1:11434")


def test_a_base_installation_is_healthy_without_vector_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder, "installed", lambda *_: False)
    found = look(EmbedderResource(), Lake(tmp_path))
    assert (found.ok, "pip install" in found.mend) == (True, True)
    assert list(tmp_path.iterdir()) == []


def test_without_a_lake_nothing_is_made(tmp_path: Path) -> None:
    assert look(EmbedderResource(backend="ollama"), Lake(tmp_path / "none")).ok
    assert not (tmp_path / "none").exists()


def test_an_embedder_that_is_asked_for_and_cannot_run_is_told(tmp_path: Path) -> None:
    if not source.installed("ollama"):
        pytest.skip("the extra `retrieval` is not installed")
    found = look(EmbedderResource(backend="word2vec"), Lake(tmp_path))
    assert not found.ok
    assert "word2vec" in found.found
    assert "sentence-transformers, onnx, ollama" in found.mend
