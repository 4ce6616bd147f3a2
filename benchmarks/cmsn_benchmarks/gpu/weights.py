"""A bundle's networks in torch, from the weights in its ONNX graphs: a reference that needs no checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper

from cmsn_runtime.bundle_files import read_graph, read_manifest
from cmsn_runtime.manifest.contents import FULL_PRECISION
from cmsn_training.config import parse_config
from cmsn_training.models.cmsn import CMSN

Array = npt.NDArray[np.float32]


def torch_model(bundle: Path, *, device: str) -> CMSN:
    """The model of a bundle with the weights of its FP32 graphs, in evaluation mode, in true float32.

    Raises RuntimeError where a weight is missing or has another shape, BundleError for a damaged bundle.
    """
    manifest = read_manifest(bundle)
    config = {**manifest.training["config"], "data": {"videos": ".", "annotations": "."}}
    model = CMSN(parse_config(config, origin=bundle.name))
    graphs = {
        name: onnx.load_from_string(read_graph(bundle, graph)).graph
        for name, graph in manifest.variant(FULL_PRECISION).graphs.items()
    }
    weights = {f"{name}.{key}": value for name in ("extractor", "evaluator") for key, value in _named(graphs[name])}
    weights.update({f"stages.{key}": value for key, value in _stage_weights(graphs["stages"])})
    model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in weights.items()})
    exact_float32()
    return model.eval().to(device)


def exact_float32() -> None:
    """Disable TF32 in this process: its mantissa has only 10 bits, and cuDNN uses it by default."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def _named(graph: Any) -> Iterator[tuple[str, Array]]:
    """Weights that the exporter did not change, by their names in torch."""
    for item in graph.initializer:
        if not item.name.startswith("onnx::"):
            yield item.name, numpy_helper.to_array(item)


def _stage_weights(graph: Any) -> Iterator[tuple[str, Array]]:
    """Weights of the BiLSTM, whose gates ONNX orders i, o, f, c and torch i, f, c, o, and of the classifier."""
    arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    layers = [node for node in graph.node if node.op_type == "LSTM"]
    for number, node in enumerate(layers):
        inputs, recurrent, biases = (arrays.pop(name) for name in node.input[1:4])
        for direction, suffix in enumerate(("", "_reverse")):
            yield f"lstm.weight_ih_l{number}{suffix}", _gates(inputs[direction])
            yield f"lstm.weight_hh_l{number}{suffix}", _gates(recurrent[direction])
            for name, bias in zip(("ih", "hh"), np.split(biases[direction], 2), strict=True):
                yield f"lstm.bias_{name}_l{number}{suffix}", _gates(bias)
    for name, value in arrays.items():
        yield (name.removeprefix("stages.") if name.startswith("stages.") else "classifier.weight"), value


def _gates(stacked: Array) -> Array:
    """Reorder the gates of [4 H, ...] from i, o, f, c to i, f, c, o."""
    of_input, of_output, of_forget, of_cell = np.split(stacked, 4)
    return np.concatenate((of_input, of_forget, of_cell, of_output))
