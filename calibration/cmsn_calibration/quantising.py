"""Writes QuantizeLinear and DequantizeLinear into an extractor's graph."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
import onnx

from cmsn_calibration.layers import Layer, quantisable
from cmsn_runtime.errors import SettingsError


def quantised(graph: bytes, ranges: Mapping[str, float], *, layers: Collection[str]) -> bytes:
    """An FP32 graph whose named layers compute in INT8 -> its ONNX bytes, with explicit Q/DQ.

    ranges: name of the tensor that a layer reads -> its largest absolute value; larger ones are clipped to it.
    layers: names of `quantisable` layers. All is symmetric, with zero points of 0, as TensorRT requires: activations
    have one scale per tensor, range / 127, and weights, kept as INT8, one per channel of the output. Biases, states and
    all other layers stay as they are: INT8 states were no faster on a CPU.
    Raises SettingsError for unknown layers, or ranges that are missing or not above 0.
    """
    model = onnx.load_from_string(graph)
    chosen = _chosen(model, layers)
    if not chosen:
        return graph
    _require_ranges(chosen, ranges)
    written: bytes = _written(model, chosen, ranges).SerializeToString(deterministic=True)
    return written


def _chosen(model: onnx.ModelProto, names: Collection[str]) -> list[Layer]:
    found = quantisable(model)
    unknown = sorted(set(names) - {layer.name for layer in found})
    if unknown:
        raise SettingsError(
            f"the layers have {', '.join(unknown)}; those that can be quantised are "
            f"{', '.join(layer.name for layer in found) or 'none'}; name some of them"
        )
    return [layer for layer in found if layer.name in names]


def _require_ranges(layers: Collection[Layer], ranges: Mapping[str, float]) -> None:
    for layer in layers:
        value = ranges.get(layer.activation)
        if value is None or not 0 < value < math.inf:
            raise SettingsError(
                f"the range of what {layer.name} reads is {value}; it must be a finite number above 0; collect ranges "
                "on videos in which something happens, or leave this layer out"
            )


def _written(model: onnx.ModelProto, layers: Collection[Layer], ranges: Mapping[str, float]) -> onnx.ModelProto:
    # ONNX Runtime's writer: one convolution at a time it does exactly this, and is used by many. nncf works on
    # OpenVINO's or torch's graphs, and nvidia-modelopt calibrates as it writes. Imported here, for it takes a second.
    from onnxruntime.quantization import QuantType  # type: ignore[import-untyped]
    from onnxruntime.quantization.calibrate import (  # type: ignore[import-untyped]
        CalibrationMethod,
        TensorData,
        TensorsData,
    )
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer  # type: ignore[import-untyped]

    bounds = {
        layer.activation: TensorData(
            lowest=np.float32(-ranges[layer.activation]), highest=np.float32(ranges[layer.activation])
        )
        for layer in layers
    }
    writer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, bounds),
        nodes_to_quantize=[layer.node for layer in layers],
        nodes_to_exclude=[],
        op_types_to_quantize=["Conv"],
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "QuantizeBias": False,  # TensorRT and OpenVINO add it to the sums, in their own precision
            "OpTypesToExcludeOutputQuantization": ["Conv"],
        },
    )
    writer.quantize_model()
    written: onnx.ModelProto = writer.model.model
    _keep_for_others(written, {layer.node for layer in layers})
    writer.model.topological_sort()
    return written


def _keep_for_others(model: onnx.ModelProto, nodes: Collection[str]) -> None:
    """Have all but the quantised nodes read a tensor as it was before it was quantised.

    The writer changes every reader, the states too; OpenVINO 2026.4 computes wrong features then (0.3 off, not 0.03).
    """
    before = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    after = {
        node.output[0]: before[node.input[0]]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in before
    }
    for node in model.graph.node:
        if node.name not in nodes:
            for place, name in enumerate(node.input):
                node.input[place] = after.get(name, name)
