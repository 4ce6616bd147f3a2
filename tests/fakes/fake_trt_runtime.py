"""Running engines in the simulated TensorRT: every rule of shapes, addresses, streams and lifetimes is enforced."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from math import prod
from typing import Any, ClassVar

import numpy as np
from fake_device import Block, ContractViolation, Life, Region, Work
from fake_trt_library import ILogger, Library, checked_logger
from fake_trt_plan import Dims, Network, Plan, Shape, TensorFacts, read_plan

_ALIGNMENT = 256


class Runtime:
    """Makes engines of plans."""

    library: ClassVar[Library]
    __slots__ = ("_logger", "engine_host_code_allowed", "max_threads")

    def __init__(self, logger: ILogger) -> None:
        self._logger = checked_logger(logger)
        self.engine_host_code_allowed = False
        self.max_threads = 1
        if not self.library.machine.has_gpu:
            raise self.library.machine.violation("Runtime() without a driver or a GPU: the process would die of it")

    def deserialize_cuda_engine(self, serialized_engine: Any) -> ICudaEngine | None:
        """The engine of a plan; None where that cannot be, with the reason in the log."""
        machine = self.library.machine
        machine.require_context("deserialize_cuda_engine")
        machine.forbid_while_capturing("deserialize_cuda_engine")
        plan = read_plan(bytes(serialized_engine))
        wrong = "the plan's magic tag does not match" if plan is None else self._wrong(plan)
        weights = machine.allocate(max(1, len(plan.onnx))) if plan is not None and wrong is None else None
        if plan is None or weights is None:
            self.library.error(self._logger, wrong or "out of memory for the weights")
            return None
        return ICudaEngine(self.library, self, plan, weights)

    def _wrong(self, plan: Plan) -> str | None:
        """Why this plan cannot run here."""
        portable = "VERSION_COMPATIBLE" in plan.flags
        built = tuple(int(part) for part in plan.version.split("."))
        if portable and "EXCLUDE_LEAN_RUNTIME" not in plan.flags and not self.engine_host_code_allowed:
            return "the plan is version compatible and holds host code: engine_host_code_allowed is needed"
        if self.library.lean and not portable:
            return "the lean runtime takes version compatible plans alone"
        if not (portable and self.library.numbers >= built) and built != self.library.numbers:
            return f"the plan was built by TensorRT {plan.version}, this is {self.library.version}"
        if plan.capability != self.library.capability:
            return f"the plan was built for compute capability {plan.capability}, this is {self.library.capability}"
        return None


class ICudaEngine:
    """An engine. Its execution contexts and its inspectors keep it alive."""

    __slots__ = ("__weakref__", "_contexts", "_runtime", "_tensors", "_weights", "library", "name", "network", "plan")

    def __init__(self, library: Library, runtime: Runtime, plan: Plan, weights: Block) -> None:
        self.library = library
        self.plan = plan
        self.network = Network(plan)
        self.name = "Unnamed Network"
        self._contexts = 0
        self._runtime = runtime
        self._tensors = {tensor.name: tensor for tensor in plan.tensors}
        self._weights = weights

    @property
    def num_io_tensors(self) -> int:
        """Inputs and outputs."""
        return len(self.plan.tensors)

    @property
    def logger(self) -> ILogger:
        """Its runtime's."""
        return self._runtime._logger

    def get_tensor_name(self, index: int) -> str:
        """Inputs first."""
        return self.plan.tensors[index].name

    def get_tensor_mode(self, name: str) -> Any:
        """INPUT or OUTPUT."""
        return self.library.enumerations["TensorIOMode"]["INPUT" if self.tensor(name).is_input else "OUTPUT"]

    def get_tensor_dtype(self, name: str) -> Any:
        """Member of DataType."""
        return self.library.dtype(self.tensor(name).dtype)

    def get_tensor_shape(self, name: str) -> Dims:
        """-1 where it is dynamic."""
        return Dims(self.tensor(name).shape)

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Dims]:
        """Smallest, usual and largest shape of an input."""
        profile = self.tensor(name).profile
        if profile is None or profile_index != 0:
            raise self.library.machine.violation(f"get_tensor_profile_shape({name}, {profile_index}): no such profile")
        return [Dims(shape) for shape in profile]

    def create_execution_context(self, strategy: Any = None) -> IExecutionContext | None:
        """One that runs it; None where the device has no memory for it."""
        machine = self.library.machine
        machine.require_context("create_execution_context")
        machine.forbid_while_capturing("create_execution_context")
        memory = machine.allocate(self.library.context_bytes)
        if memory is None:
            self.library.error(self.logger, f"out of memory: {self.library.context_bytes} bytes for activations")
            return None
        first, self._contexts = self._contexts == 0, self._contexts + 1
        return IExecutionContext(self, memory, profile=0 if first else None)

    def tensor(self, name: str) -> TensorFacts:
        """By its name."""
        if name not in self._tensors:
            raise self.library.machine.violation(f"the engine has no tensor {name!r}")
        return self._tensors[name]

    def __del__(self) -> None:
        if hasattr(self, "_weights"):
            _give_back(self.library, self._weights)


class IExecutionContext:
    """Runs an engine, on one stream at a time."""

    __slots__ = ("__weakref__", "_addresses", "_life", "_memory", "_profile", "_settled", "_shapes", "engine", "name")

    def __init__(self, engine: ICudaEngine, memory: Block, *, profile: int | None) -> None:
        self.engine = engine
        self.name = ""
        self._profile = profile  # only an engine's first context has one from the beginning
        self._memory = memory
        self._life = Life(f"the execution context of {engine.network.outputs[0].name}")
        self._addresses: dict[str, int] = {}
        self._shapes: dict[str, Shape] = {
            tensor.name: tensor.shape for tensor in engine.network.inputs if -1 not in tensor.shape
        }
        self._settled: dict[str, Shape] | None = None  # shapes of the last run that was not captured

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        """Which profile this context runs with. Before TensorRT 10 each context needs one of its own."""
        machine = self.engine.library.machine
        machine.require_context("set_optimization_profile_async")
        machine.queue(int(stream_handle), "set_optimization_profile_async")
        if profile_index != 0 or self.engine.library.major < 10:
            self._error(f"set_optimization_profile_async: profile {profile_index} is unavailable")
            return False
        self._profile = profile_index
        return True

    def set_input_shape(self, name: str, shape: Sequence[int]) -> bool:
        """Of an input; False where the profile does not have it."""
        tensor, given = self.engine.tensor(name), tuple(int(side) for side in shape)
        if self._profile is None:
            raise self.engine.library.machine.violation("set_input_shape on a context without an optimization profile")
        if not tensor.is_input or tensor.profile is None or not _within(given, tensor.profile):
            self._error(f"set_input_shape: {name} {list(given)} does not fit the profile {tensor.profile}")
            return False
        if self._shapes.get(name) != given:
            self._shapes[name] = given
            self._life.changes += 1
            self._settled = None
        return True

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Where a tensor is on the device; looked at when the engine runs."""
        self.engine.tensor(name)
        if self._addresses.get(name) != memory:
            self._addresses[name] = int(memory)
            self._life.changes += 1
        return True

    def get_tensor_shape(self, name: str) -> Dims:
        """As it is now; -1 where that depends on inputs that have none."""
        tensor = self.engine.tensor(name)
        if tensor.is_input:
            return Dims(self._shapes.get(name, tensor.shape))
        return Dims(tensor.shape if self.infer_shapes() else self.engine.network.output_shapes(self._shapes)[name])

    def infer_shapes(self) -> list[str]:
        """Inputs that have no shape yet."""
        return [tensor.name for tensor in self.engine.network.inputs if tensor.name not in self._shapes]

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Enqueue one run, with the shapes and addresses of now and what is in memory then."""
        machine = self.engine.library.machine
        machine.require_context("execute_async_v3")
        with machine.lock:
            queue = machine.queue(int(stream_handle), "execute_async_v3")
            if queue.capture is not None and self.engine.library.capture_refused:
                self._error("operation not permitted when stream is capturing")
                return False
            if missing := self.infer_shapes():
                raise machine.violation(f"execute_async_v3: no shape was set for {missing}")
            shapes = {**self._shapes, **self.engine.network.output_shapes(self._shapes)}
            regions = {name: self._region(name, shape) for name, shape in shapes.items()}
            self._check_overlaps(regions)
            if machine.has_work_of(self._life, elsewhere=queue.handle):
                raise machine.violation(f"{self._life.name} is used on two streams at once")
            if queue.capture is None:
                self._settled = dict(self._shapes)
            elif self._settled != self._shapes:
                raise machine.violation(
                    f"{self._life.name} was captured before one plain run with these shapes: the first run after a "
                    "change of shapes does what no capture allows"
                )
            machine.enqueue(queue.handle, self._work(shapes, regions))
        return True

    def _region(self, name: str, shape: Shape) -> Region:
        machine, address = self.engine.library.machine, self._addresses.get(name, 0)
        if address == 0:
            raise machine.violation(f"execute_async_v3: no address was set for {name}")
        if address % _ALIGNMENT:
            raise machine.violation(f"execute_async_v3: {name} at {address:#x} is not aligned to {_ALIGNMENT} bytes")
        nbytes = prod(shape) * self.engine.tensor(name).numpy.itemsize
        return machine.locate(address, nbytes, f"execute_async_v3: {name}")

    def _check_overlaps(self, regions: dict[str, Region]) -> None:
        for (first, one), (second, other) in itertools.combinations(regions.items(), 2):
            both_read = self.engine.tensor(first).is_input and self.engine.tensor(second).is_input
            if not both_read and one.overlaps(other):
                raise self.engine.library.machine.violation(f"execute_async_v3: {first} and {second} overlap")

    def _work(self, shapes: dict[str, Shape], regions: dict[str, Region]) -> Work:
        network, library, life, changes = self.engine.network, self.engine.library, self._life, self._life.changes
        label = f"the run of {', '.join(tensor.name for tensor in network.outputs)}"

        def changed() -> str | None:
            strict = library.strict_graphs and life.changes != changes
            return "its execution context was given other shapes or addresses since" if strict else None

        return Work(
            label,
            lambda: _compute(library, network, shapes, regions),
            tuple(regions[tensor.name] for tensor in network.inputs),
            tuple(regions[tensor.name] for tensor in network.outputs),
            life,
            changed,
        )

    def _error(self, message: str) -> None:
        self.engine.library.error(self.engine.logger, message)

    def __del__(self) -> None:
        if not hasattr(self, "_life"):
            return
        machine = self.engine.library.machine
        if machine.has_work_of(self._life):
            machine.violations.append(f"{self._life.name} was destroyed while its work was queued")
        _give_back(self.engine.library, self._memory)
        self._life.ended = True


def _compute(library: Library, network: Network, shapes: dict[str, Shape], regions: dict[str, Region]) -> None:
    """Read the inputs, run, write the outputs."""
    arrays = {}
    for tensor in network.inputs:
        region = regions[tensor.name]
        if library.check_uninitialised and not region.marks().all():
            raise library.machine.violation(f"an engine read {tensor.name}, of which not all was ever written")
        arrays[tensor.name] = np.frombuffer(region.read().tobytes(), tensor.numpy).reshape(shapes[tensor.name])
    try:
        results = network.run(arrays)
    except Exception as error:  # ONNX Runtime checks what a GPU does not, such as indices
        raise library.machine.violation(f"an engine could not run: {' '.join(str(error).split())[:300]}") from error
    for tensor in network.outputs:
        result = np.ascontiguousarray(results[tensor.name])
        if result.shape != shapes[tensor.name]:
            raise library.machine.violation(
                f"{tensor.name} came as {list(result.shape)}, not as {list(shapes[tensor.name])}"
            )
        regions[tensor.name].write(np.frombuffer(result.tobytes(), np.uint8))


def _within(shape: Shape, profile: tuple[Shape, Shape, Shape]) -> bool:
    smallest, _, largest = profile
    return len(shape) == len(largest) and all(
        low <= side <= high for low, side, high in zip(smallest, shape, largest, strict=True)
    )


def _give_back(library: Library, memory: Block) -> None:
    """Of what is destroyed, and so cannot raise; what is wrong is recorded by then."""
    with suppress(ContractViolation):
        library.machine.forbid_while_capturing("freeing an engine's memory")
    with suppress(ContractViolation):
        library.machine.free(memory)
