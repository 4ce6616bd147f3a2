"""FP16 graphs: FP16 where it is meant, FP32 where it is not, and results close to those in FP32."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from cmsn_export.graphs import build_graphs
from cmsn_export.narrowing import narrowed
from cmsn_export.parity import measure_parity
from cmsn_runtime.errors import SettingsError
from cmsn_training.config import TrainingConfig, parse_config
from cmsn_training.models.cmsn import CMSN


def configured(width: float = 1 / 16, **model: Any) -> TrainingConfig:
    return parse_config(
        {
            "data": {"videos": ".", "annotations": "."},
            "model": {"width": width, "lstm_hidden": 8, "evaluator_hidden": 16, **model},
            "preprocessing": {"resize": [32, 32], "crop": [32, 32], "scale": 1 / 64},
        },
        origin="test",
    )


@pytest.fixture(scope="module")
def model() -> CMSN:
    torch.manual_seed(0)
    return CMSN(configured()).eval()


@pytest.fixture(scope="module")
def graphs(model: CMSN) -> dict[str, bytes]:
    return build_graphs(model, window=96)


def types_of(graph: bytes) -> tuple[Any, dict[str, int]]:
    """The model and the element type of each of its tensors."""
    found = onnx.shape_inference.infer_shapes(onnx.load_from_string(graph), strict_mode=True)
    known = [*found.graph.value_info, *found.graph.input, *found.graph.output]
    types = {item.name: item.type.tensor_type.elem_type for item in known}
    return found, {**types, **{item.name: item.data_type for item in found.graph.initializer}}


def half_of(graph: bytes) -> bytes:
    half = narrowed(graph, "fp16")
    assert half is not None
    return half


@pytest.mark.parametrize("name", ["extractor", "evaluator"])
def test_convolutions_and_wide_layers_become_fp16_and_norms_stay_fp32(graphs: dict[str, bytes], name: str) -> None:
    found, types = types_of(half_of(graphs[name]))
    for node in found.graph.node:
        kinds = {types[item] for item in (*node.input, *node.output) if types.get(item) in (1, 10)}
        if node.op_type == "Conv" or node.name.startswith(("/fc1/", "/fc2/")):
            assert kinds == {TensorProto.FLOAT16}, node.name
        elif node.op_type in ("Sub", "Div", "Sigmoid", "ReduceL2", "Softmax") or node.name == "/score/Gemm":
            assert kinds <= {TensorProto.FLOAT}, node.name
    weights = [item for item in found.graph.initializer if item.name.endswith((".weight.half", ".weight"))]
    assert weights


def test_states_become_fp16_and_features_stay_fp32(graphs: dict[str, bytes]) -> None:
    found, types = types_of(half_of(graphs["extractor"]))
    for item in found.graph.input:
        expected = {"frames": TensorProto.UINT8, "position": TensorProto.INT64, "length": TensorProto.INT64}
        assert types[item.name] == expected.get(item.name, TensorProto.FLOAT16)
    for item in found.graph.output:
        assert types[item.name] == (TensorProto.FLOAT if item.name == "features" else TensorProto.FLOAT16)


def test_an_fp16_extractor_is_about_half_the_size(graphs: dict[str, bytes]) -> None:
    assert len(half_of(graphs["extractor"])) < 0.6 * len(graphs["extractor"])


def test_the_stages_graph_has_no_fp16_version(graphs: dict[str, bytes]) -> None:
    assert narrowed(graphs["stages"], "fp16") is None


@pytest.mark.parametrize("head", ["sigmoid", "vmcl"])
def test_fp16_graphs_agree_with_torch_to_a_hundredth(head: str) -> None:
    torch.manual_seed(1)
    model = CMSN(configured(1 / 8, evaluator_head=head)).eval()
    graphs = build_graphs(model, window=96)
    half = {name: half_of(graphs[name]) for name in ("extractor", "evaluator")}
    errors = measure_parity(model, {**graphs, **half}, window=96)
    assert 0 < errors["extractor"] < 1e-2
    assert errors["evaluator"] < 1e-2


def test_a_weight_beyond_fp16_is_refused_by_name(graphs: dict[str, bytes]) -> None:
    found = onnx.load_from_string(graphs["extractor"])
    (bias,) = (item for item in found.graph.initializer if item.name == "c3d.conv3a.bias")
    bias.CopyFrom(numpy_helper.from_array(np.full_like(numpy_helper.to_array(bias), 1e5), bias.name))
    with pytest.raises(ValueError, match=r"c3d\.conv3a\.bias holds 100000"):
        narrowed(found.SerializeToString(), "fp16")


def test_only_products_with_a_mask_become_fp16() -> None:
    """A factor that is a mask follows what it selects from; any other product stays in float32."""
    shape = [1, 2, 4, 4, 4]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 6),
        helper.make_node("Less", ["y", "zero"], ["negative"]),
        helper.make_node("Cast", ["negative"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["y", "mask"], ["selected"]),
        helper.make_node("Mul", ["selected", "y"], ["product"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("product", TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(np.ones((2, 2, 3, 3, 3), np.float32), "w"),
            numpy_helper.from_array(np.zeros((), np.float32), "zero"),
        ],
    )
    _, types = types_of(
        half_of(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    )
    assert types["selected"] == TensorProto.FLOAT16
    assert types["product"] == TensorProto.FLOAT
    assert types["negative"] == TensorProto.BOOL


@pytest.mark.parametrize("stacked", [["all"], ["conv2a", "conv4b", "stage2"]])
def test_convolutions_over_stacked_steps_agree_with_torch(model: CMSN, stacked: list[str]) -> None:
    graphs = build_graphs(model, window=96, stacked=stacked)
    flat = [node for node in onnx.load_from_string(graphs["extractor"]).graph.node if node.op_type == "Conv"]
    ranks = [len(node.attribute[0].ints) if node.attribute[0].name == "dilations" else 0 for node in flat]
    assert ranks.count(2) == (10 if stacked == ["all"] else 3)
    assert max(measure_parity(model, graphs, window=96).values()) < 1e-4
    assert model.extractor.stacked == frozenset()


def test_an_unknown_layer_to_stack_is_named(model: CMSN) -> None:
    with pytest.raises(SettingsError, match="the extractor has no convolution conv9"):
        build_graphs(model, window=96, stacked=["conv9", "conv2a"])
