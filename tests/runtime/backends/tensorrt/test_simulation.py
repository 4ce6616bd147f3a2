"""The simulated CUDA and TensorRT catch what real ones would not survive, and let pass what is right."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fake_cuda import ContractViolation, Machine
from fake_tensorrt import FakeTensorRT
from fake_trt_plan import TYPES

CHANNELS = 3


class Bench:
    """A machine whose context is current, with one stream."""

    def __init__(self, machine: Machine, *, push: bool = True) -> None:
        self.machine = machine
        self.modules = machine.modules()
        self.cuda: Any = self.modules["pycuda.driver"]
        self.graphs: Any = self.modules.get("cuda.bindings.driver")
        self.cuda.init()
        self.context = self.cuda.Device(0).retain_primary_context()
        if push:
            self.context.push()
            self.stream = self.cuda.Stream(1)
        self.kept: list[Any] = []

    def memory_of(self, nbytes: int) -> Any:
        """Device memory that is kept."""
        self.kept.append(self.cuda.mem_alloc(nbytes))
        return self.kept[-1]

    def upload(self, values: npt.NDArray[Any]) -> Any:
        """Device memory that holds these values."""
        host = self.cuda.pagelocked_empty(values.shape, values.dtype)
        host[...] = values
        memory = self.cuda.mem_alloc(values.nbytes)
        self.cuda.memcpy_htod_async(memory, host, self.stream)
        self.stream.synchronize()
        host.base.free()
        return memory

    def download(self, memory: Any, shape: tuple[int, ...], dtype: Any = np.float32) -> npt.NDArray[Any]:
        """What device memory holds."""
        host = self.cuda.pagelocked_empty(shape, dtype)
        self.cuda.memcpy_dtoh_async(host, memory, self.stream)
        self.stream.synchronize()
        values: npt.NDArray[Any] = host.copy()
        host.base.free()
        return values

    def capture(self, enqueue: Callable[[], None]) -> Any:
        """An executable graph of what is enqueued."""
        self.graphs.cuStreamBeginCapture(self.stream.handle, self.graphs.CUstreamCaptureMode(1))
        enqueue()
        _, graph = self.graphs.cuStreamEndCapture(self.stream.handle)
        _, executable = self.graphs.cuGraphInstantiate(graph, 0)
        self.graphs.cuGraphDestroy(graph)
        return executable

    def close(self) -> None:
        """Let go of stream and context."""
        del self.stream
        self.kept.clear()
        self.cuda.Context.pop()
        self.context.detach()


@pytest.fixture
def bench() -> Bench:
    return Bench(Machine(memory_bytes=1 << 20))


@pytest.fixture(scope="module")
def scaling() -> bytes:
    """y = 2x + shift for any number of rows; an INT64 input beside a float one."""
    pytest.importorskip("onnx", reason="the simulated TensorRT reads graphs by onnx, which the runtime does without")
    from onnx import TensorProto, helper, numpy_helper

    rows: list[str | int | None] = ["rows", CHANNELS]
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "two"], ["doubled"], name="double"),
            helper.make_node("Cast", ["shift"], ["shift_float"], name="cast", to=TensorProto.FLOAT),
            helper.make_node("Add", ["doubled", "shift_float"], ["y"], name="add"),
        ],
        "scaling",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, rows),
            helper.make_tensor_value_info("shift", TensorProto.INT64, [1]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, rows)],
        [numpy_helper.from_array(np.array([2], np.float32), "two")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def build(library: FakeTensorRT, onnx: bytes, **settings: Any) -> Any:
    """Its plan, for 1 to 4 rows; None where it cannot be built."""
    trt: Any = library.module()
    logger = trt.Logger()
    builder = trt.Builder(logger)
    creation = trt.NetworkDefinitionCreationFlag
    network = builder.create_network(sum(1 << int(flag) for flag in creation))
    parser = trt.OnnxParser(network, logger)
    assert parser.parse(onnx), parser.get_error(0).desc()
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1 << 20)
    config.set_tactic_sources(settings.get("sources", 0))
    for name in settings.get("flags", ()):
        config.set_flag(trt.BuilderFlag[name])
    if "monitor" in settings:
        config.progress_monitor = settings["monitor"](trt)
    profile = builder.create_optimization_profile()
    profile.set_shape("x", (1, CHANNELS), (2, CHANNELS), (4, CHANNELS))
    assert config.add_optimization_profile(profile) == 0
    if "cache" in settings:
        assert config.set_timing_cache(config.create_timing_cache(settings["cache"]), False)
    plan = builder.build_serialized_network(network, config)
    if "cache" in settings:
        return plan, bytes(config.get_timing_cache().serialize())
    return plan


class Running(Bench):
    """An engine with all that it needs to run on two rows."""

    def __init__(self, onnx: bytes, version: str = "10.3.0.26", *, machine: Machine | None = None, **settings: Any):
        super().__init__(machine or Machine(memory_bytes=1 << 20))
        self.library = FakeTensorRT(self.machine, version, **settings)
        self.trt: Any = self.library.module()
        self.logger = self.trt.Logger()
        self.engine = self.trt.Runtime(self.logger).deserialize_cuda_engine(build(self.library, onnx))
        self.run_context = self.engine.create_execution_context()
        shift = TYPES[self.engine.get_tensor_dtype("shift").name]
        self.values = np.arange(2 * CHANNELS, dtype=np.float32).reshape(2, CHANNELS)
        self.memory = {
            "x": self.upload(np.resize(self.values, (4, CHANNELS))),
            "shift": self.upload(np.array([5], shift)),
            "y": self.cuda.mem_alloc(4 * CHANNELS * 4),
        }
        for name, memory in self.memory.items():
            assert self.run_context.set_tensor_address(name, int(memory))

    def enqueue(self, rows: int = 2) -> None:
        assert self.run_context.set_input_shape("x", (rows, CHANNELS))
        assert self.run_context.execute_async_v3(self.stream.handle)

    def result(self, rows: int = 2) -> npt.NDArray[Any]:
        return self.download(self.memory["y"], (rows, CHANNELS))

    def close(self) -> None:
        del self.run_context, self.engine
        for memory in self.memory.values():
            memory.free()
        super().close()


@pytest.fixture
def running(scaling: bytes) -> Running:
    return Running(scaling)


# The driver


def test_bytes_copied_to_the_device_come_back_unchanged(bench: Bench) -> None:
    values = np.arange(12, dtype=np.int16).reshape(3, 4)
    memory = bench.upload(values)
    other = bench.cuda.mem_alloc(values.nbytes)
    bench.cuda.memcpy_dtod_async(other, int(memory) + 8, 16, bench.stream)
    bench.cuda.memset_d8_async(int(other) + 16, 0, 8, bench.stream)
    expected = [*range(4, 12), 0, 0, 0, 0]
    np.testing.assert_array_equal(bench.download(other, (12,), np.int16), expected)
    assert int(memory) % 512 == 0
    assert bench.machine.allocated_bytes == 48
    memory.free()
    del other
    bench.close()
    bench.machine.check_clean()


@pytest.mark.parametrize("order", ["C", "F"])
def test_page_locked_arrays_behave_as_in_pycuda(bench: Bench, order: str) -> None:
    array = bench.cuda.pagelocked_empty(
        (2, 3), np.float16, order=order, mem_flags=bench.cuda.host_alloc_flags.DEVICEMAP
    )
    assert (array.shape, array.dtype) == ((2, 3), np.float16)
    assert array.flags.c_contiguous == (order == "C")
    assert array.base.get_device_pointer() == array.ctypes.data
    assert array[:1].base is array
    assert (array.T.copy().view(np.uint8) == 0xCB).all()
    assert bench.machine.pinned_bytes == 12
    del array
    assert bench.machine.pinned_bytes == 0


def test_queued_work_is_done_only_when_it_is_waited_for(bench: Bench) -> None:
    host = bench.cuda.pagelocked_empty(4, np.uint8)
    memory = bench.cuda.mem_alloc(4)
    bench.cuda.memset_d8_async(memory, 1, 4, bench.stream)
    first = bench.cuda.Event(bench.cuda.event_flags.DISABLE_TIMING).record(bench.stream)
    bench.cuda.memset_d8_async(memory, 2, 4, bench.stream)
    bench.cuda.memcpy_dtoh_async(host, memory, bench.stream)
    first.synchronize()
    assert list(host) == [0xCB] * 4
    bench.stream.synchronize()
    assert list(host) == [2] * 4


def test_an_allocation_beyond_device_memory_fails(bench: Bench) -> None:
    with pytest.raises(bench.cuda.MemoryError, match="out of memory") as caught:
        bench.cuda.mem_alloc(1 << 21)
    assert isinstance(caught.value, MemoryError)
    assert isinstance(caught.value, bench.cuda.Error)
    assert bench.cuda.mem_get_info() == (1 << 20, 1 << 20)


def host_overwritten(bench: Bench) -> None:
    host = bench.cuda.pagelocked_empty(4, np.uint8)
    bench.cuda.memcpy_htod_async(bench.memory_of(4), host, bench.stream)
    host[0] = 1
    bench.stream.synchronize()


def host_freed(bench: Bench) -> None:
    host = bench.cuda.pagelocked_empty(4, np.uint8)
    memory = bench.memory_of(4)
    bench.cuda.memcpy_dtoh_async(host, memory, bench.stream)
    host.base.free()


def pageable(bench: Bench) -> None:
    bench.cuda.memcpy_htod_async(bench.memory_of(4), np.zeros(4, np.uint8), bench.stream)


def pageable_target(bench: Bench) -> None:
    bench.cuda.memcpy_dtoh_async(np.zeros(4, np.uint8), bench.memory_of(4), bench.stream)


def too_long(bench: Bench) -> None:
    bench.cuda.memset_d8_async(bench.memory_of(4), 0, 5, bench.stream)


def stray(bench: Bench) -> None:
    bench.cuda.memset_d8_async(1234, 0, 5, bench.stream)


def used_after_free(bench: Bench) -> None:
    memory = bench.memory_of(4)
    memory.free()
    bench.cuda.memset_d8_async(memory, 0, 4, bench.stream)


def overlapping(bench: Bench) -> None:
    memory = int(bench.memory_of(8))
    bench.cuda.memcpy_dtod_async(memory, memory + 2, 4, bench.stream)


def default_stream(bench: Bench) -> None:
    bench.cuda.memset_d8_async(bench.memory_of(4), 0, 4)


def second_context(bench: Bench) -> None:
    bench.cuda.Device(0).make_context()


def pushed_after_detach(bench: Bench) -> None:
    other = bench.cuda.Device(0).retain_primary_context()
    other.detach()
    other.push()


def not_mapped(bench: Bench) -> None:
    host = bench.cuda.pagelocked_empty(4, np.uint8)
    bench.cuda.memset_d8_async(host.ctypes.data, 0, 4, bench.stream)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (host_overwritten, "overwritten by the host while"),
        (host_freed, "freed while cuMemcpyDtoHAsync was queued"),
        (pageable, "pageable"),
        (pageable_target, "pageable"),
        (too_long, "reach beyond"),
        (stray, "no address on the device"),
        (used_after_free, "was freed"),
        (overlapping, "overlap"),
        (default_stream, "default stream"),
        (second_context, "make_context"),
        (pushed_after_detach, "after it was detached"),
        (not_mapped, "not mapped"),
    ],
)
def test_wrong_use_of_the_driver_is_recorded_as_a_violation(
    bench: Bench, mistake: Callable[[Bench], None], message: str
) -> None:
    with pytest.raises(ContractViolation, match=message):
        mistake(bench)
    with pytest.raises(AssertionError):
        bench.machine.check_clean()


def test_a_call_without_a_context_fails() -> None:
    bench = Bench(Machine(), push=False)
    with pytest.raises(bench.cuda.LogicError, match="no context is current"):
        bench.cuda.mem_alloc(4)
    assert len(bench.machine.violations) == 1


def test_a_context_is_current_only_in_its_thread(bench: Bench) -> None:
    errors: list[str] = []

    def elsewhere() -> None:
        try:
            bench.cuda.mem_alloc(4)
        except bench.cuda.LogicError as error:
            errors.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "no context" in errors[0]


def test_memory_released_in_a_thread_without_the_context_is_leaked(bench: Bench) -> None:
    held = [bench.cuda.mem_alloc(4)]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert "lost for ever" in bench.machine.violations[0]
    assert bench.machine.allocated_bytes == 4


def test_writing_to_freed_host_memory_is_found(bench: Bench) -> None:
    host = bench.cuda.pagelocked_empty(4, np.uint8)
    host.base.free()
    host[0] = 1
    bench.close()
    with pytest.raises(AssertionError, match="written after it was freed"):
        bench.machine.check_clean()


@pytest.mark.parametrize(
    ("leave", "message"),
    [
        (lambda bench: bench.cuda.mem_alloc(4), "device memory"),
        (lambda bench: bench.cuda.pagelocked_empty(4, np.uint8), "page-locked memory"),
        (lambda bench: bench.cuda.Event(), "1 events"),
        (lambda bench: bench.cuda.Stream(), "stream"),
        (lambda bench: bench.capture(lambda: None), "graph"),
        (lambda bench: bench.cuda.Device(0).retain_primary_context(), "retained"),
    ],
)
def test_everything_not_given_back_is_listed(bench: Bench, leave: Callable[[Bench], Any], message: str) -> None:
    left = leave(bench)
    bench.close()
    with pytest.raises(AssertionError, match=message):
        bench.machine.check_clean()
    del left


def test_a_context_that_is_still_pushed_is_found(bench: Bench) -> None:
    bench.context.push()
    with pytest.raises(ContractViolation, match="detached while it was pushed"):
        bench.close()
    with pytest.raises(AssertionError, match="still pushed"):
        bench.machine.check_clean()


def test_wrong_arguments_are_refused_as_by_pycuda(bench: Bench) -> None:
    memory = bench.cuda.mem_alloc(16)
    with pytest.raises(TypeError, match="no device pointer"):
        bench.cuda.memset_d8_async(np.int64(int(memory)), 0, 4, bench.stream)
    host = bench.cuda.pagelocked_empty((4, 4), np.uint8)
    with pytest.raises(BufferError, match="contiguous"):
        bench.cuda.memcpy_htod_async(memory, host[:, :2], bench.stream)
    with pytest.raises(bench.cuda.LogicError, match="invalid argument"):
        bench.cuda.pagelocked_empty(0, np.uint8)
    memory.free()
    with pytest.raises(bench.cuda.LogicError, match="invalid resource handle"):
        memory.free()


# The machine


def test_without_a_driver_pycuda_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(driver=False, graphs=False).install(monkeypatch)
    importlib.import_module("pycuda")
    with pytest.raises(ImportError, match=r"libcuda\.so\.1"):
        importlib.import_module("pycuda.driver")
    with pytest.raises(ImportError):
        importlib.import_module("cuda.bindings.driver")


def test_simulated_modules_are_found_by_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(name="Fake Orin", capability=(8, 7), integrated=True)
    machine.install(monkeypatch)
    driver: Any = importlib.import_module("pycuda.driver")
    driver.init()
    device = driver.Device(0)
    assert (device.name(), device.compute_capability(), driver.Device.count()) == ("Fake Orin", (8, 7), 1)
    assert device.get_attribute(driver.device_attribute.INTEGRATED) == 1
    assert importlib.import_module("cuda.bindings.driver") is importlib.import_module("cuda.bindings").driver


def test_a_driver_without_a_gpu_reports_no_device() -> None:
    driver: Any = Machine(devices=0).modules()["pycuda.driver"]
    with pytest.raises(driver.RuntimeError, match="no CUDA-capable device"):
        driver.init()
    with pytest.raises(driver.LogicError, match="initialization error"):
        driver.Device.count()


# Graphs


def test_a_graph_does_nothing_until_it_is_launched(bench: Bench) -> None:
    memory = bench.upload(np.zeros(4, np.uint8))
    graph = bench.capture(lambda: bench.cuda.memset_d8_async(memory, 3, 4, bench.stream))
    assert list(bench.download(memory, (4,), np.uint8)) == [0] * 4
    assert int(bench.graphs.cuGraphLaunch(graph, bench.stream.handle)[0]) == 0
    assert list(bench.download(memory, (4,), np.uint8)) == [3] * 4
    bench.graphs.cuGraphExecDestroy(graph)
    memory.free()
    bench.close()
    bench.machine.check_clean()


def test_launching_a_graph_over_freed_memory_is_a_violation(bench: Bench) -> None:
    memory = bench.cuda.mem_alloc(4)
    graph = bench.capture(lambda: bench.cuda.memset_d8_async(memory, 3, 4, bench.stream))
    memory.free()
    with pytest.raises(ContractViolation, match="launched after device memory"):
        bench.graphs.cuGraphLaunch(graph, bench.stream.handle)


def test_launching_a_destroyed_graph_is_a_violation(bench: Bench) -> None:
    graph = bench.capture(lambda: None)
    bench.graphs.cuGraphExecDestroy(graph)
    with pytest.raises(ContractViolation, match="destroyed"):
        bench.graphs.cuGraphLaunch(graph, bench.stream.handle)


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda bench, memory: bench.stream.synchronize(),
        lambda bench, memory: bench.cuda.Context.synchronize(),
        lambda bench, memory: bench.cuda.mem_alloc(4),
        lambda bench, memory: bench.cuda.pagelocked_empty(4, np.uint8),
        lambda bench, memory: memory.free(),
        lambda bench, memory: bench.cuda.Event().record(bench.stream).synchronize(),
    ],
)
def test_calls_that_a_capture_forbids_fail(bench: Bench, forbidden: Callable[[Bench, Any], None]) -> None:
    memory = bench.cuda.mem_alloc(4)
    with pytest.raises(ContractViolation, match="under capture"):
        bench.capture(lambda: forbidden(bench, memory))


def test_a_failing_capture_and_a_failing_instantiation_raise() -> None:
    for settings in ({"capture_fails": True}, {"instantiate_fails": True}):
        bench = Bench(Machine(**settings))  # type: ignore[arg-type]
        bench.graphs.cuStreamBeginCapture(bench.stream.handle, bench.graphs.CUstreamCaptureMode(1))
        status, graph = bench.graphs.cuStreamEndCapture(bench.stream.handle)
        assert (graph is None) == ("capture_fails" in settings) == (int(status) != 0)
        if graph is not None:
            status, executable = bench.graphs.cuGraphInstantiate(graph, 0)
            assert int(status) == 2
            assert executable is None


# TensorRT


@pytest.mark.parametrize("version", ["8.6.1.6", "10.3.0.26", "11.4.0.106"])
def test_a_simulated_engine_computes_its_graph(scaling: bytes, version: str) -> None:
    running = Running(scaling, version)
    assert running.engine.get_tensor_dtype("shift").name == ("INT32" if version[0] == "8" else "INT64")
    for rows in (2, 1, 4):
        running.enqueue(rows)
        expected = np.resize(running.values, (4, CHANNELS))[:rows] * 2 + 5
        np.testing.assert_array_equal(running.result(rows), expected)
        assert running.run_context.get_tensor_shape("y") == (rows, CHANNELS)
    running.close()
    running.machine.check_clean()


def test_a_simulated_engine_lists_its_tensors(running: Running) -> None:
    engine = running.engine
    assert [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)] == ["x", "shift", "y"]
    assert engine.get_tensor_mode("x") == running.trt.TensorIOMode.INPUT
    assert engine.get_tensor_shape("y") == (-1, CHANNELS)
    assert engine.get_tensor_profile_shape("x", 0)[2] == (4, CHANNELS)


def test_an_engine_reads_its_inputs_in_the_order_of_the_queue(running: Running) -> None:
    running.enqueue()
    running.cuda.memset_d8_async(running.memory["x"], 0, 24, running.stream)
    running.enqueue()
    assert (running.result() == 5).all()


def test_an_engine_run_can_be_captured_into_a_graph(running: Running) -> None:
    running.enqueue()
    graph = running.capture(running.enqueue)
    running.cuda.memset_d8_async(running.memory["x"], 0, 24, running.stream)
    running.graphs.cuGraphLaunch(graph, running.stream.handle)
    assert (running.result() == 5).all()
    running.graphs.cuGraphExecDestroy(graph)
    running.close()
    running.machine.check_clean()


def test_an_engine_takes_mapped_host_memory(scaling: bytes) -> None:
    running = Running(scaling, machine=Machine(integrated=True))
    host = running.cuda.pagelocked_empty((2, CHANNELS), np.float32, mem_flags=running.cuda.host_alloc_flags.DEVICEMAP)
    host[...] = 1
    running.run_context.set_tensor_address("x", host.base.get_device_pointer())
    running.enqueue()
    assert (running.result() == 7).all()


def no_shape(running: Running) -> None:
    running.run_context.execute_async_v3(running.stream.handle)


def no_address(running: Running) -> None:
    running.run_context.set_tensor_address("y", 0)
    running.enqueue()


def misaligned(running: Running) -> None:
    running.run_context.set_tensor_address("x", int(running.memory["x"]) + 4)
    running.enqueue()


def too_small(running: Running) -> None:
    running.memory["small"] = running.cuda.mem_alloc(4)
    running.run_context.set_tensor_address("y", int(running.memory["small"]))
    running.enqueue()


def freed_input(running: Running) -> None:
    running.memory["x"].free()
    running.enqueue()


def in_place(running: Running) -> None:
    running.run_context.set_tensor_address("y", int(running.memory["x"]))
    running.enqueue()


def on_default_stream(running: Running) -> None:
    running.run_context.set_input_shape("x", (1, CHANNELS))
    running.run_context.execute_async_v3(0)


def two_streams(running: Running) -> None:
    running.enqueue()
    other = running.cuda.Stream()
    running.run_context.execute_async_v3(other.handle)


def never_written(running: Running) -> None:
    running.memory["other"] = running.cuda.mem_alloc(64)
    running.run_context.set_tensor_address("x", int(running.memory["other"]))
    running.enqueue()
    running.stream.synchronize()


def captured_at_once(running: Running) -> None:
    running.capture(running.enqueue)


def captured_after_a_change(running: Running) -> None:
    running.enqueue(2)
    running.enqueue(3)
    running.capture(lambda: running.enqueue(2))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (no_shape, "no shape was set"),
        (no_address, "no address was set"),
        (misaligned, "not aligned"),
        (too_small, "reach beyond"),
        (freed_input, "was freed"),
        (in_place, "overlap"),
        (on_default_stream, "default stream"),
        (two_streams, "two streams"),
        (never_written, "not all was ever written"),
        (captured_at_once, "before one plain run"),
        (captured_after_a_change, "before one plain run"),
    ],
)
def test_mistakes_with_engines_are_violations(
    running: Running, mistake: Callable[[Running], None], message: str
) -> None:
    with pytest.raises(ContractViolation, match=message):
        mistake(running)
    assert running.machine.violations


def test_destroying_an_execution_context_with_queued_work_is_a_violation(running: Running) -> None:
    running.enqueue()
    del running.run_context
    assert "destroyed while its work was queued" in running.machine.violations[0]


def test_launching_a_graph_of_a_destroyed_context_is_a_violation(running: Running) -> None:
    running.enqueue()
    graph = running.capture(running.enqueue)
    running.stream.synchronize()
    del running.run_context
    with pytest.raises(ContractViolation, match="was destroyed"):
        running.graphs.cuGraphLaunch(graph, running.stream.handle)


def test_graphs_of_changed_contexts_are_refused_where_asked(scaling: bytes) -> None:
    running = Running(scaling, strict_graphs=True)
    running.enqueue(2)
    graph = running.capture(lambda: running.enqueue(2))
    running.enqueue(3)
    with pytest.raises(ContractViolation, match="other shapes or addresses"):
        running.graphs.cuGraphLaunch(graph, running.stream.handle)


def test_shapes_beyond_the_profile_are_refused(running: Running) -> None:
    assert not running.run_context.set_input_shape("x", (5, CHANNELS))
    assert "does not fit the profile" in running.logger.messages[-1][1]


def test_plans_are_of_one_version_and_device(scaling: bytes) -> None:
    plan = build(FakeTensorRT(Machine(), "10.3.0.26"), scaling)
    portable = build(
        FakeTensorRT(
            Machine(),
            "10.3.0.26",
        ),
        scaling,
        flags=["VERSION_COMPATIBLE"],
    )
    cases = [
        (plan, "10.3.0.26", (9, 0), False, True),
        (plan, "10.4.0.0", (9, 0), False, False),
        (plan, "10.3.0.26", (8, 7), False, False),
        (portable, "10.4.0.0", (9, 0), True, True),
        (portable, "10.4.0.0", (9, 0), False, False),
        (b"something else", "10.3.0.26", (9, 0), False, False),
    ]
    for content, version, capability, host_code, loads in cases:
        bench = Bench(Machine(capability=capability))
        trt: Any = FakeTensorRT(bench.machine, version).module()
        logger = trt.Logger()
        runtime = trt.Runtime(logger)
        runtime.engine_host_code_allowed = host_code
        assert (runtime.deserialize_cuda_engine(content) is not None) == loads
        assert bool(logger.messages) != loads


def test_an_execution_context_without_enough_memory_is_none(scaling: bytes) -> None:
    bench = Bench(Machine(memory_bytes=1 << 16))
    library = FakeTensorRT(bench.machine, context_bytes=1 << 17)
    engine = library.module().Runtime(library.module().Logger()).deserialize_cuda_engine(build(library, scaling))
    assert engine.create_execution_context() is None


def test_nothing_of_tensorrt_works_without_a_driver(scaling: bytes) -> None:
    machine = Machine(driver=False)
    trt: Any = FakeTensorRT(machine).module()
    with pytest.raises(TypeError, match="nullptr"):
        trt.Builder(trt.Logger())
    with pytest.raises(ContractViolation, match="the process would die"):
        trt.Runtime(trt.Logger())


def test_each_simulated_version_has_the_interface_of_its_age() -> None:
    modules = {version: FakeTensorRT(Machine(), f"{version}.0.0").module() for version in ("8.6", "10.3", "11.4")}
    facts = {
        version: (
            hasattr(trt.BuilderFlag, "FP16"),
            hasattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH"),
            hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"),
            hasattr(trt.DataType, "INT64"),
            hasattr(trt, "IProgressMonitor"),
        )
        for version, trt in modules.items()
    }
    assert facts == {
        "8.6": (True, True, False, False, False),
        "10.3": (True, True, True, True, True),
        "11.4": (False, False, True, True, True),
    }


def test_failing_builds_return_none_and_log_the_reason(scaling: bytes) -> None:
    assert build(FakeTensorRT(Machine(), build_error="no"), scaling) is None
    assert build(FakeTensorRT(Machine(), workspace_needed=1 << 30), scaling) is None
    assert build(FakeTensorRT(Machine()), scaling, flags=["FP16"]) is None  # strongly typed
    with pytest.raises(AssertionError, match="no importer registered for op Add"):
        build(FakeTensorRT(Machine(), refuses=["Add"]), scaling)
    with pytest.raises(AttributeError):
        build(FakeTensorRT(Machine(), "8.6.1.6"), scaling, monitor=lambda trt: None)
    assert build(FakeTensorRT(Machine(), "8.6.1.6"), scaling, sources=0b00100) is None  # cuDNN, which is not there
    without = FakeTensorRT(Machine()).module()
    logger = without.Logger()
    builder = without.Builder(logger)
    network = builder.create_network(0)
    assert not without.OnnxParser(network, logger).parse(b"no graph")
    assert without.OnnxParser(network, logger).parse(scaling)
    assert builder.build_serialized_network(network, builder.create_builder_config()) is None
    assert "no optimization profile" in logger.messages[-1][1]


def test_progress_is_reported_and_can_be_stopped(scaling: bytes) -> None:
    heard: list[Any] = []

    def monitor(trt: Any, *, patience: int) -> Any:
        class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.IProgressMonitor.__init__(self)

            def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
                heard.append((phase_name, parent_phase, num_steps))

            def step_complete(self, phase_name: str, step: int) -> bool:
                return step < patience

        return Monitor()

    assert build(FakeTensorRT(Machine()), scaling, monitor=lambda trt: monitor(trt, patience=9)) is not None
    assert heard == [("Building Engine", None, 2), ("Timing Layers", "Building Engine", 3)]
    assert build(FakeTensorRT(Machine()), scaling, monitor=lambda trt: monitor(trt, patience=1)) is None


def test_a_timing_cache_saves_the_measurements_of_the_next_build(scaling: bytes) -> None:
    library = FakeTensorRT(Machine())
    _, cache = build(library, scaling, cache=b"")
    assert library.timed_layers == 3
    build(library, scaling, cache=cache)
    assert library.timed_layers == 3
    other = FakeTensorRT(Machine(), "10.4.0.0").module()
    config = other.Builder(other.Logger()).create_builder_config()
    assert not config.set_timing_cache(config.create_timing_cache(cache), False)
    assert config.create_timing_cache(b"damaged") is None


def test_serialised_plans_are_buffers_without_a_length(scaling: bytes) -> None:
    plan = build(FakeTensorRT(Machine()), scaling)
    assert plan
    assert len(bytes(plan)) == plan.nbytes
    with pytest.raises(TypeError):
        len(plan)


def test_the_lean_runtime_builds_nothing(scaling: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    FakeTensorRT(machine, lean=True).install(monkeypatch)
    lean = importlib.import_module("tensorrt_lean")
    assert not hasattr(lean, "Builder")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("tensorrt")
