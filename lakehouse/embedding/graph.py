"""A loaded model as the bytes of an ONNX graph.

Here: tracing it, and rounding its weights. Not here: keeping the graph and holding it to the model (`export.py`).
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

EXAMPLES: Final = ("a", "Need 3 Forklift Operators in Detroit, MI")
"""Texts of two lengths: what is traced."""
_OPSET = 17
_OUTPUT = "vectors"


def trace(loaded: Any) -> tuple[bytes, list[str]]:
    """Export a loaded model with pooling and normalising inside; give the graph and the names of its inputs."""
    import torch

    class Whole(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = loaded

        def forward(self, *given: Any) -> Any:
            vectors = self.model(dict(zip(inputs, given, strict=True)))["sentence_embedding"]
            return torch.nn.functional.normalize(vectors, dim=1)

    example = loaded.tokenizer(list(EXAMPLES), padding=True, return_tensors="pt")
    inputs = list(example.keys())
    graph = io.BytesIO()
    device = loaded.device
    with _known_warnings():
        torch.onnx.export(
            Whole().to("cpu").eval(),
            tuple(example[name] for name in inputs),
            graph,
            dynamo=False,
            opset_version=_OPSET,
            input_names=inputs,
            output_names=[_OUTPUT],
            dynamic_axes={**{name: {0: "texts", 1: "tokens"} for name in inputs}, _OUTPUT: {0: "texts"}},
        )
    loaded.to(device)
    return graph.getvalue(), inputs


@contextmanager
def _known_warnings() -> Iterator[None]:
    """Leave out what is known of torch's older exporter; the probes show whether the graph is right all the same."""
    with warnings.catch_warnings():
        # The newer exporter needs another package and takes longer for the same graph.
        warnings.filterwarnings("ignore", "You are using the legacy TorchScript-based ONNX export", DeprecationWarning)
        warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning, "torch.onnx")
        # Shapes that the traced code compares are the same for all shapes of its inputs.
        warnings.filterwarnings("ignore", "Converting a tensor to a Python", category=Warning)
        # No index in these graphs is negative.
        warnings.filterwarnings("ignore", "Exporting aten::index operator", UserWarning)
        yield


def rounded(graph: bytes) -> bytes:
    """Round the weights of a graph to 8 bits."""
    import tempfile

    from onnxruntime.quantization import QuantType, quantize_dynamic

    # The quantizer takes and gives files.
    with tempfile.TemporaryDirectory(prefix="lakehouse-int8-") as scratch:
        whole, small = Path(scratch) / "whole.onnx", Path(scratch) / "small.onnx"
        whole.write_bytes(graph)
        # One scale for each channel, or cosines fall below 0.9; seven bits, or older processors overflow.
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)  # it advises a step that gains nothing here
        try:
            quantize_dynamic(whole, small, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
        finally:
            logging.disable(before)
        return small.read_bytes()
