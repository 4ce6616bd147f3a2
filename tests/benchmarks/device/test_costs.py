"""Operations and bytes of graphs, against counts by hand and against the paper's network."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

from onnx import NodeProto, TensorProto, helper, numpy_helper

from cmsn_benchmarks.device.costs import Cost, bundle_costs, graph_cost
from cmsn_runtime.backends.base import Arithmetic
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_graph, read_manifest
from cmsn_runtime.errors import MissingExtraError, SettingsError

ON_CPU = Arithmetic(library="onnxruntime", device="cpu", variant="fp32")


def weights(name: str, *shape: int, dtype: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.zeros(shape, dtype), name)


def graph_of(
    nodes: list[NodeProto],
    constants: list[TensorProto],
    *,
    axes: int,
    output_axes: int | None = None,
    dtype: int = TensorProto.FLOAT,
) -> bytes:
    """A graph from "x" to "y" with open shapes."""
    given, found = (
        helper.make_tensor_value_info(name, dtype, [None] * count)
        for name, count in (("x", axes), ("y", output_axes or axes))
    )
    graph = helper.make_graph(nodes, "tiny", [given], [found], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def test_a_convolution_takes_a_multiply_add_per_output_and_weight_of_its_group() -> None:
    """4 channels in 2 groups to 6; kernel 3 x 3 on 5 x 5 without padding: 3 x 3 outputs."""
    node = helper.make_node("Conv", ["x", "c.weight", "b"], ["y"], group=2)
    graph = graph_of([node], [weights("c.weight", 6, 2, 3, 3), weights("b", 6)], axes=4)
    assert graph_cost(graph, {"x": (1, 4, 5, 5)}) == Cost(
        products={"fp32": 2 * (6 * 9) * (2 * 9)},
        others=6 * 9,
        layers={"c": 2 * (6 * 9) * (2 * 9)},
        nbytes=4 * (100 + 54 + 108 + 6),
    )


def test_an_lstm_of_both_directions_takes_its_matrices_at_every_step() -> None:
    """3 inputs, 5 hidden units, 7 steps, 2 cameras; a bias and four activations, products and sums of the cell."""
    node = helper.make_node("LSTM", ["x", "w", "r", "b"], ["y"], hidden_size=5, direction="bidirectional", name="lstm")
    graph = graph_of(
        [node], [weights("w", 2, 20, 3), weights("r", 2, 20, 5), weights("b", 2, 40)], axes=3, output_axes=4
    )
    cost = graph_cost(graph, {"x": (7, 2, 3)})
    assert cost.products == {"fp32": 2 * 7 * 2 * 2 * 20 * (3 + 5)}
    assert cost.others == 13 * 7 * 2 * 2 * 5
    assert cost.layers == {"lstm": cost.products["fp32"]}


def test_products_of_matrices_pools_and_elementwise_operators_are_counted_and_index_arithmetic_is_not() -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "fc.weight", "b"], ["a"], transB=1),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("MatMul", ["r", "m.weight"], ["m"]),
        helper.make_node("Shape", ["m"], ["shape"]),
        helper.make_node("Add", ["shape", "shape"], ["twice"]),
        helper.make_node("ReduceMax", ["m"], ["y"], axes=[1]),
    ]
    constants = [weights("fc.weight", 4, 3), weights("b", 4), weights("m.weight", 4, 6)]
    cost = graph_cost(graph_of(nodes, constants, axes=2), {"x": (2, 3)})
    assert cost.layers == {"fc": 2 * 2 * 3 * 4, "m": 2 * 2 * 4 * 6}
    assert cost.others == 2 * 4 + 2 * 4 + 2 * 6
    assert cost.operations == {"fp32": sum(cost.layers.values()) + cost.others}


def test_a_pool_takes_one_operation_per_value_of_its_kernel() -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])
    cost = graph_cost(graph_of([node], [], axes=4), {"x": (1, 3, 4, 4)})
    assert (cost.products, cost.others) == ({}, 3 * 4 * 4)
    assert cost.operations == {"fp32": 3 * 4 * 4}


@pytest.mark.parametrize(("float32_as", "stored"), [("fp32", 4), ("bf16", 2)])
def test_weights_are_moved_as_they_are_computed_and_inputs_as_they_come(float32_as: str, stored: int) -> None:
    graph = graph_of([helper.make_node("MatMul", ["x", "m.weight"], ["y"])], [weights("m.weight", 3, 5)], axes=2)
    cost = graph_cost(graph, {"x": (2, 3)}, float32_as=float32_as)
    assert cost.products == {float32_as: 2 * 2 * 3 * 5}
    assert cost.nbytes == stored * 15 + 4 * (6 + 10)


def test_half_precision_is_recognised_by_its_weights() -> None:
    node = helper.make_node("MatMul", ["x", "m.weight"], ["y"])
    graph = graph_of([node], [weights("m.weight", 3, 5, dtype=np.float16)], axes=2, dtype=TensorProto.FLOAT16)
    cost = graph_cost(graph, {"x": (2, 3)})
    assert (cost.products, cost.nbytes) == ({"fp16": 60}, 2 * (15 + 6 + 10))


def test_a_product_of_two_dequantised_factors_is_int8() -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["m.weight", "s", "z"], ["w"]),
        helper.make_node("MatMul", ["d", "w"], ["h"], name="first"),
        helper.make_node("MatMul", ["h", "n.weight"], ["y"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(1, np.float32), "s"),
        numpy_helper.from_array(np.array(0, np.int8), "z"),
        weights("m.weight", 3, 5, dtype=np.int8),
        weights("n.weight", 5, 1),
    ]
    cost = graph_cost(graph_of(nodes, constants, axes=2), {"x": (2, 3)})
    assert cost.products == {"int8": 60, "fp32": 20}
    assert cost.nbytes == 15 + 4 * 5 + 4 + 1 + 4 * (6 + 2)


def test_an_operator_of_unknown_cost_is_refused_by_its_name() -> None:
    node = helper.make_node("Einsum", ["x", "x"], ["y"], equation="ij,ij->ij")
    with pytest.raises(SettingsError, match="operator Einsum, whose operations are not counted; known are"):
        graph_cost(graph_of([node], [], axes=2), {"x": (2, 3)})


def test_counting_without_onnx_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmsn_runtime.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"needs onnx, which is not installed: pip install 'cmsn\[bench\]'"):
        graph_cost(b"", {})


def test_the_demo_is_counted_as_by_hand() -> None:
    """conv1a has 8 x 48 x 64 outputs in 8 channels, of 3 x 27 products; the BiLSTM 64 units and 96 steps."""
    manifest = read_manifest(DEMO_BUNDLE)
    costs = bundle_costs(manifest, partial(read_graph, DEMO_BUNDLE), ON_CPU, proposals=3)
    layers = costs["extractor"].layers
    assert layers["c3d.conv1a"] == 2 * (8 * 48 * 64) * 8 * (3 * 27)
    assert layers["c3d.conv5b"] == 2 * (1 * 3 * 4) * 64 * (64 * 27)
    assert len(layers) == 10
    lstm = 2 * 96 * 2 * 4 * 64 * ((64 + 64) + (128 + 64))
    assert sum(costs["stages"].products.values()) == lstm + 2 * 96 * 128 * 6
    assert sum(costs["evaluator"].products.values()) == 3 * 2 * (512 * 256 + 256 * 256 + 256)
    states = sum(state.nbytes for state in manifest.state_tensors("fp32"))
    assert costs["extractor"].nbytes > 2 * states + 8 * 48 * 64 * 3


def test_half_graphs_move_half_the_weights_and_take_the_same_operations() -> None:
    manifest = read_manifest(DEMO_BUNDLE)
    full = bundle_costs(manifest, partial(read_graph, DEMO_BUNDLE), ON_CPU)["extractor"]
    half = bundle_costs(
        manifest,
        partial(read_graph, DEMO_BUNDLE),
        Arithmetic(library="tensorrt", device="cuda", variant="fp16"),
    )["extractor"]
    assert half.products == {"fp16": full.products["fp32"]}
    assert 0.5 < half.nbytes / full.nbytes < 0.6


def test_c3d_takes_half_of_its_published_operations_per_hop_of_8_frames(tmp_path: Path) -> None:
    """38.5 billion multiply-adds per 16 frames of 112 x 112 (Tran et al., 2015): counted at a sixteenth of the width,
    where the first layer has 16 times fewer, and all others 256 times."""
    pytest.importorskip("torch")
    from cmsn_benchmarks.gpu.network import network_bundle

    folder = network_bundle(tmp_path / "paper.cmsn", width=0.0625)
    layers = bundle_costs(read_manifest(folder), partial(read_graph, folder), ON_CPU)["extractor"].layers
    c3d = {name: count for name, count in layers.items() if name.startswith("c3d.")}
    assert len(c3d) == 8
    first = c3d.pop("c3d.conv1a")
    multiply_adds = (16 * first + 256 * sum(c3d.values())) / 2
    assert 2 * multiply_adds == pytest.approx(38.5e9, rel=0.002)


def test_the_costs_need_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; import cmsn_benchmarks.device.roofline, "
        "cmsn_benchmarks.device.roofline_picture; assert 'onnx' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
