"""ONNX graphs that ceilings are measured with: one matrix product, one pass over memory. Needs onnx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cmsn_runtime.extras import require_library

INPUT, OUTPUT = "left", "product"
_SCALE = 0.05  # of INT8: values of about 1 take most of its range


def product_graph(side: int, precision: str) -> bytes:
    """A square matrix times constant weights, in "fp32" or "fp16", or between Q and DQ in "int8"."""
    require_library("onnx", extra="bench", purpose="measuring how many operations this machine can do")
    from onnx import helper, numpy_helper

    weights = np.random.default_rng(0).random((side, side), np.float32) - 0.5
    dtype = np.float16 if precision == "fp16" else np.float32
    if precision != "int8":
        node = helper.make_node("MatMul", [INPUT, "weights"], [OUTPUT], name="/product/MatMul")
        return _serialised([node], [numpy_helper.from_array(weights.astype(dtype), "weights")], (side, side), dtype)
    nodes = [
        helper.make_node("QuantizeLinear", [INPUT, "scale", "zero"], ["quantised"]),
        helper.make_node("DequantizeLinear", ["quantised", "scale", "zero"], ["left.dequantised"]),
        helper.make_node("DequantizeLinear", ["weights", "scale", "zero"], ["weights.dequantised"]),
        helper.make_node("MatMul", ["left.dequantised", "weights.dequantised"], [OUTPUT], name="/product/MatMul"),
    ]
    constants = {
        "scale": np.array(_SCALE, np.float32),
        "zero": np.array(0, np.int8),
        "weights": np.rint(weights / _SCALE).astype(np.int8),
    }
    return _serialised(
        nodes, [numpy_helper.from_array(value, name) for name, value in constants.items()], (side, side), np.float32
    )


def pass_graph(values: int) -> bytes:
    """So many float32 values, negated: each is read once and written once."""
    require_library("onnx", extra="bench", purpose="measuring how fast this machine's memory is")
    from onnx import helper

    return _serialised([helper.make_node("Neg", [INPUT], [OUTPUT])], [], (values,), np.float32)


def _serialised(nodes: Sequence[Any], weights: Sequence[Any], shape: tuple[int, ...], dtype: type) -> bytes:
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    given, found = ([helper.make_tensor_value_info(name, kind, shape)] for name in (INPUT, OUTPUT))
    graph = helper.make_graph(nodes, "ceiling", given, found, list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    serialised: bytes = model.SerializeToString()
    return serialised
