"""The TensorRT backend over a simulated driver and TensorRT that enforce the rules of the real ones."""

from __future__ import annotations

import gc
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fake_cuda import Machine, process_on
from fake_tensorrt import FakeTensorRT

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import evaluate, extract, stages
from cmsn_runtime.pictures.fitting import Scaler

pytest.importorskip("onnx", reason="the simulated TensorRT parses graphs with onnx")

from cmsn_export.building import BuildPlan, build_engines
from cmsn_export.engine_building import BuilderSettings
from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Arithmetic
from cmsn_runtime.backends.counters import counters
from cmsn_runtime.backends.shapes import EngineSizes
from cmsn_runtime.backends.tensorrt import cuda as cuda_module
from cmsn_runtime.backends.tensorrt.backend import TensorRTBackend
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_manifest
from cmsn_runtime.errors import BackendError, BundleError, SettingsError
from cmsn_runtime.events import Event, StreamEvent
from cmsn_runtime.manifest.writing import write_manifest
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.streams.together import push_together
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

Opener = Callable[..., Bundle]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with process_on(Machine(), monkeypatch) as machine:
        FakeTensorRT(machine, version="10.3.0.26").install(monkeypatch)
        yield machine


def build(folder: Path, *, precision: str = "fp32", bundle: Path = DEMO_BUNDLE, **sizes: int) -> Path:
    import tensorrt as trt  # type: ignore[import-not-found,unused-ignore]

    plan = BuildPlan(
        bundle=bundle,
        engines=folder,
        sizes=EngineSizes(**sizes),
        builder=BuilderSettings(),
        precision=precision,
    )
    assert len(list(build_engines(trt, plan))) == 3
    return folder


@pytest.fixture
def opened(gpu: Machine, tmp_path: Path) -> Iterator[Opener]:
    """Builds engines and opens the bundle with them; closes it before the machine is checked."""
    bundles: list[Bundle] = []

    def open_it(**options: Any) -> Bundle:
        folder = build(tmp_path / "engines", **options)
        bundles.append(open_bundle(options.get("bundle"), backend="tensorrt", engines=folder))
        return bundles[-1]

    yield open_it
    for bundle in bundles:
        bundle.close()


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[list[Frame]]:
    """Three rendered streams of 45 seconds with actions, more than a window of 96 steps each."""
    folder = tmp_path_factory.mktemp("rendered")
    render_streams(folder, RenderSettings(seed=5, seconds=45), streams=3)
    found: list[list[Frame]] = []
    scaled = Scaler((48, 64))
    for path in sorted(folder.glob("*.mp4")):
        with open_source(path) as source:
            found.append([Frame(scaled(frame), frame.seconds) for frame in source])
    return found


def run(bundle: Bundle, frames: list[Frame], **options: Any) -> list[Event]:
    with bundle.stream(min_score=0, **options) as stream:
        found = [event for frame in frames for event in stream.push(frame)] + stream.flush()
        return [event for event in found if isinstance(event, Event)]


def same(ours: list[Event], theirs: list[Event], *, tolerance: float) -> None:
    """The same events, times exactly, scores to the tolerance."""
    assert [(event.kind, event.action, event.rank) for event in ours] == [
        (event.kind, event.action, event.rank) for event in theirs
    ]
    for left, right in zip(ours, theirs, strict=True):
        assert (left.proposal.start, left.proposal.end) == (right.proposal.start, right.proposal.end)
        assert abs(left.proposal.score - right.proposal.score) <= tolerance


def features_of(bundle: Bundle, frames: list[Frame], chunk: int = 8) -> npt.NDArray[np.float32]:
    """Probabilities and scores over a growing window: all that comes back from the device."""
    backend = bundle.backend
    state, window = backend.new_state(), backend.new_window(96)
    pixels = np.stack([frame.pixels for frame in frames])
    found: list[npt.NDArray[np.float32]] = []
    for at in range(0, len(pixels), chunk):
        window.push(answer_alone(extract(pixels[at : at + chunk], state, position=at, length=UNKNOWN_LENGTH), backend))
        found.append(answer_alone(stages(window), backend).ravel())
    left = np.arange(24, dtype=np.int64).reshape(3, 8) % len(window)
    found.append(answer_alone(evaluate(window, left, left[::-1].copy()), backend))
    return np.concatenate(found)


@pytest.mark.parametrize("integrated", [False, True], ids=["discrete", "integrated"])
@pytest.mark.parametrize("graphs", [False, True], ids=["plain launches", "CUDA graphs"])
def test_a_stream_gives_the_events_of_the_cpu(
    graphs: bool, integrated: bool, videos: list[list[Frame]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a window: graphs are captured and replayed, and the window moves on."""
    machine = Machine(graphs=graphs, integrated=integrated)
    cuda_module._primary_context.cache_clear()
    machine.install(monkeypatch)
    FakeTensorRT(machine, version="10.3.0.26").install(monkeypatch)
    frames = videos[0]
    with open_bundle(backend="onnxruntime") as bundle:
        expected = run(bundle, frames)
    with open_bundle(backend="tensorrt", engines=build(tmp_path)) as bundle:
        same(run(bundle, frames), expected, tolerance=1e-5)
    gc.collect()
    machine.check_clean(contexts=False)
    assert len([event for event in expected if event.kind == "final"]) > 3
    assert bool(machine.graphs) == graphs
    cuda_module._primary_context.cache_clear()


def test_fp16_engines_agree_with_the_cpu_to_a_hundredth(opened: Opener, videos: list[list[Frame]]) -> None:
    frames = videos[0][:240]
    with open_bundle(backend="onnxruntime") as bundle:
        expected = features_of(bundle, frames)
    bundle = opened(precision="fp16")
    found = features_of(bundle, frames)
    assert "FP16" in bundle.backend.name
    assert 0 < np.abs(found - expected).max() < 1e-2


def test_the_backend_says_what_it_computes_with(opened: Opener) -> None:
    backend = opened(precision="fp16").backend
    assert isinstance(backend, TensorRTBackend)
    assert backend.arithmetic == Arithmetic(library="tensorrt", device="cuda", variant="fp16")


def test_states_of_another_type_than_the_manifest_has_are_refused(gpu: Machine, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(DEMO_BUNDLE, tmp_path / "a.cmsn"))
    engines = build(tmp_path / "engines", bundle=bundle)
    manifest = read_manifest(bundle)
    full = manifest.variant("fp32")
    wrong = replace(full, state_dtypes={**full.state_dtypes, "conv2a": "float16"})
    write_manifest(bundle, replace(manifest, variants={**manifest.variants, "fp32": wrong}))
    with pytest.raises(
        BundleError, match="has the state conv2a as float32; the manifest declares float16; build it again"
    ):
        open_bundle(bundle, backend="tensorrt", engines=engines)


def test_longer_chunks_give_the_same_finals(opened: Opener, videos: list[list[Frame]]) -> None:
    frames = videos[1][: 61 * 8 + 5]
    with open_bundle(backend="onnxruntime") as bundle:
        expected = run(bundle, frames)
    bundle = opened(chunk_frames=24)
    assert bundle.backend.chunk_frames == 24
    finals = [event for event in run(bundle, frames) if event.kind == "final"]
    same(finals, [event for event in expected if event.kind == "final"], tolerance=1e-5)
    with pytest.raises(SettingsError, match="were built for 24"):
        bundle.stream(chunk_frames=8)


def test_cameras_do_not_mix(opened: Opener, videos: list[list[Frame]]) -> None:
    """Two streams in turn, and a third whose memory the first had: each gives what it gives alone."""
    bundle = opened()
    first, second = videos[1][:600], videos[2][:600]
    alone = [run(bundle, frames) for frames in (first, second)]
    with bundle.stream(min_score=0) as left, bundle.stream(min_score=0) as right:
        together: list[list[StreamEvent]] = [[], []]
        for one, other in zip(first, second, strict=True):
            together[0] += left.push(one)
            together[1] += right.push(other)
        together[0] += left.flush()
        together[1] += right.flush()
    for ours, theirs in zip(together, alone, strict=True):
        same([event for event in ours if isinstance(event, Event)], theirs, tolerance=0)
    same(run(bundle, first), alone[0], tolerance=0)


def test_streams_pushed_together_give_what_each_gives_alone(opened: Opener, videos: list[list[Frame]]) -> None:
    """At different positions: one stream begins late, and one ends early."""
    bundle = opened(cameras=4)
    shown = [videos[0][:400], videos[1][:300], videos[2][:400]]
    alone = [run(bundle, frames) for frames in shown]
    late = [0, 0, 37]
    streams = [bundle.stream(min_score=0) for _ in shown]
    together: list[list[StreamEvent]] = [[] for _ in shown]
    for number in range(450):
        pushed = [
            (index, frames[number - late[index]])
            for index, frames in enumerate(shown)
            if 0 <= number - late[index] < len(frames)
        ]
        found = push_together([(streams[index], frame) for index, frame in pushed], bundle.backend)
        for (index, _), events in zip(pushed, found, strict=True):
            assert not isinstance(events, Exception)
            together[index] += events
    for stream, events, expected in zip(streams, together, alone, strict=True):
        events += stream.flush()
        stream.close()
        same([event for event in events if isinstance(event, Event)], expected, tolerance=1e-5)


def test_an_engine_built_for_many_cameras_runs_one(opened: Opener, videos: list[list[Frame]]) -> None:
    frames = videos[0]
    with open_bundle(backend="onnxruntime") as bundle:
        expected = features_of(bundle, frames[:96])
    np.testing.assert_allclose(features_of(opened(cameras=4), frames[:96]), expected, atol=1e-5)


@pytest.mark.parametrize("proposals", [0, 1, 31, 32, 33, 1024, 1025, 2500])
def test_any_number_of_proposals_gives_the_scores_of_the_cpu(
    opened: Opener, videos: list[list[Frame]], proposals: int
) -> None:
    """Padded to few sizes, and cut where there are more than the engine takes."""
    rng = np.random.default_rng(proposals)
    pixels = np.stack([frame.pixels for frame in videos[0][:80]])
    left, right = rng.integers(0, 10, (2, proposals, 8))

    def scores(bundle: Bundle) -> npt.NDArray[np.float32]:
        state, window = bundle.backend.new_state(), bundle.backend.new_window(96)
        for at in range(0, 80, 8):
            window.push(
                answer_alone(extract(pixels[at : at + 8], state, position=at, length=UNKNOWN_LENGTH), bundle.backend)
            )
        return answer_alone(evaluate(window, left, right), bundle.backend)

    with open_bundle(backend="onnxruntime") as bundle:
        expected = scores(bundle)
    np.testing.assert_allclose(scores(opened()), expected, atol=1e-6)


def test_streams_of_several_threads_share_it(opened: Opener, videos: list[list[Frame]]) -> None:
    bundle = opened()
    videos = [frames[:400] for frames in videos]
    alone = [run(bundle, frames) for frames in videos]
    found: list[list[Event]] = [[] for _ in videos]

    def work(index: int) -> None:
        found[index] = run(bundle, videos[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(videos))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ours, theirs in zip(found, alone, strict=True):
        same(ours, theirs, tolerance=0)


def test_streams_that_come_and_go_use_no_more_memory(opened: Opener, gpu: Machine, videos: list[list[Frame]]) -> None:
    """Streams come and go; their memory is used again."""
    bundle = opened()
    frames = videos[0][:40]
    run(bundle, frames)
    before = gpu.allocated_bytes, gpu.pinned_bytes
    for _ in range(20):
        run(bundle, frames)
    assert (gpu.allocated_bytes, gpu.pinned_bytes) == before


def test_opening_and_closing_a_bundle_leaks_nothing(gpu: Machine, videos: list[list[Frame]], tmp_path: Path) -> None:
    build(tmp_path)
    for _ in range(30):
        with open_bundle(backend="tensorrt", engines=tmp_path) as bundle:
            run(bundle, videos[0][:17])
    gc.collect()
    assert (gpu.allocated_bytes, gpu.pinned_bytes) == (0, 0)


def test_states_stay_on_the_device_between_hops(
    opened: Opener, videos: list[list[Frame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hop takes in its frames and two numbers, and gives back the probabilities of the window."""
    bundle = opened()
    import pycuda.driver as driver  # type: ignore[import-not-found,import-untyped,unused-ignore]

    moved: dict[str, int] = {"up": 0, "down": 0}
    up, down = driver.memcpy_htod_async, driver.memcpy_dtoh_async

    def counted_up(dest: int, src: Any, stream: Any = None) -> None:
        moved["up"] += src.nbytes
        up(dest, src, stream)

    def counted_down(dest: Any, src: int, stream: Any = None) -> None:
        moved["down"] += dest.nbytes
        down(dest, src, stream)

    monkeypatch.setattr(driver, "memcpy_htod_async", counted_up)
    monkeypatch.setattr(driver, "memcpy_dtoh_async", counted_down)
    backend = bundle.backend
    state, window = backend.new_state(), backend.new_window(96)
    pixels = np.stack([frame.pixels for frame in videos[0][:8]])
    window.push(answer_alone(extract(pixels, state, position=0, length=UNKNOWN_LENGTH), backend))
    answer_alone(stages(window), backend)
    assert moved["up"] == pixels.nbytes + 16
    assert moved["down"] == 6 * 4


def test_features_that_were_written_over_are_refused(opened: Opener, videos: list[list[Frame]]) -> None:
    backend = opened().backend
    state, window = backend.new_state(), backend.new_window(96)
    pixels = np.stack([frame.pixels for frame in videos[0][:8]])
    old = answer_alone(extract(pixels, state, position=0, length=UNKNOWN_LENGTH), backend)
    answer_alone(extract(pixels, state, position=8, length=UNKNOWN_LENGTH), backend)
    with pytest.raises(BackendError, match="were overwritten by the next extract"):
        window.push(old)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((8, 48, 64, 3), np.float32), np.zeros((16, 48, 64, 3), np.uint8), np.zeros((8, 64, 48, 3), np.uint8)],
)
def test_wrong_frames_are_named(opened: Opener, wrong: npt.NDArray[Any]) -> None:
    backend = opened().backend
    with pytest.raises(BackendError, match=r"these engines take uint8 \[8, 48, 64, 3\]"):
        answer_alone(extract(wrong, backend.new_state(), position=0, length=UNKNOWN_LENGTH), backend)


def test_a_closed_backend_is_refused(opened: Opener) -> None:
    bundle = opened()
    state, window = bundle.backend.new_state(), bundle.backend.new_window(96)
    bundle.close()
    bundle.close()
    for action in (
        bundle.backend.new_state,
        lambda: bundle.backend.new_window(96),
        lambda: answer_alone(extract(np.zeros((8, 48, 64, 3), np.uint8), state, position=0, length=8), bundle.backend),
        lambda: answer_alone(evaluate(window, np.zeros((1, 8), np.int64), np.zeros((1, 8), np.int64)), bundle.backend),
    ):
        with pytest.raises(BackendError, match="closed"):
            action()


def test_runs_are_plain_where_a_capture_fails(
    videos: list[list[Frame]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = videos[0][:400]
    with open_bundle(backend="onnxruntime") as bundle:
        expected = run(bundle, frames)
    for broken in ("capture_fails", "instantiate_fails", "capture_refused"):
        refused = broken == "capture_refused"
        machine = Machine() if refused else Machine(**{broken: True})  # type: ignore[arg-type]
        cuda_module._primary_context.cache_clear()
        machine.install(monkeypatch)
        FakeTensorRT(machine, version="10.3.0.26", capture_refused=refused).install(monkeypatch)
        with open_bundle(backend="tensorrt", engines=build(tmp_path / broken)) as bundle:
            same(run(bundle, frames), expected, tolerance=1e-5)
        gc.collect()
        machine.check_clean(contexts=False)
        cuda_module._primary_context.cache_clear()


def test_not_enough_memory_is_one_error_and_nothing_is_left(
    videos: list[list[Frame]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    cuda_module._primary_context.cache_clear()
    machine.install(monkeypatch)
    FakeTensorRT(machine, version="10.3.0.26").install(monkeypatch)
    build(tmp_path)
    with open_bundle(backend="tensorrt", engines=tmp_path) as bundle:
        run(bundle, videos[0][:17])
        needed = machine.allocated_bytes
    gc.collect()
    for share in (0.1, 0.5, 0.9, 0.99):
        machine.memory_bytes = int(share * needed)
        with pytest.raises((BundleError, BackendError), match=r"is out of memory|lacks memory|refuses"):  # noqa: SIM117
            with open_bundle(backend="tensorrt", engines=tmp_path) as bundle:
                run(bundle, videos[0][:17])
        gc.collect()
        assert (machine.allocated_bytes, machine.pinned_bytes) == (0, 0)
    machine.check_clean(contexts=False)
    cuda_module._primary_context.cache_clear()


def test_tensorrt_8_6_is_given_int32_counters(
    videos: list[list[Frame]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(name="Orin", capability=(8, 7), integrated=True)
    cuda_module._primary_context.cache_clear()
    machine.install(monkeypatch)
    FakeTensorRT(machine, version="8.6.2.3").install(monkeypatch)
    frames = videos[0][:400]
    with open_bundle(backend="onnxruntime") as bundle:
        expected = run(bundle, frames)
    with open_bundle(backend="tensorrt", engines=build(tmp_path)) as bundle:
        assert isinstance(bundle.backend, TensorRTBackend)
        assert bundle.backend._extractor._staging["position"].host.dtype == np.int32
        same(run(bundle, frames), expected, tolerance=1e-5)
    gc.collect()
    machine.check_clean(contexts=False)
    cuda_module._primary_context.cache_clear()


@pytest.mark.parametrize("stride", [1, 3, 8])
def test_counters_of_endless_streams_fit_an_int32(stride: int) -> None:
    far = 10**12 // stride * stride
    for position in (0, stride, 5 * stride, far):
        near, length = counters(position, UNKNOWN_LENGTH + far, stride=stride)
        assert 0 <= near < 2**31
        assert near + 2**20 < length < 2**31
        assert near % stride == 0
        near, length = counters(position, position + 7 * stride, stride=stride)
        assert length - near == 7 * stride
        near, length = counters(position + 9 * stride, position + 7 * stride, stride=stride)
        assert length - near == -2 * stride
    assert counters(0, 16, stride=8) == (0, 16)
