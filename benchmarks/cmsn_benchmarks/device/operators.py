"""How many operations an ONNX operator takes: two per multiply-add of a product, one per value of anything else."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from cmsn_benchmarks.device.graph_shapes import Tensors
from cmsn_runtime.errors import SettingsError

# One operation per value of the output.
_ELEMENTWISE = frozenset(
    {
        "Abs",
        "Add",
        "Ceil",
        "Clip",
        "Div",
        "Equal",
        "Erf",
        "Exp",
        "Floor",
        "Greater",
        "GreaterOrEqual",
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Log",
        "Max",
        "Min",
        "Mul",
        "Neg",
        "Not",
        "And",
        "Or",
        "Pow",
        "Reciprocal",
        "Relu",
        "Sigmoid",
        "Softmax",
        "Sqrt",
        "Sub",
        "Tanh",
        "Where",
    }
)
# One operation per value of the input.
_REDUCING = frozenset(
    {"ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "GlobalAveragePool"}
)
# They copy, convert or describe.
_MOVING = frozenset(
    {
        "Cast",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "DequantizeLinear",
        "Expand",
        "Flatten",
        "Gather",
        "GatherElements",
        "GatherND",
        "Identity",
        "Pad",
        "QuantizeLinear",
        "Range",
        "Reshape",
        "Shape",
        "Slice",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    }
)
# A step of an LSTM per hidden unit, besides its products: a bias and an activation of four gates, three products and a
# sum with the cell, and the cell's own activation.
_LSTM_OTHERS = 13


def counted(node: Any, tensors: Tensors) -> tuple[int, int]:
    """Operations of a node: those of its matrix products, and the others. Only those of floating point or INT8.

    Raises SettingsError for an operator that is unknown here.
    """
    kind, output = str(node.op_type), _first(node.output)
    if kind in _PRODUCTS:
        return _PRODUCTS[kind](node, tensors)
    if kind in _MOVING or tensors[output].dtype in (np.int32, np.int64, np.bool_):
        return 0, 0
    if kind in _ELEMENTWISE:
        return 0, prod(tensors[output].shape)
    if kind in _REDUCING:
        return 0, prod(tensors[node.input[0]].shape)
    if kind in ("MaxPool", "AveragePool"):
        return 0, prod(tensors[output].shape) * prod(_attribute(node, "kernel_shape"))
    raise SettingsError(
        f"the graph has the operator {kind}, whose operations are not counted; known are "
        f"{', '.join(sorted({*_PRODUCTS, *_ELEMENTWISE, *_REDUCING, *_MOVING}))}; leave the roofline out"
    )


def _convolution(node: Any, tensors: Tensors) -> tuple[int, int]:
    """Weights [outputs, inputs per group, kernel ...]: so many products per output value."""
    size = prod(tensors[node.output[0]].shape)
    return 2 * size * prod(tensors[node.input[1]].shape[1:]), size if len(node.input) > 2 else 0


def _gemm(node: Any, tensors: Tensors) -> tuple[int, int]:
    size = prod(tensors[node.output[0]].shape)
    rows = tensors[node.input[0]].shape[1 - (_attribute(node, "transA") or 0)]
    return 2 * size * rows, size if len(node.input) > 2 else 0


def _matrix_product(node: Any, tensors: Tensors) -> tuple[int, int]:
    return 2 * prod(tensors[node.output[0]].shape) * tensors[node.input[0]].shape[-1], 0


def _lstm(node: Any, tensors: Tensors) -> tuple[int, int]:
    """Input [steps, batch, I], weights [directions, 4 H, I] and [directions, 4 H, H]."""
    steps, batch, _ = tensors[node.input[0]].shape
    inputs, recurrent = (tensors[name].shape for name in node.input[1:3])
    hidden = inputs[0] * recurrent[2]  # of all directions
    return 2 * steps * batch * (prod(inputs) + prod(recurrent)), steps * batch * hidden * _LSTM_OTHERS


_PRODUCTS: dict[str, Callable[[Any, Tensors], tuple[int, int]]] = {
    "Conv": _convolution,
    "Gemm": _gemm,
    "MatMul": _matrix_product,
    "LSTM": _lstm,
}


def _first(names: Any) -> str:
    """The first output that is used: an LSTM may have only its second."""
    return next(str(name) for name in names if name)


def _attribute(node: Any, name: str) -> Any:
    """Its value, a number or numbers; None where the node leaves it out."""
    found = next((item for item in node.attribute if item.name == name), None)
    return None if found is None else (list(found.ints) or found.i)
