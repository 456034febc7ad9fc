"""A model as an ONNX graph in the lake: made once from the reference, hashed, and held to its vectors.

Here: the export, the record beside it, finding it again. Not here: the graph itself (`graph.py`), running it
(`backends/onnx.py`).

`index/models/<model>/` holds the graph and the tokenizer, named by their content, and `export.json`, which is written
last: what is not named there is not there yet. All of it can be made anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from lakehouse.embedding import graph, source
from lakehouse.embedding.backends.spec import Encoded
from lakehouse.embedding.identity import Kind
from lakehouse.errors import OutsideFailure
from lakehouse.files import Staged, locked, remove, sha256_of, sweep, write_whole
from lakehouse.lake import Lake

INT8: Final = "-int8"
"""Ends the id of a model whose weights are rounded to 8 bits: smaller and faster, and other vectors."""
NEEDS: Final = ("onnxruntime", "tokenizers")
MAKING: Final = ("sentence_transformers", "torch", "onnx")
_FORMAT = 1
_Encode = Callable[[Sequence[str], Kind], Encoded]
_LEAST_COSINE = 0.99999
# Short, long beyond any window, of many scripts, and of upper case: a graph that holds for the traced shape alone fails.
_PROBES = (
    *graph.EXAMPLES,
    "CNC machinist; Haas & Mazak; 5 years. " * 3,
    "Ünïcödé ≠ ASCII: 漢字 и кириллица 🙂",
    "warehouse " * 700,
)


class Part(msgspec.Struct, frozen=True):
    """A file of an export, beside its record."""

    file: str
    sha256: str


class Export(msgspec.Struct, frozen=True):
    """What was exported. `cosine` is the least one to the reference over the probes; `window` counts tokens."""

    format: int
    model: str
    revision: str
    dimension: int
    window: int
    pad: int
    inputs: list[str]
    prefixes: dict[Kind, str]
    cosine: float
    made_with: dict[str, str]
    graph: Part
    tokenizer: Part


def folder_of(lake: Lake, model: str) -> Path:
    """Give the folder of a model's export; names that differ never share one."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-.")[-60:]
    return lake.root / "index" / "models" / f"{name}-{sha256(model.encode()).hexdigest()[:8]}"


def find(lake: Lake, model: str) -> Export | None:
    """Give the export of a model, or nothing where none is whole or the model's files have changed since.

    Its files are read once to hold them to their hashes.
    """
    folder = folder_of(lake, model)
    try:
        export = msgspec.json.decode((folder / "export.json").read_bytes(), type=Export)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    if export.format != _FORMAT or not _is_current(export, model.removesuffix(INT8)):
        return None
    whole = all(
        (folder / part.file).is_file() and sha256_of(folder / part.file) == part.sha256
        for part in (export.graph, export.tokenizer)
    )
    return export if whole else None


def _is_current(export: Export, base: str) -> bool:
    if base == source.PACKAGED_MODEL:
        # The weights that were exported were held to the same pin, so torch's package need not be there any more.
        return export.revision == source.WEIGHTS_SHA256
    return not Path(base).is_dir() or export.revision == source.find(base).revision


def make(lake: Lake, model: str) -> Export:
    """Export a model, unless another process just did. Takes seconds, for torch does.

    Raises `UsageError` where packages are missing, `OutsideFailure` where the graph does not give the model's vectors.
    """
    source.require_packages(*NEEDS, *MAKING)
    folder = folder_of(lake, model)
    with locked(lake.lock(f"model-{folder.name}")):
        if ready := find(lake, model):
            return ready
        if folder.is_dir():
            sweep(folder)
        base = model.removesuffix(INT8)
        found = source.find(base)
        loaded = source.load(found, attention="eager")
        return _write(folder, model, found, loaded)


def _write(folder: Path, model: str, found: source.Source, loaded: Any) -> Export:
    from importlib.metadata import version

    from lakehouse.embedding.backends.onnx import OnnxBackend
    from lakehouse.embedding.backends.sentence_transformers import SentenceTransformersBackend, prefixes

    rounded = model.endswith(INT8)
    name = found.name + (INT8 if rounded else "")
    traced, inputs = graph.trace(loaded)
    if rounded:
        traced = graph.rounded(traced)
    tokenizer = loaded.tokenizer.backend_tokenizer.to_str().encode()
    parts = []
    for data, start, ending in ((traced, "graph", "onnx"), (tokenizer, "tokenizer", "json")):
        digest = sha256(data).hexdigest()
        parts.append(Part(f"{start}-{digest[:16]}.{ending}", digest))
        with Staged(folder / parts[-1].file) as out:
            out.write(data)
    reference = SentenceTransformersBackend(loaded, found.name, found.revision or source.commit_of(loaded))
    export = Export(
        format=_FORMAT,
        model=name,
        revision=reference.identity.revision,
        dimension=reference.identity.dimension,
        window=loaded.max_seq_length or loaded.tokenizer.model_max_length,
        pad=loaded.tokenizer.pad_token_id or 0,
        inputs=inputs,
        prefixes=prefixes(loaded, found.name),
        cosine=0.0,
        made_with={package: version(package) for package in ("torch", "sentence-transformers", "onnxruntime")},
        graph=parts[0],
        tokenizer=parts[1],
    )
    least = _least_cosine(OnnxBackend(folder, export, threads=1).encode, reference.encode)
    if least < _LEAST_COSINE and not rounded:
        for part in parts:
            remove(folder / part.file)
        raise OutsideFailure(
            f"the exported graph of {name} does not give the model's vectors (cosine {least:.6f})",
            where=str(folder),
            mend="use the backend sentence-transformers for this model (LAKEHOUSE_EMBEDDER)",
        )
    export = msgspec.structs.replace(export, cosine=round(least, 7))
    write_whole(folder / "export.json", msgspec.json.format(msgspec.json.encode(export)) + b"\n")
    for old in folder.iterdir():
        if old.name not in {"export.json", export.graph.file, export.tokenizer.file}:
            old.unlink()
    return export


def _least_cosine(encode: _Encode, reference: _Encode) -> float:
    """Give the least cosine of two backends over the probes, together and alone."""
    vectors = reference(_PROBES, "document").vectors
    together = encode(_PROBES, "document").vectors
    alone = (encode([probe], "document").vectors[0] for probe in _PROBES)
    cosines = [*(vectors * together).sum(axis=1), *(row @ own for row, own in zip(alone, vectors, strict=True))]
    return float(min(cosines))
