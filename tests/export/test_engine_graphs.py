"""NVIDIA's own parser and compiler take every graph, through our builder: tensorrt-rtx builds on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
trt = pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx, which compiles for a GPU without one")

from without_gpu import for_a_gpu_of_2020  # noqa: E402

from cmsn_export.building import BuildPlan, inspect_graphs  # noqa: E402
from cmsn_export.bundle_folder import write_bundle  # noqa: E402
from cmsn_export.bundling import describe  # noqa: E402
from cmsn_export.engine_building import BuilderSettings, build_plan  # noqa: E402
from cmsn_export.engine_network import ParsedNetwork  # noqa: E402
from cmsn_export.graphs import build_graphs  # noqa: E402
from cmsn_export.variants import unmeasured  # noqa: E402
from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes  # noqa: E402
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_graph, read_manifest  # noqa: E402
from cmsn_runtime.errors import BackendError  # noqa: E402
from cmsn_runtime.manifest.contents import FULL_PRECISION, GRAPH_NAMES  # noqa: E402
from cmsn_training.config import parse_config  # noqa: E402
from cmsn_training.models.cmsn import CMSN  # noqa: E402

SIZES = [EngineSizes(), EngineSizes(cameras=4), EngineSizes(chunk_frames=16)]


def build(folder: Path, graph: str, precision: str, sizes: EngineSizes) -> bytes:
    manifest = read_manifest(folder)
    file = manifest.variant(precision).graphs[graph]
    return build_plan(
        trt,
        read_graph(folder, file),
        engine_shapes(manifest, graph, sizes),
        BuilderSettings(),
        graph=graph,
        precision=file.precision,
        configure=for_a_gpu_of_2020,
    )


def parsed(folder: Path, precision: str, sizes: EngineSizes) -> dict[str, ParsedNetwork]:
    plan = BuildPlan(bundle=folder, engines=folder, sizes=sizes, builder=BuilderSettings(), precision=precision)
    return {name: network for name, _, network in inspect_graphs(trt, plan)}


@pytest.fixture(scope="module")
def full_width(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The paper's network at its full width, untrained; a smaller picture, which changes no layer.

    Its parity is not measured here, which would take a minute.
    """
    config = parse_config(
        {
            "data": {"videos": ".", "annotations": "."},
            "preprocessing": {"resize": [48, 48], "crop": [48, 48], "scale": 1 / 64},
        },
        origin="test",
    )
    torch.manual_seed(0)
    model = CMSN(config).eval()
    variants = unmeasured(build_graphs(model, window=config.grid.window))
    folder = tmp_path_factory.mktemp("full") / "full.cmsn"
    write_bundle(folder, describe(model, config, {}, variants), variants)
    return folder


@pytest.mark.parametrize("sizes", SIZES, ids=["one camera", "a batch of cameras", "longer chunks"])
@pytest.mark.parametrize("precision", ["fp16", "fp32"])
@pytest.mark.parametrize("graph", GRAPH_NAMES)
def test_every_graph_of_the_demo_compiles(graph: str, precision: str, sizes: EngineSizes) -> None:
    assert len(build(DEMO_BUNDLE, graph, precision, sizes)) > 100_000


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
@pytest.mark.parametrize("graph", GRAPH_NAMES)
def test_every_graph_of_the_full_width_network_compiles(full_width: Path, graph: str, precision: str) -> None:
    for sizes in SIZES[:2]:
        assert len(build(full_width, graph, precision, sizes)) > 1_000_000


def test_convolutions_and_fully_connected_layers_are_fp16_and_the_rest_is_not(full_width: Path) -> None:
    for folder in (DEMO_BUNDLE, full_width):
        networks = parsed(folder, "fp16", EngineSizes())
        convolutions = [layer for layer in networks["extractor"].layers if layer.kind == "CONVOLUTION"]
        assert [layer.precision for layer in convolutions] == ["HALF"] * 10
        assert convolutions[0].name == "/conv1a/Conv"
        products = {x.name: x.precision for x in networks["evaluator"].layers if x.kind == "MATRIX_MULTIPLY"}
        assert products == {"/fc1/Gemm": "HALF", "/fc2/Gemm": "HALF", "/score/Gemm": "FLOAT"}
        # LSTM, norms, cosines and softmax
        assert not any(layer.precision == "HALF" for layer in networks["stages"].layers)


def test_no_layer_of_an_fp32_engine_is_fp16() -> None:
    networks = parsed(DEMO_BUNDLE, "fp32", EngineSizes())
    assert not any(layer.precision == "HALF" for network in networks.values() for layer in network.layers)


def test_shapes_are_static_for_one_camera_and_only_the_batch_is_dynamic_for_several() -> None:
    network = parsed(DEMO_BUNDLE, "fp16", EngineSizes())["extractor"].network
    for index in range(network.num_inputs):
        assert -1 not in tuple(network.get_input(index).shape)
    many = parsed(DEMO_BUNDLE, "fp16", EngineSizes(cameras=4))["extractor"].network
    shapes = [tuple(many.get_input(index).shape) for index in range(many.num_inputs)]
    assert all(shape[0] == -1 and -1 not in shape[1:] for shape in shapes)  # cameras, and nothing else


def test_an_fp32_layer_in_an_fp16_engine_is_named() -> None:
    manifest = read_manifest(DEMO_BUNDLE)
    onnx = read_graph(DEMO_BUNDLE, manifest.variant(FULL_PRECISION).graphs["extractor"])
    shapes = engine_shapes(manifest, "extractor", EngineSizes())
    with pytest.raises(BackendError, match="/conv1a/Conv is FLOAT"):
        build_plan(trt, onnx, shapes, BuilderSettings(), graph="extractor", precision="fp16")


def test_an_unsupported_layer_is_named() -> None:
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("RoiAlign", ["x", "rois", "batch"], ["y"], name="/pes/pool")],
        "g",
        [
            helper.make_tensor_value_info("x", kinds.FLOAT, [1, 2, 8, 8]),
            helper.make_tensor_value_info("rois", kinds.FLOAT, [3, 4]),
            helper.make_tensor_value_info("batch", kinds.INT64, [3]),
        ],
        [helper.make_tensor_value_info("y", kinds.FLOAT, [3, 2, 1, 1])],
    )
    raw = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    shapes = {name: (shape, shape, shape) for name, shape in {"x": (1, 2, 8, 8), "rois": (3, 4), "batch": (3,)}.items()}
    with pytest.raises(BackendError, match="cannot parse the evaluator graph: /pes/pool"):
        build_plan(trt, raw, shapes, BuilderSettings(), graph="evaluator", precision="fp32")


def test_inputs_that_differ_from_the_manifest_are_named() -> None:
    manifest = read_manifest(DEMO_BUNDLE)
    onnx = read_graph(DEMO_BUNDLE, manifest.variant(FULL_PRECISION).graphs["stages"])
    with pytest.raises(BackendError, match="the stages graph has inputs features; its manifest lists rows"):
        build_plan(trt, onnx, {"rows": ((1,), (1,), (1,))}, BuilderSettings(), graph="stages", precision="fp32")
