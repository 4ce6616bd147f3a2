"""The BiLSTM on TensorRT, layer by layer and direction by direction: a wrong one is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmsn_benchmarks.device.loaded_engine import LoadedEngine, build_and_load
from cmsn_benchmarks.gpu.lstm import LARGEST_ERROR, cut_after, wrong_directions
from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_graph, read_manifest
from cmsn_runtime.manifest.contents import FULL_PRECISION, Manifest

pytestmark = pytest.mark.gpu("builder")

LENGTHS = (1, 2, 7, 48, 96)
CAMERAS = 3


@pytest.fixture(scope="module", params=["demo", "cctv"])
def folder(request: pytest.FixtureRequest) -> Path:
    return DEMO_BUNDLE.parent / f"{request.param}.cmsn"


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    return read_manifest(folder)


@pytest.fixture(scope="module")
def graph(folder: Path, manifest: Manifest) -> bytes:
    return read_graph(folder, manifest.variant(FULL_PRECISION).graphs["stages"])


@pytest.fixture(scope="module", params=[0, 1], ids=["first layer", "second layer"])
def layer(request: pytest.FixtureRequest, graph: bytes, manifest: Manifest) -> Iterator[tuple[int, LoadedEngine, Any]]:
    """Number of a layer, and the graph up to it on TensorRT and on ONNX Runtime."""
    import onnxruntime  # type: ignore[import-untyped]

    onnx, output, hidden = cut_after(graph, request.param)
    shapes = engine_shapes(manifest, "stages", EngineSizes(cameras=CAMERAS))
    largest = {output: (manifest.grid.window, 2, CAMERAS, hidden)}
    reference = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    with build_and_load(onnx, shapes, graph="stages", precision="fp32", outputs=largest) as engine:
        yield request.param, engine, reference


@pytest.mark.parametrize("cameras", [1, CAMERAS], ids=["one camera", "three cameras"])
@pytest.mark.parametrize("steps", LENGTHS)
def test_each_lstm_layer_agrees_with_the_cpu_in_each_direction(
    layer: tuple[int, LoadedEngine, Any], manifest: Manifest, steps: int, cameras: int
) -> None:
    number, engine, reference = layer
    shape = (cameras, steps, manifest.network.feature_channels)
    features = np.random.default_rng(steps).normal(size=shape).astype(np.float32)
    (expected,) = reference.run(None, {"features": features})
    (found,) = engine.run({"features": features}, [expected.shape])
    faults = wrong_directions(found, expected)
    assert not faults, f"layer {number + 1} of the BiLSTM over {steps} steps: {'; '.join(faults)}"


def test_the_whole_stage_network_agrees_with_the_cpu(graph: bytes, manifest: Manifest) -> None:
    """The same lengths through to the probabilities."""
    import onnxruntime

    shapes = engine_shapes(manifest, "stages", EngineSizes())
    reference = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    largest = {"probabilities": (1, manifest.grid.window, 6)}
    with build_and_load(graph, shapes, graph="stages", precision="fp32", outputs=largest) as engine:
        for steps in LENGTHS:
            shape = (1, steps, manifest.network.feature_channels)
            features = np.random.default_rng(steps).normal(size=shape).astype(np.float32)
            (expected,) = reference.run(None, {"features": features})
            (found,) = engine.run({"features": features}, [expected.shape])
            assert float(np.abs(found - expected).max()) <= LARGEST_ERROR, f"{steps} steps"
