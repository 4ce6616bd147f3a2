"""One TensorRT engine, ready to put its work on the device's stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cmsn_runtime.backends.tensorrt.cuda import CapturedWork, Device
from cmsn_runtime.backends.tensorrt.engine_files import Shape
from cmsn_runtime.backends.tensorrt.library import version_numbers
from cmsn_runtime.errors import BackendError

# By name: trt.nptype of 8.6 needs a NumPy older than 1.24.
_DTYPES: dict[str, np.dtype[Any]] = {
    "FLOAT": np.dtype(np.float32),
    "HALF": np.dtype(np.float16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "UINT8": np.dtype(np.uint8),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of an engine. shape: -1 where it is dynamic. largest: of an input, by the profile."""

    name: str
    is_input: bool
    dtype: np.dtype[Any]
    shape: Shape
    largest: Shape | None


class Binding:
    """An execution context with the shapes and addresses it was last given; TensorRT is told only what changes."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self._shapes: dict[str, Shape] = {}
        self._addresses: dict[str, int] = {}

    def enqueue(self, addresses: Mapping[str, int], shapes: Mapping[str, Shape], stream: int) -> str | None:
        """Put the work on a stream -> what TensorRT refused, None if nothing."""
        for name, shape in shapes.items():
            if self._shapes.get(name) != shape:
                if not self.context.set_input_shape(name, shape):
                    return f"takes no {name} of shape {list(shape)}"
                self._shapes[name] = shape
        for name, address in addresses.items():
            if self._addresses.get(name) != address:
                if not self.context.set_tensor_address(name, address):
                    return f"takes no address for {name}"
                self._addresses[name] = address
        return None if self.context.execute_async_v3(stream) else "did not run"


class Recording:
    """Work that is always the same, to the addresses and shapes: after its first run it is a CUDA graph, if it can be.

    A graph holds only as long as its context keeps the shapes it was captured with, so recordings of different shapes
    have contexts of their own.
    """

    def __init__(self, binding: Binding, *, shared: bool) -> None:
        self.binding = binding
        self.shared = shared
        self.work: CapturedWork | None = None
        self.tried = False

    def forget(self) -> None:
        """Let go of the graph, and of the context if nobody else has it; neither may be running."""
        if self.work is not None:
            self.work.destroy()
        self.work, self.tried = None, True


@dataclass(slots=True)
class TensorRTEngine:
    """An engine with its execution contexts, over tensors whose memory belongs to the caller.

    Raises BackendError where TensorRT refuses the plan, or the device has no memory for it.
    """

    name: str
    device: Device
    trt: Any
    logger: Any
    engine: Any = field(init=False, default=None)
    tensors: dict[str, Tensor] = field(init=False, default_factory=dict)
    _bindings: list[Binding] = field(init=False, default_factory=list)

    def load(self, runtime: Any, plan: bytes, *, command: str) -> None:
        """Make the engine of its plan. command: what builds it again, for messages."""
        self.logger.forget()
        self.engine = runtime.deserialize_cuda_engine(plan)
        if self.engine is None:
            raise BackendError(
                f"TensorRT {self.trt.__version__} refuses the {self.name} engine ({self.logger.said()}); it must be "
                f"built by this version on this device: {command}"
            )
        if self._new_binding() is None:
            raise BackendError(
                f"{self.device.facts.name} has no memory to run the {self.name} engine ({self.logger.said()}); close "
                f"other programs, or build for fewer cameras: {command}"
            )
        names = [self.engine.get_tensor_name(index) for index in range(self.engine.num_io_tensors)]
        self.tensors = {name: self._tensor(name) for name in names}

    def recording(self, *, shared: bool) -> Recording | None:
        """For work that repeats itself; None where there must be none.

        shared: its shapes are the only ones this engine ever runs with, so the engine's own context will do. Otherwise
        it gets another one, which only TensorRT 10 and later allow without a profile of its own, if memory is left.
        """
        if shared:
            return Recording(self._bindings[0], shared=True)
        if version_numbers(str(self.trt.__version__)) < (10,):
            return None
        binding = self._new_binding()
        if binding is None:
            return None
        # Only an engine's first context has the profile from the beginning.
        if not binding.context.set_optimization_profile_async(0, self.device.stream.handle):
            self._bindings.remove(binding)
            return None
        return Recording(binding, shared=False)

    def run(
        self, addresses: Mapping[str, int], shapes: Mapping[str, Shape], recording: Recording | None = None
    ) -> None:
        """Enqueue it. addresses: of every tensor. shapes: of every input.

        recording: of exactly these addresses and shapes; its first run is plain, and captured once more for all later
        ones. Without one, or where nothing can be captured, each run is plain.
        """
        if recording is None:
            self._enqueue(self._bindings[0], addresses, shapes)
        elif recording.work is not None:
            recording.work.launch()
        else:
            self._enqueue(recording.binding, addresses, shapes)
            if not recording.tried:
                recording.tried = True
                # At once, after a run with just these shapes: TensorRT allocates in the first run after a change.
                self.device.synchronize()
                recording.work = self.device.capture(lambda: self._enqueue(recording.binding, addresses, shapes))
                if recording.work is None and not recording.shared:  # its context was for the graph alone
                    self._bindings.remove(recording.binding)
                    recording.binding = self._bindings[0]

    def close(self) -> None:
        """Let go of contexts and engine, in this order; nothing of theirs may be queued."""
        for binding in self._bindings:
            binding.context = None
        self._bindings.clear()
        self.engine = None

    def _new_binding(self) -> Binding | None:
        context = self.engine.create_execution_context()
        if context is None:
            return None
        self._bindings.append(Binding(context))
        return self._bindings[-1]

    def _enqueue(self, binding: Binding, addresses: Mapping[str, int], shapes: Mapping[str, Shape]) -> None:
        self.logger.forget()
        refused = binding.enqueue(addresses, shapes, self.device.stream.handle)
        if refused is not None:
            said = self.logger.said()
            fault = "cuda" in said.lower()  # of the device, and no fault of the engine
            advice = "start the process again" if fault else "build the engines again with `cmsn build --force`"
            raise BackendError(f"the {self.name} engine {refused}: {said}; {advice}")

    def _tensor(self, name: str) -> Tensor:
        engine, trt = self.engine, self.trt
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        dtype = _DTYPES[engine.get_tensor_dtype(name).name]
        shape = tuple(engine.get_tensor_shape(name))
        if not is_input:
            return Tensor(name, is_input, dtype, shape, None)
        largest = tuple(engine.get_tensor_profile_shape(name, 0)[2]) if -1 in shape else shape
        return Tensor(name, is_input, dtype, shape, largest)
