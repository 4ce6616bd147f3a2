"""ONNX Runtime's GPU providers: what they are given, what is said where they are missing, states that stay put."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]
import pytest

from cmsn_benchmarks.gpu.cameras import Camera, apart, play
from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import evaluate, extract
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.onnxruntime import state as state_module
from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend
from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_graph, read_manifest
from cmsn_runtime.errors import BackendError, BackendWarning, BundleError
from cmsn_runtime.manifest.contents import GRAPH_NAMES, StateTensor

CUDA = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
without_cuda = pytest.mark.skipif(CUDA, reason="this ONNX Runtime has CUDA")


@pytest.mark.parametrize(("precision", "kind"), [("fp32", np.float32), ("fp16", np.float16)])
def test_states_on_a_device_give_the_same_features(precision: str, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way through IO binding, with the CPU as the device: bit for bit what arrays give."""
    manifest = read_manifest(DEMO_BUNDLE)
    graphs = {name: read_graph(DEMO_BUNDLE, file) for name, file in manifest.variant(precision).graphs.items()}
    states = manifest.state_tensors(precision)
    frames = np.random.default_rng(0).integers(0, 256, (96, *manifest.input_shape), dtype=np.uint8)

    def features(provider: Provider) -> Any:
        with OnnxRuntimeBackend(graphs, states, threads=1, provider=provider) as backend:
            state = backend.new_state()
            assert all(
                (item.dtype if isinstance(item, np.ndarray) else item.numpy().dtype) == kind
                for item in state.place[0].tensors.values()
            )
            return [
                answer_alone(extract(frames[at : at + 8], state, position=at, length=UNKNOWN_LENGTH), backend)
                for at in range(0, 96, 8)
            ]

    plain = features(Provider())
    monkeypatch.setattr(Provider, "device", property(lambda self: "cpu"))
    np.testing.assert_array_equal(features(Provider()), plain)
    assert np.abs(plain).max() > 0


@pytest.fixture
def batched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bundle]:
    """The demo, five cameras at once; its states are in arrays, or on a device, which is the CPU here."""
    if request.param == "device":
        monkeypatch.setattr(Provider, "device", property(lambda self: "cpu"))
    manifest = read_manifest(DEMO_BUNDLE)
    graphs = {name: read_graph(DEMO_BUNDLE, file) for name, file in manifest.variant("fp32").graphs.items()}
    backend = OnnxRuntimeBackend(graphs, manifest.state_tensors("fp32"), threads=1, largest_batch=5)
    with Bundle(DEMO_BUNDLE, manifest, backend) as bundle:
        yield bundle


@pytest.mark.parametrize("batched", ["arrays", "device"], indirect=True)
def test_batches_are_to_the_bit_as_one_by_one(batched: Bundle) -> None:
    """Cameras join, leave, reset and miss hops."""
    assert apart(play(batched, 5, together=True), play(batched, 5, together=False)) == 0


@pytest.mark.parametrize("batched", ["arrays", "device"], indirect=True)
def test_only_cameras_that_are_no_neighbours_are_copied(batched: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[int] = []
    real = state_module._on_host

    def counted(tensor: Any) -> npt.NDArray[Any]:
        copied.append(1)
        return real(tensor)

    monkeypatch.setattr(state_module, "_on_host", counted)
    cameras = [Camera(seed, batched) for seed in range(5)]

    def run(*indices: int) -> int:
        """Number of states that were copied together."""
        copied.clear()
        batched.backend.extract([cameras[index].extract() for index in indices])
        return len(copied)

    states = len(batched.manifest.states)
    assert run(0, 1, 2, 3, 4) == 5 * states  # each was alone
    assert [run(0, 1, 2, 3, 4), run(4, 3, 2, 1, 0), run(1, 2, 3), run(3), run(0)] == [0] * 5
    assert run(0, 2) == 2 * states


def test_a_state_is_as_before_where_the_graph_fails(
    tiny_graphs: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Provider, "device", property(lambda self: "cpu"))
    with OnnxRuntimeBackend(tiny_graphs, [StateTensor("step", (1, 3))]) as backend:
        state = backend.new_state()
        before = dict(state.place[0].tensors)
        with pytest.raises(BackendError, match="failed on the extractor graph"):  # 12 frames are no whole steps
            answer_alone(
                extract(np.zeros((12, 16, 16, 3), np.uint8), state, position=0, length=UNKNOWN_LENGTH), backend
            )
        assert state.place[0].tensors == before


@without_cuda
@pytest.mark.filterwarnings("ignore:Specified provider")
@pytest.mark.parametrize("kind", ["ort-cuda", "ort-tensorrt"])
def test_a_missing_provider_is_an_error_and_not_the_cpu(kind: Any) -> None:
    said = r"runs the extractor graph on CPUExecutionProvider and not on .*install 'onnxruntime-gpu\[cuda,cudnn\]'"
    with pytest.raises(BundleError, match=said):
        open_bundle(backend=kind)


@without_cuda
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_warns_that_the_gpu_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with onnxruntime-gpu on a machine without CUDA: it lists the provider and falls back."""
    listed = [*onnxruntime.get_available_providers(), "CUDAExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)
    with pytest.warns(BackendWarning, match="the backend ort-cuda cannot be used"), open_bundle() as bundle:
        assert "CPUExecutionProvider" in bundle.backend.name


def test_tensorrt_within_onnx_runtime_is_given_profiles_and_a_cache(tmp_path: Path) -> None:
    provider = Provider(
        "tensorrt", shapes={"stages": {"features": ((1, 1, 64), (1, 96, 64), (1, 96, 64))}}, cache=tmp_path
    )
    (name, options), *rest = provider.listed("stages")
    assert name == "TensorrtExecutionProvider"
    assert options["trt_profile_min_shapes"] == "features:1x1x64"
    assert options["trt_profile_max_shapes"] == "features:1x96x64"
    assert options["trt_engine_cache_path"] == str(tmp_path)
    assert options["trt_fp16_enable"] == "0"  # the stage network is FP32
    assert [item if isinstance(item, str) else item[0] for item in rest] == [
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ]


def test_tensorrt_within_onnx_runtime_uses_fp16_only_for_fp16_graphs() -> None:
    provider = Provider("tensorrt", precisions={"extractor": "fp16", "stages": "fp32", "evaluator": "int8"})
    flags = {graph: provider.listed(graph)[0][1]["trt_fp16_enable"] for graph in provider.precisions}
    assert flags == {"extractor": "1", "stages": "0", "evaluator": "0"}


def test_tensorrt_within_onnx_runtime_runs_without_a_cache_where_none_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (_, options), *_ = Provider("tensorrt", cache=tmp_path / "file" / "engines").listed("stages")
    assert "trt_engine_cache_path" not in options


def test_a_profile_limits_the_chunk_and_the_proposals_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT inside ONNX Runtime has the shapes it was given: one chunk, and so many proposals at once."""
    manifest = read_manifest(DEMO_BUNDLE)
    shapes = {name: engine_shapes(manifest, name, EngineSizes(proposals=10)) for name in GRAPH_NAMES}
    graphs = {name: read_graph(DEMO_BUNDLE, file) for name, file in manifest.variant("fp32").graphs.items()}
    states = manifest.state_tensors("fp32")
    rng = np.random.default_rng(1)
    left, right = rng.integers(0, 50, (2, 33, 8))
    features = rng.normal(size=(50, 64)).astype(np.float32)
    found = []
    for provider in (Provider(), Provider("cpu", shapes=shapes)):
        with OnnxRuntimeBackend(graphs, states, provider=provider) as backend:
            assert backend.chunk_frames == (8 if provider.shapes else None)
            window = backend.new_window(50)
            window.push(features)
            found.append(answer_alone(evaluate(window, left, right), backend))
            assert answer_alone(evaluate(window, left[:0], right[:0]), backend).shape == (0,)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
