"""The convolutions of an extractor's graph that may be computed in INT8."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

_LEAST_CHANNELS = 5  # conv1a reads the three of a picture: hardly any work, and the values that matter most


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution.

    name: that of its weights, such as "c3d.conv2a". node: of the graph. activation: the tensor that it reads,
    [N, C, T, H, W]. output: the one that it computes. weights: the initializer's name. shape: of the weights,
    [C', C, ...].
    """

    name: str
    node: str
    activation: str
    output: str
    weights: str
    shape: tuple[int, ...]


def quantisable(graph: onnx.ModelProto) -> tuple[Layer, ...]:
    """The convolutions of a graph that may be quantised, in its order; those that read a picture are not among them."""
    shapes = {item.name: tuple(item.dims) for item in graph.graph.initializer}
    return tuple(
        Layer(
            node.input[1].removesuffix(".weight"),
            node.name,
            node.input[0],
            node.output[0],
            node.input[1],
            shapes[node.input[1]],
        )
        for node in graph.graph.node
        if node.op_type == "Conv" and shapes.get(node.input[1], (0, 0))[1] >= _LEAST_CHANNELS
    )
