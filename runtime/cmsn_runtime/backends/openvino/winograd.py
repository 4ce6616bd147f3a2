"""Convolutions over three steps of time with a third fewer products: Winograd's F(2, 3) along the time axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.openvino.library import load_operators

_TIME = 2  # axis of [N, C, T, H, W]
_LEAST_CHANNELS = 32  # below, the sums cost more than the products that they save

Weights = npt.NDArray[np.float32]


def with_fewer_products(model: Any) -> int:
    """Rewrite the 3x3x3 convolutions of a model of fixed shapes in place; the result is the same but for rounding.

    Two neighbouring steps of the output take four two-dimensional convolutions instead of six. Two steps a and b of an
    output with the weights g0, g1, g2 over the inputs d0..d3 are (Winograd, "Arithmetic Complexity of Computations",
    1980; Lavin and Gray, 2015):
        m0 = g0 (d0 - d2)     m1 = (g0 + g1 + g2)/2 (d1 + d2)     m2 = (g0 - g1 + g2)/2 (d2 - d1)     m3 = g2 (d1 - d3)
        a = m0 + m1 + m2      b = m1 - m2 - m3
    Left as they are: convolutions with an odd number of steps, few channels or quantised weights. Returns how many
    were rewritten.
    """
    found = 0
    for node in model.get_ordered_ops():
        weights = _weights(node)
        if weights is not None and weights.shape[1] >= _LEAST_CHANNELS:
            found += _rewritten(node, weights)
    if found:
        model.validate_nodes_and_infer_types()
    return found


def _weights(node: Any) -> Weights | None:
    """Those of a 3x3x3 convolution without padding in time; None for any other node."""
    if node.get_type_name() != "Convolution":
        return None
    source, attributes = node.input_value(1).get_node(), node.get_attributes()
    if source.get_type_name() != "Constant" or source.get_element_type().get_type_name() != "f32":
        return None
    weights = cast(Weights, source.get_data())
    shaped = weights.ndim == 5 and weights.shape[2:] == (3, 3, 3)
    plain = (attributes["strides"], attributes["dilations"], attributes["pads_begin"], attributes["pads_end"])
    expected = ([1, 1, 1], [1, 1, 1], [0, 1, 1], [0, 1, 1])
    return weights if shaped and [list(item) for item in plain] == list(expected) else None


def _rewritten(node: Any, weights: Weights) -> bool:
    steps = node.get_output_partial_shape(0)[_TIME]
    if steps.is_dynamic or steps.get_length() % 2:
        return False
    operators, pairs, half = load_operators(), steps.get_length() // 2, np.float32(0.5)
    d0, d1, d2, d3 = (_every_second(node.input_value(0), first, pairs) for first in range(4))
    g0, g1, g2 = (weights[:, :, step : step + 1] for step in range(3))
    m0, m1, m2, m3 = (
        _convolution(values, factor)
        for values, factor in (
            (operators.subtract(d0, d2), g0),
            (operators.add(d1, d2), half * (g0 + g1 + g2)),
            (operators.subtract(d2, d1), half * (g0 - g1 + g2)),
            (operators.subtract(d1, d3), g2),
        )
    )
    even = operators.add(m0, operators.add(m1, m2))
    odd = operators.subtract(operators.subtract(m1, m2), m3)
    node.output(0).replace(_interleaved([even, odd], pairs).output(0))
    return True


def _every_second(values: Any, first: int, count: int) -> Any:
    """So many steps, from one on."""
    begin, end, step, axis = (np.array([item], np.int64) for item in (first, first + 2 * count - 1, 2, _TIME))
    return load_operators().slice(values, begin, end, step, axis)


def _convolution(values: Any, weights: Weights) -> Any:
    """Step by step: weights [C', C, 1, 3, 3]."""
    operators = load_operators()
    constant = operators.constant(np.ascontiguousarray(weights))
    return operators.convolution(values, constant, [1, 1, 1], [0, 1, 1], [0, 1, 1], [1, 1, 1])


def _interleaved(halves: Sequence[Any], count: int) -> Any:
    """One step of each in turn."""
    operators = load_operators()
    if count == 1:
        return operators.concat(list(halves), _TIME)
    parts = [operators.split(half, _TIME, count) for half in halves]
    return operators.concat([part.output(step) for step in range(count) for part in parts], _TIME)
