"""The OpenVINO backend beside ONNX Runtime: the same features, whatever the cameras, chunks and threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import Extract, Floats, extract
from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Backend
from cmsn_runtime.backends.host_window import on_host
from cmsn_runtime.backends.openvino import extracting
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.errors import BackendError
from cmsn_runtime.events import StageStep
from cmsn_runtime.pictures.example import moving_picture
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.streams.extracting import StreamingExtractor, extracted

Frames = npt.NDArray[np.uint8]
CAMERAS = 3


def frames_of(bundle: Bundle, count: int, *, seed: int = 5) -> Frames:
    height, width, _ = bundle.manifest.input_shape
    return moving_picture(np.random.default_rng(seed), (height, width), count)


def streamed(bundle: Bundle, frames: Frames, *, chunk: int = 8) -> Floats:
    """Features of a whole video, both ends included."""
    extractor = StreamingExtractor(
        bundle.backend, stride=8, delay_steps=bundle.manifest.network.delay_steps, chunk_frames=chunk
    )
    return np.concatenate([on_host(part) for part in extracted(frames, extractor, bundle.backend)])


def hops(backend: Backend, frames: Frames, state: Any, *, begin: int = 0) -> list[Floats]:
    """Features of consecutive chunks of 8 frames of one camera."""
    return [
        on_host(answer_alone(extract(frames[at : at + 8], state, position=begin + at, length=UNKNOWN_LENGTH), backend))
        for at in range(0, len(frames), 8)
    ]


def difference(found: Floats, expected: Floats) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("chunk", [8, 16, 40])
def test_features_are_those_of_onnx_runtime_whatever_the_chunk(demo: Bundle, reference: Bundle, chunk: int) -> None:
    """203 frames: the last chunk is shorter, and its last step is filled up."""
    frames = frames_of(demo, 203)
    found, expected = streamed(demo, frames, chunk=chunk), streamed(reference, frames)
    assert found.shape == expected.shape
    assert difference(found, expected) <= 1e-5


def test_features_in_bf16_are_within_a_hundredth(demo_bf16: Bundle, reference: Bundle) -> None:
    frames = frames_of(demo_bf16, 203)
    found = difference(streamed(demo_bf16, frames), streamed(reference, frames))
    assert 1e-5 < found <= 1e-2  # or it would not be BF16


def seen(bundle: Bundle, frames: Frames) -> tuple[list[StageStep], list[object]]:
    """What a stream finds in frames at the model's rate."""
    steps: list[StageStep] = []
    events: list[object] = []
    with bundle.stream(on_step=steps.append) as stream:
        for index, pixels in enumerate(frames):
            events += stream.push(Frame(pixels, Fraction(index) / bundle.grid.fps))
        events += stream.flush()
    return steps, events


def test_a_stream_sees_the_same_stages_and_ends_with_as_many_events(demo: Bundle, reference: Bundle) -> None:
    frames = np.concatenate([frames_of(demo, 120), frames_of(demo, 160, seed=6)[::-1], frames_of(demo, 100)])
    (found, events), (expected, expected_events) = seen(demo, frames), seen(reference, frames)
    assert len(found) == len(expected) > 40
    assert len(events) == len(expected_events)
    for step, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(step.probabilities, other.probabilities, atol=2e-4)


def test_interleaved_cameras_get_what_each_gets_alone(demo: Bundle) -> None:
    backend, videos = demo.backend, [frames_of(demo, 48, seed=seed) for seed in range(CAMERAS)]
    alone = [hops(backend, video, backend.new_state()) for video in videos]
    states = [backend.new_state() for _ in videos]
    for turn in range(6):
        for video, state, expected in zip(videos, states, alone, strict=True):
            part = video[8 * turn : 8 * turn + 8]
            (found,) = backend.extract([Extract(part, state, 8 * turn, UNKNOWN_LENGTH)])
            np.testing.assert_array_equal(on_host(found), expected[turn])


def test_a_batch_runs_as_requests_at_the_same_time_with_the_same_results(demo: Bundle) -> None:
    backend, videos = demo.backend, [frames_of(demo, 48, seed=seed) for seed in range(CAMERAS)]
    alone = [hops(backend, video, backend.new_state()) for video in videos]
    states = [backend.new_state() for _ in videos]
    for turn in range(6):
        asks = [
            Extract(video[8 * turn : 8 * turn + 8], state, 8 * turn, UNKNOWN_LENGTH)
            for video, state in zip(videos, states, strict=True)
        ]
        order = [(turn + index) % CAMERAS for index in range(CAMERAS)]
        for index, found in zip(order, backend.extract([asks[index] for index in order]), strict=True):
            np.testing.assert_array_equal(on_host(found), alone[index][turn])


def test_threads_may_share_the_backend(demo: Bundle) -> None:
    backend, videos = demo.backend, [frames_of(demo, 80, seed=seed) for seed in range(4)]
    alone = [hops(backend, video, backend.new_state()) for video in videos]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda video: hops(backend, video, backend.new_state()), videos))
    np.testing.assert_array_equal(together, alone)


def test_features_are_not_overwritten_by_the_next_chunk(demo: Bundle) -> None:
    backend, frames, state = demo.backend, frames_of(demo, 64), demo.backend.new_state()
    kept = hops(backend, frames, state)[-1]
    before = kept.copy()
    hops(backend, frames[::-1], state, begin=64)
    np.testing.assert_array_equal(kept, before)


def test_a_new_state_begins_again(demo: Bundle) -> None:
    backend, frames = demo.backend, frames_of(demo, 64)
    state = backend.new_state()
    first = hops(backend, frames, state)
    state.close()
    state.close()
    np.testing.assert_array_equal(hops(backend, frames, backend.new_state()), first)
    with pytest.raises(BackendError, match="closed"):
        hops(backend, frames[:8], state)


@pytest.mark.parametrize("position", [2**31 - 8, 2**33])
def test_streams_of_any_length_have_features(demo: Bundle, reference: Bundle, position: int) -> None:
    """OpenVINO turns int64 into int32: a length of 2**40 would be 0, and would mask every feature."""
    frames = frames_of(demo, 80)
    found, expected = (
        np.concatenate(hops(each.backend, frames, each.backend.new_state(), begin=position))
        for each in (demo, reference)
    )
    assert np.abs(found[-1]).max() > 0
    assert difference(found, expected) <= 1e-5


def fails(requests: Sequence[Any]) -> None:
    for request in requests:
        request.infer()
    raise RuntimeError("Exception from src/inference:\n  no memory")


def doubled(asks: list[Extract]) -> list[Extract]:
    return [asks[0], asks[0]]


def incomplete(asks: list[Extract]) -> list[Extract]:
    return [Extract(ask.frames[:4], ask.state, ask.position, ask.length) for ask in asks]


def grey(asks: list[Extract]) -> list[Extract]:
    return [asks[0], Extract(asks[1].frames[..., :1], asks[1].state, asks[1].position, asks[1].length)]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (doubled, "occurs twice"),
        (incomplete, "4 frames; the extractor takes multiples of the stride, 8"),
        (grey, r"this model takes uint8 \[T, 48, 64, 3\]"),
        (None, "OpenVINO failed on the extractor graph .*no memory"),
    ],
)
def test_a_call_that_fails_leaves_every_state_as_it_was(
    demo: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[[list[Extract]], list[Extract]] | None,
    reason: str,
) -> None:
    backend, frames = demo.backend, frames_of(demo, 64)
    expected = hops(backend, frames, backend.new_state())
    states = [backend.new_state() for _ in range(2)]
    for state in states:
        hops(backend, frames[:56], state)
    asks = [Extract(frames[56:], state, 56, UNKNOWN_LENGTH) for state in states]
    with monkeypatch.context() as patch, pytest.raises(BackendError, match=reason) as caught:
        if wrong is None:
            patch.setattr(extracting, "_infer", fails)
        backend.extract(asks if wrong is None else wrong(asks))
    assert "\n" not in str(caught.value)
    for found in backend.extract(asks):
        np.testing.assert_array_equal(on_host(found), expected[-1])


def test_states_of_another_backend_are_refused(demo: Bundle, reference: Bundle) -> None:
    with pytest.raises(BackendError, match="this backend takes its own OpenVinoState"):
        hops(demo.backend, frames_of(demo, 8), reference.backend.new_state())


class Request:
    """Stands for one of OpenVINO's; events: what was done with it."""

    def __init__(self, name: str, events: list[str], *, starts: bool = True) -> None:
        self._name, self._events, self._starts = name, events, starts

    def start_async(self) -> None:
        if not self._starts:
            raise RuntimeError("no memory")
        self._events.append(f"{self._name} started")

    def wait(self) -> None:
        self._events.append(f"{self._name} ended")


def test_a_batch_of_which_one_cannot_start_waits_for_those_under_way() -> None:
    events: list[str] = []
    with pytest.raises(RuntimeError, match="no memory"):
        extracting._infer([Request("a", events), Request("b", events, starts=False), Request("c", events)])
    assert events == ["a started", "a ended"]
