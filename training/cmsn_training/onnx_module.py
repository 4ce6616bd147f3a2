"""A torch module as an ONNX graph: a single file, opset 17, plain operators."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import onnx
import torch
from torch import nn

OPSET = 17  # the highest that TensorRT 8.6 reads (JetPack 6.0)

Axes = dict[str, dict[int, str]]


def export_module(
    module: nn.Module,
    arguments: tuple[torch.Tensor, ...],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    axes: Axes,
) -> bytes:
    """A module as ONNX bytes, checked. axes: of each input or output, those that stay dynamic, with their names."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        # torch recommends its newer exporter, which freezes the time axis of LSTMs; it also warns about the batch of
        # LSTMs, which remains dynamic nevertheless: three windows at once give the same bits as each alone.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            arguments,
            buffer,  # type: ignore[arg-type]
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    graph = onnx.load_from_string(buffer.getvalue())
    onnx.checker.check_model(graph, full_check=True)
    serialised: bytes = graph.SerializeToString()
    return serialised


def needed(nodes: Sequence[Any], outputs: Sequence[str]) -> list[Any]:
    """The nodes that one of these tensors depends on, in their order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if any(name in wanted for name in node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]
