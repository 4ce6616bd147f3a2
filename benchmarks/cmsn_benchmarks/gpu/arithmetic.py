"""Arithmetic of one hop, counted from the layers of the graphs: two floating-point operations per multiply-add."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]

from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes
from cmsn_runtime.bundle_files import read_graph, read_manifest
from cmsn_runtime.manifest.contents import FULL_PRECISION, Manifest

_TYPES: dict[str, Any] = {"tensor(uint8)": np.uint8, "tensor(int64)": np.int64}


def count_operations(bundle: Path) -> dict[str, Any]:
    """Operations of one camera's hop: extractor by convolution and in total, the other two networks; bytes of its
    state.

    stages: the BiLSTM over a full window. proposal: the PES per candidate. state_bytes: one copy, in FP16.
    """
    manifest = read_manifest(bundle)
    graphs = {
        name: onnx.load_from_string(read_graph(bundle, file))
        for name, file in manifest.variant(FULL_PRECISION).graphs.items()
    }
    layers = _convolutions(graphs["extractor"], manifest)
    return {
        "operations_per_hop": {
            "extractor": sum(layers.values()),
            "extractor_layers": layers,
            "stages": 2 * manifest.grid.window * _weights(graphs["stages"], "LSTM", inputs=slice(1, 3)),
            "proposal": 2 * _weights(graphs["evaluator"], "Gemm", inputs=slice(1, 2)),
        },
        "state_bytes_per_camera": sum(state.nbytes for state in manifest.state_tensors(manifest.gpu_precision)),
    }


def _convolutions(model: Any, manifest: Manifest) -> dict[str, int]:
    """Operations per convolution: the number of its outputs, from one run on zeros, times the products per output."""
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    weights = {item.name: list(item.dims) for item in model.graph.initializer}
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(node.output[0]) for node in nodes)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    shapes = engine_shapes(manifest, "extractor", EngineSizes())
    feeds = {
        item.name: np.zeros(shapes[item.name][2], _TYPES.get(item.type, np.float32)) for item in session.get_inputs()
    }
    outputs = session.run([node.output[0] for node in nodes], feeds)
    return {
        node.input[1].removesuffix(".weight"): 2 * output.size * prod(weights[node.input[1]][1:])
        for node, output in zip(nodes, outputs, strict=True)
    }


def _weights(model: Any, kind: str, *, inputs: slice) -> int:
    """Number of weights in the matrices of all nodes of a kind: one multiply-add each."""
    sizes = {item.name: prod(item.dims) for item in model.graph.initializer}
    return sum(sizes[name] for node in model.graph.node if node.op_type == kind for name in node.input[inputs])
