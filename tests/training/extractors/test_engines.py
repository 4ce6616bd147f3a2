"""NVIDIA's compiler and OpenVINO take the graphs of frozen networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from frozen_models import model_of, pictures_for  # noqa: E402

from cmsn_export.bundle_folder import write_bundle  # noqa: E402
from cmsn_export.bundling import describe  # noqa: E402
from cmsn_export.graphs import build_graphs  # noqa: E402
from cmsn_export.variants import unmeasured  # noqa: E402
from cmsn_runtime.backends.base import Backend  # noqa: E402
from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes  # noqa: E402
from cmsn_runtime.bundle import open_bundle  # noqa: E402
from cmsn_runtime.bundle_files import read_graph, read_manifest  # noqa: E402
from cmsn_runtime.streams.extracting import StreamingExtractor, extracted  # noqa: E402
from cmsn_training.config import TrainingConfig  # noqa: E402


@pytest.fixture(scope="module")
def folder(config: TrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of each kind of input."""
    model, whole = model_of(config)
    variants = unmeasured(build_graphs(model, window=16))
    folder = tmp_path_factory.mktemp("bundle") / "networks.cmsn"
    write_bundle(folder, describe(model, whole, {}, variants), variants)
    return folder


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("sizes", [EngineSizes(), EngineSizes(cameras=4)], ids=["one camera", "a batch"])
def test_tensorrt_builds_the_extractor(folder: Path, precision: str, sizes: EngineSizes) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx, which compiles for a GPU without one")
    from without_gpu import for_a_gpu_of_2020

    from cmsn_export.engine_building import BuilderSettings, build_plan

    manifest = read_manifest(folder)
    file = manifest.variant(precision).graphs["extractor"]
    plan = build_plan(
        trt,
        read_graph(folder, file),
        engine_shapes(manifest, "extractor", sizes),
        BuilderSettings(),
        graph="extractor",
        precision=file.precision,
        configure=for_a_gpu_of_2020,
    )
    assert len(plan) > 1000


def test_openvino_and_onnx_runtime_agree(folder: Path, config: TrainingConfig) -> None:
    pytest.importorskip("openvino")
    frames = pictures_for(model_of(config)[0])

    def features(backend: Backend, delay_steps: int) -> np.ndarray:
        stream = StreamingExtractor(backend, stride=8, delay_steps=delay_steps)
        return np.concatenate([np.array(part) for part in extracted(frames, stream, backend)])

    found = []
    for name in ("onnxruntime", "openvino"):
        with open_bundle(folder, backend=name) as bundle:
            found.append(features(bundle.backend, bundle.manifest.network.delay_steps))
    np.testing.assert_allclose(found[1], found[0], atol=1e-4 * np.abs(found[0]).max())
