"""Batches of cameras on TensorRT, over the simulated GPU: as one by one, whatever comes and goes between them."""

from __future__ import annotations

import gc
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fake_cuda import Machine, process_on
from fake_tensorrt import FakeTensorRT

pytest.importorskip("onnx", reason="the simulated TensorRT parses graphs with onnx")

from cmsn_benchmarks.gpu.cameras import Camera, Played, apart, hop, play
from cmsn_export.building import BuildPlan, build_engines
from cmsn_export.engine_building import BuilderSettings
from cmsn_runtime.backends.asks import Stages
from cmsn_runtime.backends.shapes import EngineSizes
from cmsn_runtime.backends.tensorrt import recurring as recurring_module
from cmsn_runtime.backends.tensorrt import states as states_module
from cmsn_runtime.backends.tensorrt.backend import TensorRTBackend
from cmsn_runtime.backends.tensorrt.states import DeviceFeatures
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.bundle_files import DEMO_BUNDLE
from cmsn_runtime.errors import BackendError

WINDOW = 96
Opener = Callable[[int], Bundle]


@pytest.fixture(params=["discrete", "integrated"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A simulated GPU, where everything must be given back at the end and nothing be done wrong."""
    with process_on(Machine(integrated=request.param == "integrated"), monkeypatch) as machine:
        FakeTensorRT(machine, version="10.3.0.26").install(monkeypatch)
        yield machine


only_discrete = pytest.mark.parametrize("machine", ["discrete"], indirect=True)


@pytest.fixture
def opened(machine: Machine, tmp_path: Path) -> Iterator[Opener]:
    """Opens the demo's networks on engines for some cameras; all are closed before the machine is checked."""
    bundles: list[Bundle] = []

    def open_it(cameras: int) -> Bundle:
        import tensorrt as trt  # type: ignore[import-not-found,unused-ignore]

        folder = tmp_path / f"engines-{cameras}"
        plan = BuildPlan(
            bundle=DEMO_BUNDLE,
            engines=folder,
            sizes=EngineSizes(cameras=cameras),
            builder=BuilderSettings(),
            precision="fp32",
        )
        list(build_engines(trt, plan))
        bundles.append(open_bundle(backend="tensorrt", engines=folder))
        return bundles[-1]

    yield open_it
    for bundle in bundles:
        bundle.close()


def backend_of(bundle: Bundle) -> TensorRTBackend:
    assert isinstance(bundle.backend, TensorRTBackend)
    return bundle.backend


@pytest.fixture(scope="module")
def expected() -> Callable[[int], Played]:
    """What ONNX Runtime answers to the script, one camera at a time."""

    def play_it(count: int) -> Played:
        with open_bundle(backend="onnxruntime") as bundle:
            return play(bundle, count, together=False)

    return play_it


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_batched_cameras_give_the_answers_of_single_ones(count: int, opened: Opener, expected: Any) -> None:
    assert apart(play(opened(8), count, together=True), expected(count)) <= 1e-5


@only_discrete
@pytest.mark.parametrize("cameras", [1, 3])
def test_more_cameras_than_a_batch_are_run_in_several(cameras: int, opened: Opener, expected: Any) -> None:
    bundle = opened(cameras)
    backend = backend_of(bundle)
    assert backend.largest_batch == cameras
    assert apart(play(bundle, 8, together=True), expected(8)) <= 1e-5


@only_discrete
def test_batches_of_several_threads_share_the_device(opened: Opener, expected: Any) -> None:
    bundle, found = opened(4), list[Played]()
    threads = [threading.Thread(target=lambda: found.append(play(bundle, 3, together=True))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = expected(3)
    assert [apart(played, alone) <= 1e-5 for played in found] == [True] * 3


@only_discrete
def test_engines_of_an_interrupted_build_take_what_the_smallest_takes(
    opened: Opener, expected: Any, tmp_path: Path
) -> None:
    """The extractor was built for four cameras, and the other two were not yet."""
    opened(4)
    opened(1)
    for path in (tmp_path / "engines-1").glob("extractor.*"):
        path.write_bytes((tmp_path / "engines-4" / path.name).read_bytes())
    with open_bundle(backend="tensorrt", engines=tmp_path / "engines-1") as bundle:
        assert bundle.backend.largest_batch == 1
        assert apart(play(bundle, 5, together=True), expected(5)) <= 1e-5


@only_discrete
def test_a_batch_that_is_too_large_is_refused(opened: Opener) -> None:
    bundle = opened(2)
    cameras = [Camera(seed, bundle) for seed in range(3)]
    for camera in cameras:
        hop([camera], bundle)
    for refused in (
        lambda: bundle.backend.extract([camera.extract() for camera in cameras]),
        lambda: bundle.backend.stages([Stages(camera.window) for camera in cameras]),
        lambda: bundle.backend.evaluate([camera.evaluate() for camera in cameras]),
    ):
        with pytest.raises(BackendError, match="a batch has 3 cameras; these engines take 2 at once"):
            refused()


@only_discrete
def test_slots_that_tensorrt_cannot_address_are_gathered(
    opened: Opener, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states_module, "ALIGNMENT", 1 << 20)
    assert apart(play(opened(8), 5, together=True), expected(5)) <= 1e-5


@only_discrete
def test_few_graphs_that_come_and_go_give_the_same(
    opened: Opener, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurring_module, "_MOST_WORK", 5)
    monkeypatch.setattr(recurring_module, "_MOST_CONTEXTS", 2)
    monkeypatch.setattr(recurring_module, "_PATIENCE", 1)
    assert apart(play(opened(8), 5, together=True), expected(5)) <= 1e-5


@pytest.fixture
def copies(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of every copy from device to device."""
    import pycuda.driver as driver  # type: ignore[import-not-found,import-untyped,unused-ignore]

    copied: list[int] = []
    real = driver.memcpy_dtod_async

    def counted(dest: int, src: int, size: int, stream: Any = None) -> None:
        copied.append(size)
        real(dest, src, size, stream)

    monkeypatch.setattr(driver, "memcpy_dtod_async", counted)
    return copied


@only_discrete
def test_states_side_by_side_are_run_in_place(opened: Opener, copies: list[int]) -> None:
    """In any order; cameras that had run apart change sides once, and then nothing is copied any more."""
    bundle = opened(4)
    backend = backend_of(bundle)
    cameras = [Camera(seed, bundle) for seed in range(4)]
    for asking in (cameras, cameras[::-1], cameras[1:3], cameras[3:]):
        backend.extract([camera.extract() for camera in asking])
    assert copies == []
    backend.extract([camera.extract() for camera in cameras])  # 1, 2 and 3 have run once more than 0
    assert len(copies) == len(backend.states)
    backend.extract([camera.extract() for camera in cameras])
    assert len(copies) == len(backend.states)


@only_discrete
def test_scattered_states_are_gathered_and_written_back(opened: Opener, copies: list[int]) -> None:
    """Neighbours among them in one piece; states there and back, features back."""
    bundle = opened(4)
    backend = backend_of(bundle)
    cameras = [Camera(seed, bundle) for seed in range(4)]
    backend.extract([cameras[index].extract() for index in (0, 2, 3)])
    assert len(copies) == 2 * (2 * len(backend.states) + 1)


@only_discrete
def test_windows_that_are_held_are_not_copied_for_the_evaluator(opened: Opener, copies: list[int]) -> None:
    bundle = opened(4)
    backend = backend_of(bundle)
    cameras = [Camera(seed, bundle) for seed in range(4)]
    for camera, features in zip(cameras, backend.extract([each.extract() for each in cameras]), strict=True):
        camera.window.push(features)
    copies.clear()
    backend.stages([Stages(camera.window) for camera in cameras])
    assert len(copies) == 4
    backend.evaluate([cameras[index].evaluate() for index in (3, 1)])
    assert len(copies) == 4


@only_discrete
def test_recurring_batches_become_graphs_of_a_bounded_number(opened: Opener, machine: Machine) -> None:
    bundle = opened(10)
    backend = backend_of(bundle)
    cameras = [Camera(seed, bundle) for seed in range(10)]
    engine = backend._extractor._engine
    for _ in range(6):
        backend.extract([camera.extract() for camera in cameras])
    assert engine.graphs == 2  # one for each side
    before = machine.allocated_bytes
    for _ in range(3):
        for begin in range(10):
            for end in range(begin + 1, 11):
                backend.extract([camera.extract() for camera in cameras[begin:end]])
    assert len(engine._contexts) <= recurring_module._MOST_CONTEXTS
    assert engine.graphs <= len(engine._works) <= recurring_module._MOST_WORK
    contexts = (recurring_module._MOST_CONTEXTS - 1) * 4096
    assert machine.allocated_bytes <= before + contexts


@only_discrete
def test_memory_is_given_back_when_sequences_end(opened: Opener, machine: Machine) -> None:
    bundle = opened(2)
    Camera(0, bundle).end()
    before = machine.allocated_bytes
    cameras = [Camera(seed, bundle) for seed in range(12)]
    for camera in cameras:
        hop([camera], bundle)
    grown = machine.allocated_bytes
    assert grown > before
    thread = threading.Thread(target=lambda: deque(map(Camera.end, cameras)))
    thread.start()
    thread.join()
    one_window = 2 * WINDOW * 64 * 4
    assert machine.allocated_bytes <= before + one_window + 8 * 4096  # one window more to spare, contexts of graphs
    for camera in cameras:
        camera.end()  # twice does no harm


@only_discrete
def test_states_that_nobody_holds_are_used_again(opened: Opener, machine: Machine) -> None:
    bundle = opened(1)
    camera = Camera(0, bundle)
    before = machine.allocated_bytes
    for seed in range(5):
        camera = Camera(seed, bundle)  # the one before is not closed
        gc.collect()
    del camera
    gc.collect()
    Camera(9, bundle)
    assert machine.allocated_bytes <= before * 2


@only_discrete
def test_closed_states_windows_and_old_features_are_refused(opened: Opener) -> None:
    bundle = opened(2)
    backend = backend_of(bundle)
    camera, other = Camera(0, bundle), Camera(1, bundle)
    (features,) = backend.extract([camera.extract()])
    camera.end()
    with pytest.raises(BackendError, match="this state is closed"):
        backend.extract([other.extract(), camera.extract()])
    with pytest.raises(BackendError, match="these features were overwritten"):
        other.window.push(features)
    with pytest.raises(BackendError, match="this window is closed"):
        camera.window.push(backend.extract([other.extract()])[0])
    with pytest.raises(BackendError, match="this window is closed"):
        backend.stages([Stages(camera.window)])
    with pytest.raises(BackendError, match="the window is empty"):
        backend.stages([Stages(other.window)])


@only_discrete
def test_a_batch_takes_each_camera_once_and_only_its_own(opened: Opener) -> None:
    bundle = opened(2)
    backend = backend_of(bundle)
    camera, stranger = Camera(0, bundle), Camera(1, opened(1))
    with pytest.raises(BackendError, match="occurs twice in a batch"):
        backend.extract([camera.extract(), camera.extract()])
    with pytest.raises(BackendError, match="a state of another backend"):
        backend.extract([stranger.extract()])
    with pytest.raises(BackendError, match="a window of another backend"):
        backend.stages([Stages(stranger.window)])


@only_discrete
def test_a_state_is_as_before_where_the_engine_fails(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = opened(3)
    backend = backend_of(bundle)
    cameras = [Camera(seed, bundle) for seed in range(3)]
    backend.extract([camera.extract() for camera in cameras])

    def before() -> list[tuple[int, int]]:
        return [(camera.state.side, camera.state.turn) for camera in cameras]  # type: ignore[attr-defined]

    was = before()
    with monkeypatch.context() as patched:
        patched.setattr(backend._extractor._engine, "run", failing)
        for asking in (cameras, cameras[::2]):
            with pytest.raises(BackendError, match="did not run"):
                backend.extract([camera.extract() for camera in asking])
    assert before() == was


def failing(*arguments: Any, **options: Any) -> None:
    raise BackendError("the extractor engine did not run")


@only_discrete
@pytest.mark.parametrize("action", ["extract", "push", "stages", "new state"])
def test_closing_while_a_camera_waits_for_the_device_is_one_error(action: str, opened: Opener) -> None:
    bundle = opened(1)
    backend = backend_of(bundle)
    camera = Camera(0, bundle)
    (features,) = backend.extract([camera.extract()])
    camera.window.push(features)
    actions: dict[str, Callable[[], object]] = {
        "extract": lambda: backend.extract([camera.extract()]),
        "push": lambda: camera.window.push(features),
        "stages": lambda: backend.stages([Stages(camera.window)]),
        "new state": backend.new_state,
    }
    caught: list[BaseException] = []
    begun = threading.Event()

    def wait() -> None:
        begun.set()
        try:
            actions[action]()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    with backend.device.current():
        thread.start()
        begun.wait()
        threading.Event().wait(0.05)  # until it stands at the lock; where it has not got there, it finds it closed
        backend.close()
    thread.join()
    assert [type(error) for error in caught] == [BackendError]
    assert "the backend is closed" in str(caught[0])
    camera.end()


def test_a_slice_of_features_keeps_its_place() -> None:
    state: Any = object()
    features = DeviceFeatures(state, 1, 0, 6)
    assert len(features[2:5]) == 3
    assert features[2:5][1:].begin == 3
    assert len(features[4:2]) == 0
    with pytest.raises(BackendError, match="cannot be sliced"):
        features[::2]


def test_rows_of_any_window_fit_the_joined_table() -> None:
    from cmsn_runtime.backends.joining import rebased

    rows: npt.NDArray[np.int64] = np.array([0, 4, 5, 9, 14])  # levels 0, 0, 1, 1, 2 of a window of 5 steps
    np.testing.assert_array_equal(rebased(rows, 5, 100, 7), [7, 11, 107, 111, 211])
