"""The ONNX Runtime backend on graphs small enough to be computed by hand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import evaluate, extract, stages
from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Arithmetic
from cmsn_runtime.backends.host_window import HostWindow, on_host
from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend
from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import StateTensor
from cmsn_runtime.streams.extracting import StreamingExtractor, extracted

STATES = [StateTensor("step", (1, 3))]

Frames = npt.NDArray[np.uint8]


@pytest.fixture
def backend(tiny_graphs: dict[str, bytes]) -> Iterator[OnnxRuntimeBackend]:
    with OnnxRuntimeBackend(tiny_graphs, STATES, threads=1) as opened:
        yield opened


@pytest.fixture
def frames() -> Frames:
    return np.random.default_rng(0).integers(0, 256, (48, 16, 16, 3), dtype=np.uint8)


def mean_colours(frames: Frames) -> npt.NDArray[np.float64]:
    """What the tiny extractor computes, without its delay: [steps, 3]."""
    means: npt.NDArray[np.float64] = frames.astype(np.float64).reshape(-1, 8 * 16 * 16, 3).mean(axis=1)
    return means


def test_the_backend_reports_its_name_and_input_shape(backend: OnnxRuntimeBackend) -> None:
    assert backend.name.startswith("ONNX Runtime ")
    assert "CPUExecutionProvider" in backend.name
    assert backend.arithmetic == Arithmetic(library="onnxruntime", device="cpu", variant="fp32", threads=1)
    assert (backend.input_shape, backend.feature_channels, backend.roi_bins) == ((16, 16, 3), 3, 4)


def window_of(features: npt.NDArray[np.float32]) -> HostWindow:
    """A window that holds just these."""
    window = HostWindow(len(features))
    window.push(features)
    return window


@pytest.mark.parametrize("chunk", [8, 16, 48])
def test_a_state_carries_over_from_chunk_to_chunk(backend: OnnxRuntimeBackend, frames: Frames, chunk: int) -> None:
    state = backend.new_state()
    parts = [
        answer_alone(extract(frames[start : start + chunk], state, position=start, length=UNKNOWN_LENGTH), backend)
        for start in range(0, len(frames), chunk)
    ]
    features = np.concatenate([on_host(part) for part in parts])
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features[0], 0)  # the step before the first: the state's zeros
    np.testing.assert_allclose(features[1:], mean_colours(frames)[:-1], rtol=1e-5)


def test_cameras_do_not_mix(backend: OnnxRuntimeBackend, frames: Frames) -> None:
    left, right = backend.new_state(), backend.new_state()
    answer_alone(extract(frames[:8], left, position=0, length=UNKNOWN_LENGTH), backend)
    answer_alone(extract(frames[8:16], right, position=0, length=UNKNOWN_LENGTH), backend)
    later = [
        on_host(answer_alone(extract(frames[16:24], state, position=8, length=UNKNOWN_LENGTH), backend))[0]
        for state in (left, right)
    ]
    np.testing.assert_allclose(later, mean_colours(frames)[:2], rtol=1e-5)


def test_the_backend_feeds_the_streaming_extractor(backend: OnnxRuntimeBackend, frames: Frames) -> None:
    extractor = StreamingExtractor(backend, stride=8, delay_steps=1, chunk_frames=16)
    features = np.concatenate([on_host(part) for part in extracted(frames, extractor, backend)])
    np.testing.assert_allclose(features, mean_colours(frames), rtol=1e-5)


def test_frames_need_not_be_contiguous(backend: OnnxRuntimeBackend, frames: Frames) -> None:
    mirrored = frames[:8, :, ::-1, ::-1]
    state = backend.new_state()
    answer_alone(extract(mirrored, state, position=0, length=UNKNOWN_LENGTH), backend)
    features = answer_alone(extract(mirrored, state, position=8, length=UNKNOWN_LENGTH), backend)
    np.testing.assert_allclose(on_host(features), mean_colours(frames[:8])[:, ::-1], rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 5, 96])
def test_stages_are_probabilities_of_each_step(backend: OnnxRuntimeBackend, steps: int) -> None:
    features = np.random.default_rng(1).normal(size=(steps, 3)).astype(np.float32)
    exponentials = np.exp(features.astype(np.float64) @ np.eye(6)[[0, 2, 4]])
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answer_alone(stages(window_of(features)), backend), expected, rtol=1e-5)


@pytest.mark.parametrize("proposals", [0, 1, 7])
def test_evaluate_gives_one_score_per_proposal(backend: OnnxRuntimeBackend, proposals: int) -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(10, 3)).astype(np.float32)
    left = rng.integers(0, 40, (proposals, 4))
    right = rng.integers(0, 40, (proposals, 4))
    largest = features.max(axis=1)[np.maximum(left, right) % 10].max(axis=1, initial=-np.inf)
    scores = answer_alone(evaluate(window_of(features), left, right), backend)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-largest)), rtol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((8, 16, 16, 3), np.float32),
        np.zeros((8, 16, 24, 3), np.uint8),
        np.zeros((8, 16, 16, 1), np.uint8),
        np.zeros((16, 16, 3), np.uint8),
        np.zeros((0, 16, 16, 3), np.uint8),
    ],
)
def test_wrong_frames_are_named(backend: OnnxRuntimeBackend, wrong: Frames) -> None:
    with pytest.raises(BackendError, match=r"this model takes uint8 \[T, 16, 16, 3\]") as caught:
        answer_alone(extract(wrong, backend.new_state(), position=0, length=UNKNOWN_LENGTH), backend)
    assert str(wrong.dtype) in str(caught.value)
    assert str(list(wrong.shape)) in str(caught.value)


def test_errors_of_onnx_runtime_become_backend_errors_without_its_log(
    backend: OnnxRuntimeBackend, frames: Frames, capfd: pytest.CaptureFixture[str]
) -> None:
    """12 frames are no multiple of the stride: the graph finds out, and the state is as before."""
    state = backend.new_state()
    with pytest.raises(
        BackendError, match=r"failed on the extractor graph .*frames uint8 \[1, 12, 16, 16, 3\]"
    ) as caught:
        answer_alone(extract(frames[:12], state, position=0, length=UNKNOWN_LENGTH), backend)
    assert caught.value.__cause__ is not None
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""
    np.testing.assert_array_equal(state.place[0].tensors["past.step"], 0)
    answer_alone(extract(frames[:8], state, position=0, length=UNKNOWN_LENGTH), backend)


def test_a_closed_backend_is_refused(tiny_graphs: dict[str, bytes]) -> None:
    with OnnxRuntimeBackend(tiny_graphs, STATES) as backend:
        pass
    with pytest.raises(BackendError, match="closed"):
        answer_alone(stages(window_of(np.zeros((4, 3), np.float32))), backend)


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        ([], "inputs"),
        ([StateTensor("other", (1, 3))], "inputs"),
        ([*STATES, StateTensor("more", (1, 3))], "inputs"),
        ([StateTensor("step", (3,))], "shape of state step"),
        ([StateTensor("step", (1, 3), "float16")], r"type of state step float32.* needs float16"),
    ],
)
def test_states_that_differ_from_the_manifest_are_refused(
    tiny_graphs: dict[str, bytes], states: list[StateTensor], reason: str
) -> None:
    with pytest.raises(BackendError, match=f"the extractor graph has {reason}"):
        OnnxRuntimeBackend(tiny_graphs, states)


def test_states_of_a_type_that_arrays_cannot_hold_are_refused(tiny_graphs: dict[str, bytes]) -> None:
    with pytest.raises(BackendError, match="the state step is bfloat16; this backend supports float32, float16, int8"):
        OnnxRuntimeBackend(tiny_graphs, [StateTensor("step", (1, 3), "bfloat16")])


def test_states_whose_type_changes_from_chunk_to_chunk_are_refused(tiny_graphs: dict[str, bytes]) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(tiny_graphs["extractor"])
    (slice_,) = (node for node in model.graph.node if node.output[0] == "next.step")
    slice_.output[0] = "full"
    model.graph.node.append(onnx.helper.make_node("Cast", ["full"], ["next.step"], to=onnx.TensorProto.FLOAT16))
    model.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    with pytest.raises(BackendError, match=r"type of state step float16.* needs float32"):
        OnnxRuntimeBackend({**tiny_graphs, "extractor": model.SerializeToString()}, STATES)
