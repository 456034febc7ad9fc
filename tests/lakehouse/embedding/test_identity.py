"""The identity of an embedder: what is the same, and what is refused."""

import pytest

from lakehouse.embedding import EmbedderIdentity, require_same
from lakehouse.errors import UsageError

OURS = EmbedderIdentity("onnx", "all-MiniLM-L6-v2", "53aa51172d14", 384)


def test_the_same_embedder_is_taken() -> None:
    require_same(OURS, EmbedderIdentity("onnx", "all-MiniLM-L6-v2", "53aa51172d14", 384))


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (EmbedderIdentity("sentence-transformers", "all-MiniLM-L6-v2", "53aa51172d14", 384), "backend differ"),
        (EmbedderIdentity("onnx", "bge-small", "53aa51172d14", 384), "model differ"),
        (EmbedderIdentity("onnx", "all-MiniLM-L6-v2", "0000", 384), "revision differ"),
        (EmbedderIdentity("onnx", "all-MiniLM-L6-v2", "53aa51172d14", 768), "dimension differ"),
        (EmbedderIdentity("ollama", "nomic", "d1", 768), "backend, model, revision, dimension differ"),
    ],
)
def test_another_embedder_is_refused_also_where_the_dimension_agrees(other: EmbedderIdentity, named: str) -> None:
    with pytest.raises(UsageError, match=named) as refused:
        require_same(OURS, other, where="workers")
    assert refused.value.where == "workers"
    assert "LAKEHOUSE_EMBEDDER" in refused.value.mend
