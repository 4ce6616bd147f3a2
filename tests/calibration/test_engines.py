"""NVIDIA's own parser and compiler take an extractor with Q/DQ: tensorrt-rtx builds on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
from without_gpu import for_a_gpu_of_2020

from cmsn_calibration.layers import Layer
from cmsn_calibration.quantising import quantised
from cmsn_export.engine_building import BuilderSettings, build_plan
from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes
from cmsn_runtime.bundle_files import read_manifest

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
