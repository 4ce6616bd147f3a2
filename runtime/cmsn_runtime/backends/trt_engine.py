"""One TensorRT engine, ready to put its work on the device's stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cmsn_runtime.backends.cuda import CapturedWork, Device
from cmsn_runtime.backends.engine_files import Shape
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


@dataclass(slots=True)
class Recording:
    """Whether some work was run once, and its graph, if it could be captured. Addresses and shapes must not change."""

    warm: bool = False
    work: CapturedWork | None = None

    def forget(self) -> None:
        """Let go of the graph."""
        if self.work is not None:
            self.work.destroy()
        self.work, self.warm = None, False


@dataclass(slots=True)
class TensorRTEngine:
    """An engine with its execution context, over tensors whose memory belongs to the caller.

    Raises BackendError where TensorRT refuses the plan, or the device has no memory for it.
    """

    name: str
    device: Device
    trt: Any
    logger: Any
    engine: Any = field(init=False, default=None)
    context: Any = field(init=False, default=None)
    tensors: dict[str, Tensor] = field(init=False, default_factory=dict)
    _shapes: dict[str, Shape] = field(init=False, default_factory=dict)
    _addresses: dict[str, int] = field(init=False, default_factory=dict)

    def load(self, runtime: Any, plan: bytes, *, command: str) -> None:
        """Make the engine of its plan. command: what builds it again, for messages."""
        self.logger.forget()
        self.engine = runtime.deserialize_cuda_engine(plan)
        if self.engine is None:
            raise BackendError(
                f"TensorRT {self.trt.__version__} refuses the {self.name} engine ({self.logger.said()}); it must be "
                f"built by this version on this device: {command}"
            )
        self.context = self.engine.create_execution_context()
        if self.context is None:
            raise BackendError(
                f"{self.device.facts.name} has no memory to run the {self.name} engine ({self.logger.said()}); close "
                f"other programs, or build for fewer cameras: {command}"
            )
        names = [self.engine.get_tensor_name(index) for index in range(self.engine.num_io_tensors)]
        self.tensors = {name: self._tensor(name) for name in names}

    def run(
        self, addresses: Mapping[str, int], shapes: Mapping[str, Shape], recording: Recording | None = None
    ) -> None:
        """Enqueue it. addresses: of every tensor. shapes: of every input.

        recording: of exactly these addresses and shapes; the first run is plain, the second is captured as a graph,
        from then on the graph is launched. Without one, or where nothing can be captured, each run is plain.
        """
        if recording is None:
            self._enqueue(addresses, shapes)
        elif recording.work is not None:
            recording.work.launch()
        elif recording.warm and (work := self.device.capture(lambda: self._enqueue(addresses, shapes))) is not None:
            recording.work = work
            work.launch()
        else:
            self._enqueue(addresses, shapes)
            recording.warm = True

    def close(self) -> None:
        """Let go of context and engine, in this order; nothing of theirs may be queued."""
        self.context = None
        self.engine = None

    def _enqueue(self, addresses: Mapping[str, int], shapes: Mapping[str, Shape]) -> None:
        for name, shape in shapes.items():
            if self._shapes.get(name) != shape:
                if not self.context.set_input_shape(name, shape):
                    raise self._refused(
                        f"takes no {name} of shape {list(shape)} (at most {self.tensors[name].largest})"
                    )
                self._shapes[name] = shape
        for name, address in addresses.items():
            if self._addresses.get(name) != address:
                if not self.context.set_tensor_address(name, address):
                    raise self._refused(f"takes no address for {name}")
                self._addresses[name] = address
        if not self.context.execute_async_v3(self.device.stream.handle):
            raise self._refused("did not run")

    def _tensor(self, name: str) -> Tensor:
        engine, trt = self.engine, self.trt
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        dtype = _DTYPES[engine.get_tensor_dtype(name).name]
        largest = tuple(engine.get_tensor_profile_shape(name, 0)[2]) if is_input else None
        return Tensor(name, is_input, dtype, tuple(engine.get_tensor_shape(name)), largest)

    def _refused(self, what: str) -> BackendError:
        return BackendError(
            f"the {self.name} engine {what}: {self.logger.said()}; build the engines again with `cmsn build --force`"
        )
