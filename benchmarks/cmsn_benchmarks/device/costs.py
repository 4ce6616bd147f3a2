"""Operations and bytes of one run of each network of a bundle, counted from its ONNX graph. Needs onnx."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from cmsn_benchmarks.device.graph_shapes import Tensor, Tensors, tensors_of
from cmsn_benchmarks.device.operators import counted
from cmsn_runtime.backends.base import Arithmetic
from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes
from cmsn_runtime.manifest.contents import FULL_PRECISION, GRAPH_NAMES, GraphFile, Manifest

_BITS = {"fp32": 32, "bf16": 16, "fp16": 16, "int8": 8}
_MATRIX_AXES = 2  # biases and norms have fewer, and stay as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One run of a network.

    products: operations of its matrix products (convolutions, Gemm, MatMul, LSTM), by the precision that computes them:
    two per multiply-add. others: of everything else, such as biases, activations and pooling: one per value and
    operator. layers: operations of the products, by the name of their weights. nbytes: weights, inputs and outputs,
    states among them, each moved once; what lies between layers is not counted, since it may stay in caches.
    """

    products: Mapping[str, int]
    others: int
    layers: Mapping[str, int]
    nbytes: int

    @property
    def operations(self) -> dict[str, float]:
        """All of them, by precision; the others take that of most products."""
        most = max(self.products, key=lambda name: self.products[name], default=FULL_PRECISION)
        found = {name: float(count) for name, count in self.products.items()}
        return {**found, most: found.get(most, 0.0) + self.others}


def bundle_costs(
    manifest: Manifest, read: Callable[[GraphFile], bytes], arithmetic: Arithmetic, *, proposals: int = 1
) -> dict[str, Cost]:
    """Costs of `extractor` per hop, `stages` per full window and `evaluator` per so many proposals, of one camera.

    read: the bytes of a graph. arithmetic: the backend's. Raises MissingExtraError without onnx, and SettingsError for
    an operator whose cost is unknown.
    """
    files = manifest.variant(arithmetic.variant).graphs
    return {
        name: graph_cost(
            read(files[name]),
            {key: shapes[2] for key, shapes in engine_shapes(manifest, name, EngineSizes(proposals=proposals)).items()},
            float32_as=arithmetic.extractor if name == "extractor" else FULL_PRECISION,
        )
        for name in GRAPH_NAMES
    }


def graph_cost(graph: bytes, shapes: Mapping[str, tuple[int, ...]], *, float32_as: str = FULL_PRECISION) -> Cost:
    """The cost of a graph with inputs of these shapes. float32_as: the precision that its float32 is computed in.

    A product is INT8 where both of its factors come from DequantizeLinear. Raises as `bundle_costs` does.
    """
    model, tensors = tensors_of(graph, shapes)
    precision = partial(_precision, tensors=tensors, float32_as=float32_as)
    products: dict[str, int] = {}
    layers: dict[str, int] = {}
    others = 0
    quantised = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    for node in model.graph.node:
        product, other = counted(node, tensors)
        others += other
        if product:
            kind = "int8" if set(node.input[:2]) <= quantised else precision(node)
            products[kind] = products.get(kind, 0) + product
            layers[_layer(node)] = layers.get(_layer(node), 0) + product
    return Cost(products=products, others=others, layers=layers, nbytes=_moved(model, tensors, float32_as))


def _precision(node: Any, *, tensors: Tensors, float32_as: str) -> str:
    half = tensors[node.input[1]].dtype == np.float16
    return "fp16" if half else float32_as


def _layer(node: Any) -> str:
    """The name of a layer's weights, without what quantisation appends; of the node where the exporter named none."""
    weights = str(node.input[1])
    return weights.split(".weight")[0] if ".weight" in weights else str(node.name or node.output[0])


def _moved(model: Any, tensors: Tensors, float32_as: str) -> int:
    used = {name for node in model.graph.node for name in node.input}
    weights = {item.name for item in model.graph.initializer} & used
    ends = [item.name for item in (*model.graph.input, *model.graph.output) if item.name not in weights]
    stored = sum(_stored(tensors[name], float32_as) for name in weights)
    return stored + sum(tensors[name].nbytes for name in ends)


def _stored(weights: Tensor, float32_as: str) -> int:
    """Bytes of weights as a backend keeps them: matrices in the precision that computes."""
    narrowed = weights.dtype == np.float32 and len(weights.shape) >= _MATRIX_AXES
    return prod(weights.shape) * _BITS[float32_as] // 8 if narrowed else weights.nbytes
