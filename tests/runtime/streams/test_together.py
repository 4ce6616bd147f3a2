"""Many cameras in batches: each reports, to the bit, what it reports alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from cmsn_runtime.backends.asks import Extract, StepFeatures
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_graph, read_manifest
from cmsn_runtime.errors import BackendError, CmsnError, SettingsError
from cmsn_runtime.events import Event, StageStep, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.streams.stream import Stream
from cmsn_runtime.streams.together import push_together

Pictures = npt.NDArray[np.uint8]


class CountingBackend(OnnxRuntimeBackend):
    """Remembers how many cameras each extraction had."""

    sizes: list[int]

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        self.sizes.append(len(asks))
        return super().extract(asks)


@pytest.fixture
def bundle() -> Iterator[Bundle]:
    """The demo's networks, that take eight cameras at once."""
    manifest = read_manifest(DEMO_BUNDLE)
    graphs = {name: read_graph(DEMO_BUNDLE, file) for name, file in manifest.variants["fp32"].graphs.items()}
    backend = CountingBackend(graphs, manifest.state_tensors("fp32"), threads=1, largest_batch=8)
    backend.sizes = []
    with Bundle(DEMO_BUNDLE, manifest, backend) as opened:
        yield opened


def scene(seed: int, count: int) -> list[Frame]:
    """A bright figure that grows, shakes and shrinks before a dark wall, again and again; 25 frames per second."""
    rng = np.random.default_rng(seed)
    wall = rng.integers(30, 60, (48, 64, 3), dtype=np.uint8)
    frames = []
    for index in range(count):
        phase = (index + 17 * seed) % 90
        tall = int(np.clip(min(phase, 90 - phase), 0, 24))
        left = 20 + int(8 * np.sin(index * 1.3)) if tall > 18 else 20
        picture = wall.copy()
        picture[44 - tall : 44, left : left + 14] = (200, 150 + seed, 120)
        frames.append(Frame(picture, Fraction(seed) + Fraction(index, 25)))
    return frames


class Camera:
    """One stream with all that it reported."""

    def __init__(self, bundle: Bundle, frames: list[Frame]) -> None:
        self.steps: list[bytes] = []
        self.events: list[StreamEvent] = []
        self.frames = frames
        self.next = 0
        self.stream: Stream = bundle.stream(on_step=self._step, min_score=0)

    def _step(self, step: StageStep) -> None:
        self.steps.append(step.probabilities.tobytes())

    def take(self, events: list[StreamEvent] | Exception) -> None:
        assert not isinstance(events, Exception)
        self.events += events


def schedule(cameras: int, seed: int) -> list[list[int]]:
    """Which cameras have a frame in each round: they join late, pause, and go on."""
    rng = np.random.default_rng(seed)
    begins = 8 * rng.integers(0, 5, cameras)
    rounds = [
        [camera for camera in range(cameras) if at >= begins[camera] and rng.random() < 0.98] for at in range(150)
    ]
    return [cameras_now for cameras_now in rounds if cameras_now]


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_batched_is_one_by_one_to_the_bit_while_cameras_join_leave_and_reset(bundle: Bundle, count: int) -> None:
    frames = [scene(seed, 200) for seed in range(count)]
    resets = {(camera, 60 + 7 * camera) for camera in range(0, count, 2)}
    leaving = {count - 1: 110} if count > 1 else {}

    def run(*, batched: bool) -> list[Camera]:
        cameras = [Camera(bundle, shown) for shown in frames]
        for at, present in enumerate(schedule(count, seed=count)):
            due = [cameras[index] for index in present if at < leaving.get(index, at + 1)]
            for index in present:
                if (index, at) in resets:
                    cameras[index].events += cameras[index].stream.flush()
            moments = [(camera.stream, camera.frames[camera.next]) for camera in due]
            if batched:
                found = push_together(moments, bundle.backend)
            else:
                found = [stream.push(frame) for stream, frame in moments]
            for camera, events in zip(due, found, strict=True):
                camera.take(events)
                camera.next += 1
        for camera in cameras:
            camera.events += camera.stream.flush()
            camera.stream.close()
        return cameras

    alone = run(batched=False)
    backend = bundle.backend
    assert isinstance(backend, CountingBackend)
    backend.sizes.clear()
    together = run(batched=True)
    assert (max(backend.sizes) > 1) == (count > 1)
    for left, right in zip(together, alone, strict=True):
        assert left.steps == right.steps
        assert left.events == right.events
    assert any(isinstance(event, Event) for camera in alone for event in camera.events)


def test_a_camera_at_fault_costs_the_others_nothing(bundle: Bundle) -> None:
    good, bad = bundle.stream(), bundle.stream()
    wrong = Frame(np.zeros((4, 4), np.uint8), Fraction(0))
    first, second = push_together([(good, scene(1, 1)[0]), (bad, wrong)], bundle.backend)
    assert first == []
    assert isinstance(second, SettingsError)


def test_a_batch_that_fails_is_tried_one_by_one(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    extract = OnnxRuntimeBackend.extract

    def failing(self: OnnxRuntimeBackend, asks: Sequence[Extract]) -> list[StepFeatures]:
        if any(int(ask.frames[0, 0, 0, 0]) == 255 for ask in asks):
            raise BackendError("the white camera cannot be computed")
        return extract(self, asks)

    monkeypatch.setattr(OnnxRuntimeBackend, "extract", failing)
    cameras = [Camera(bundle, scene(seed, 10)) for seed in range(2)]
    white = [Frame(np.full((48, 64, 3), 255, np.uint8), frame.seconds) for frame in cameras[0].frames]
    broken = bundle.stream()
    outcomes = [
        push_together(
            [*((camera.stream, camera.frames[at]) for camera in cameras), (broken, white[at])], bundle.backend
        )
        for at in range(9)
    ]
    assert [isinstance(outcome, CmsnError) for outcome in outcomes[-1]] == [False, False, True]


def test_a_stream_comes_once_per_call(bundle: Bundle) -> None:
    stream, frames = bundle.stream(), scene(0, 2)
    with pytest.raises(SettingsError, match="twice"):
        push_together([(stream, frames[0]), (stream, frames[1])], bundle.backend)


def test_states_of_another_backend_are_refused(bundle: Bundle) -> None:
    class Foreign:
        def close(self) -> None: ...

    ask = Extract(np.zeros((8, 48, 64, 3), np.uint8), Foreign(), 0, 8)
    backend: Backend = bundle.backend
    with pytest.raises(BackendError, match="Foreign was passed where this backend takes its own OrtState"):
        backend.extract([ask])
