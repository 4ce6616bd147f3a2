"""One TensorRT engine, ready to put its work on the device's stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cmsn_runtime.backends.shapes import Shape
from cmsn_runtime.backends.tensorrt.cuda import Device
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
    """An input or output of an engine. shape: -1 where it is dynamic. largest: an input's largest in the profile."""

    name: str
    is_input: bool
    dtype: np.dtype[Any]
    shape: Shape
    largest: Shape | None


class Binding:
    """An execution context with the shapes and addresses it was last given; TensorRT is given only what changes."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self._shapes: dict[str, Shape] = {}
        self._addresses: dict[str, int] = {}

    def enqueue(self, addresses: Mapping[str, int], shapes: Mapping[str, Shape], stream: int) -> str | None:
        """Enqueue the work on a stream -> what TensorRT refused; None if nothing."""
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


class TensorRTEngine:
    """An engine with its execution contexts, over tensors whose memory belongs to the caller.

    runtime: TensorRT's runtime, created with `logger`, which outlives the engine. command: the command that builds the
    engine again, for messages. plain: the context for work of any shape. tensors: the engine's tensors by name.
    Raises BackendError where TensorRT refuses the plan, or the device lacks memory for it.
    """

    def __init__(
        self, name: str, plan: bytes, *, device: Device, trt: Any, runtime: Any, logger: Any, command: str
    ) -> None:
        self.name = name
        self.device = device
        self.trt = trt
        self._logger = logger
        self._runtime = runtime  # the engine must not outlive it
        logger.forget()
        self.engine = runtime.deserialize_cuda_engine(plan)
        if self.engine is None:
            raise BackendError(
                f"TensorRT {trt.__version__} refuses the {name} engine ({logger.said()}); it must be built with this "
                f"version on this device: {command}"
            )
        context = self.engine.create_execution_context()
        if context is None:
            self.engine = None
            raise BackendError(
                f"{device.facts.name} lacks memory to run the {name} engine ({logger.said()}); close other programs, "
                f"or build for fewer cameras: {command}"
            )
        self.plain = Binding(context)
        self._bindings = [self.plain]
        names = [self.engine.get_tensor_name(index) for index in range(self.engine.num_io_tensors)]
        self.tensors = {tensor: self._tensor(tensor) for tensor in names}

    @property
    def fixed(self) -> bool:
        """Whether each of its inputs has exactly one shape."""
        return not any(tensor.is_input and -1 in tensor.shape for tensor in self.tensors.values())

    def new_binding(self) -> Binding | None:
        """A further context; None where memory is lacking, and before TensorRT 10.

        Only an engine's first context has the profile initially; before 10 no other context may use the same one.
        """
        if version_numbers(str(self.trt.__version__)) < (10,):
            return None
        context = self.engine.create_execution_context()
        if context is None or not context.set_optimization_profile_async(0, self.device.stream.handle):
            return None
        self._bindings.append(Binding(context))
        return self._bindings[-1]

    def release(self, binding: Binding) -> None:
        """Release a context of `new_binding`; none of its work may be queued."""
        self._bindings.remove(binding)
        binding.context = None

    def enqueue(self, binding: Binding, addresses: Mapping[str, int], shapes: Mapping[str, Shape]) -> None:
        """Enqueue one run on the device's stream. addresses: one per tensor. shapes: one per input.

        Raises BackendError.
        """
        self._logger.forget()
        refused = binding.enqueue(addresses, shapes, self.device.stream.handle)
        if refused is not None:
            said = self._logger.said()
            fault = "cuda" in said.lower()  # a fault of the device, not of the engine
            advice = "restart the process" if fault else "build the engines again with `cmsn build --force`"
            raise BackendError(f"the {self.name} engine {refused}: {said}; {advice}")

    def close(self) -> None:
        """Release contexts and engine, in this order; none of their work may be queued."""
        for binding in self._bindings:
            binding.context = None
        self._bindings.clear()
        self.engine = None
        self._runtime = None

    def _tensor(self, name: str) -> Tensor:
        engine, trt = self.engine, self.trt
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        dtype = _DTYPES[engine.get_tensor_dtype(name).name]
        shape = tuple(engine.get_tensor_shape(name))
        if not is_input:
            return Tensor(name, is_input, dtype, shape, None)
        largest = tuple(engine.get_tensor_profile_shape(name, 0)[2]) if -1 in shape else shape
        return Tensor(name, is_input, dtype, shape, largest)
