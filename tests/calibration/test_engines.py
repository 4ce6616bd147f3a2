"""NVIDIA's own parser and compiler take an extractor with Q/DQ: tensorrt-rtx builds on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_cuda import Machine, process_on
from fake_tensorrt import FakeTensorRT
from without_gpu import for_a_gpu_of_2020

from cmsn_calibration.layers import Layer
from cmsn_calibration.quantising import quantised
from cmsn_export.building import BuildPlan, build_engines
from cmsn_export.engine_building import BuilderSettings, build_plan, inspect_graph
from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes
from cmsn_runtime.bundle_files import read_manifest
from cmsn_runtime.errors import BackendError

trt = pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx, which compiles for a GPU without one")


@pytest.mark.parametrize("sizes", [EngineSizes(), EngineSizes(cameras=4)], ids=["one camera", "a batch of cameras"])
@pytest.mark.parametrize("some", [slice(None), slice(3, 4)], ids=["all layers", "one layer"])
def test_a_quantised_extractor_compiles(
    folder: Path,
    extractor: bytes,
    layers: tuple[Layer, ...],
    largest: dict[str, float],
    some: slice,
    sizes: EngineSizes,
) -> None:
    plan = build_plan(
        trt,
        quantised(extractor, largest, layers=[layer.name for layer in layers[some]]),
        engine_shapes(read_manifest(folder), "extractor", sizes),
        BuilderSettings(),
        graph="extractor",
        precision="int8",
        configure=for_a_gpu_of_2020,
    )
    assert len(plan) > 100_000


def test_a_float_graph_that_should_be_int8_is_refused(folder: Path, extractor: bytes) -> None:
    shapes = engine_shapes(read_manifest(folder), "extractor", EngineSizes())
    with pytest.raises(BackendError, match="should compute in INT8, but has 0 layers that quantise and 0 that"):
        inspect_graph(trt, extractor, shapes, graph="extractor", precision="int8")


@pytest.mark.parametrize("version", ["8.6.2.3", "10.3.0.26", "11.4.0.106"])
def test_cmsn_build_takes_the_variant_on_each_tensorrt(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """Over a simulated TensorRT: 8.6 needs a flag for INT8, the others refuse one."""
    with process_on(Machine(), monkeypatch) as machine:
        library = FakeTensorRT(machine, version=version)
        library.install(monkeypatch)
        plan = BuildPlan(
            bundle=written, engines=tmp_path, sizes=EngineSizes(), builder=BuilderSettings(), precision="int8"
        )
        built = list(build_engines(library.module(), plan))
    assert [(outcome.graph, outcome.precision, outcome.built) for outcome in built] == [
        ("extractor", "int8", True),
        ("stages", "fp32", True),
        ("evaluator", "fp32", True),
    ]
