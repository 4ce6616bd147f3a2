"""Q/DQ in an extractor's graph: where it stands, in which form, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from cmsn_calibration.layers import Layer, quantisable
from cmsn_calibration.quantising import quantised
from cmsn_runtime.errors import SettingsError

Layers = tuple[Layer, ...]


def initializers(model: onnx.ModelProto) -> Mapping[str, np.ndarray]:
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def test_all_convolutions_but_that_of_the_picture_can_be_quantised(layers: Layers) -> None:
    assert [layer.name for layer in layers] == [
        *(f"c3d.conv{name}" for name in ("2a", "3a", "3b", "4a", "4b", "5a", "5b")),
        *("encoder.conv1", "encoder.conv2"),
    ]


def test_every_quantised_layer_reads_int8_of_one_scale_and_weights_of_one_per_channel(
    extractor: bytes, layers: Layers, largest: dict[str, float]
) -> None:
    model = onnx.load_from_string(quantised(extractor, largest, layers=[layer.name for layer in layers]))
    onnx.checker.check_model(model, full_check=True)
    assert [(item.domain, item.version) for item in model.opset_import] == [("", 17)]
    made = {node.output[0]: node for node in model.graph.node}
    values = initializers(model)
    convolutions = {node.name: node for node in model.graph.node if node.op_type == "Conv"}
    for layer in layers:
        activation, weights = (made[name] for name in convolutions[layer.node].input[:2])
        assert activation.op_type == weights.op_type == "DequantizeLinear"
        assert made[activation.input[0]].op_type == "QuantizeLinear"
        assert made[activation.input[0]].input[0] == layer.activation
        assert list(made[activation.input[0]].input[1:]) == list(activation.input[1:])
        assert values[activation.input[1]] == pytest.approx(largest[layer.activation] / 127)
        assert values[weights.input[0]].dtype == np.int8
        assert values[weights.input[1]].shape == (layer.shape[0],) and (values[weights.input[1]] > 0).all()
        assert [item.i for item in weights.attribute if item.name == "axis"] == [0]
        for node in (activation, weights):
            assert values[node.input[2]].dtype == np.int8 and not values[node.input[2]].any()
    assert len([node for node in model.graph.node if node.op_type == "QuantizeLinear"]) == len(layers)


def test_weights_are_within_half_a_level_of_what_they_were(
    extractor: bytes, layers: Layers, largest: dict[str, float]
) -> None:
    before = initializers(onnx.load_from_string(extractor))
    after = initializers(onnx.load_from_string(quantised(extractor, largest, layers=[layer.name for layer in layers])))
    for layer in layers:
        scale = after[f"{layer.weights}_scale"].reshape(-1, *(1,) * (len(layer.shape) - 1))
        error = np.abs(after[f"{layer.weights}_quantized"] * scale - before[layer.weights])
        assert (error <= scale * 0.5001).all()
        assert np.abs(after[f"{layer.weights}_quantized"].reshape(layer.shape[0], -1)).max(axis=1).min() == 127


def test_layers_that_are_not_named_and_states_stay_float(
    extractor: bytes, layers: Layers, largest: dict[str, float]
) -> None:
    one = layers[3]
    model = onnx.load_from_string(quantised(extractor, largest, layers=[one.name]))
    made = {node.output[0]: node for node in model.graph.node}
    lowered = [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv" and made.get(node.input[0], node).op_type == "DequantizeLinear"
    ]
    assert lowered == [one.node]
    assert {layer.name for layer in quantisable(model)} == {layer.name for layer in layers} - {one.name}
    readers = [node for node in model.graph.node for name in node.input if name == one.activation]
    assert sorted(node.op_type for node in readers) == ["QuantizeLinear", "Slice"]


def test_without_layers_the_graph_stays_as_it_is(extractor: bytes) -> None:
    assert quantised(extractor, {}, layers=[]) == extractor


def test_the_same_ranges_give_the_same_bytes(extractor: bytes, layers: Layers, largest: dict[str, float]) -> None:
    names = [layer.name for layer in layers]
    assert quantised(extractor, largest, layers=names) == quantised(extractor, largest, layers=names[::-1])


@pytest.mark.parametrize("value", [None, 0.0, -1.0, math.inf, math.nan])
def test_a_range_that_is_none_is_refused(extractor: bytes, layers: Layers, value: float | None) -> None:
    ranges = {layer.activation: 1.0 for layer in layers}
    del ranges[layers[0].activation]
    if value is not None:
        ranges[layers[0].activation] = value
    with pytest.raises(SettingsError, match=rf"the range of what c3d\.conv2a reads is {value}; it must be a finite"):
        quantised(extractor, ranges, layers=[layer.name for layer in layers])


def test_a_layer_that_cannot_be_quantised_is_refused_with_those_that_can(extractor: bytes) -> None:
    with pytest.raises(
        SettingsError, match=r"the layers have c3d\.conv1a; those that can be quantised are c3d\.conv2a"
    ):
        quantised(extractor, {}, layers=["c3d.conv1a"])
