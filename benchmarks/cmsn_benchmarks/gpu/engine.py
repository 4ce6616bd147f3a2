"""One TensorRT engine with memory of its own, for as many cameras as it was built for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy.typing as npt

from cmsn_export.engine_building import BuilderSettings, build_plan
from cmsn_runtime.backends.shapes import Shapes
from cmsn_runtime.backends.tensorrt.cuda import Device, Staging
from cmsn_runtime.backends.tensorrt.engine import Recording, TensorRTEngine
from cmsn_runtime.backends.tensorrt.engine_files import Shape
from cmsn_runtime.backends.tensorrt.library import load_tensorrt, new_logger
from cmsn_runtime.closing import Closing


class LoadedEngine(Closing):
    """An engine, a device with its stream, and what else holds device memory; closed in order.

    outputs: largest shape of every output that `run` is to give.
    """

    def __init__(self, plan: bytes, *, name: str, outputs: Mapping[str, Shape]) -> None:
        self.trt = load_tensorrt()
        self.device = Device()
        self._owned: list[Any] = []
        self._closed = False
        self._runtime: Any = None
        self._last: tuple[dict[str, int], dict[str, Shape]] = ({}, {})
        self._outputs = dict(outputs)
        self._staging: dict[str, Staging] = {}
        logger = new_logger(self.trt)
        self.engine = TensorRTEngine(name, self.device, self.trt, logger)
        self._recordings: list[Recording] = []
        try:
            with self.device.current():
                self._runtime = self.trt.Runtime(logger)
                self.engine.load(self._runtime, plan, command="building it again")
        except BaseException:
            self.close()
            raise

    def own(self, owned: Any) -> Any:
        """Memory to be freed with the engine."""
        self._owned.append(owned)
        return owned

    def recording(self) -> Recording | None:
        """For work that is captured after its first run; its shapes must be the only ones that are run."""
        recording = self.engine.recording(shared=True)
        if recording is not None:
            self._recordings.append(recording)
        return recording

    def run(self, arrays: Mapping[str, npt.NDArray[Any]], shapes: Sequence[Shape]) -> list[npt.NDArray[Any]]:
        """Inputs by name -> the outputs, in the order of `outputs`, which now have these shapes."""
        with self.device.current():
            for name, array in arrays.items():
                staging = self._staged(name)
                staging.host[: array.size] = array.ravel()
                staging.upload(array.size)
            self._last = (
                {name: self._staged(name).address for name in self.engine.tensors},
                {name: tuple(array.shape) for name, array in arrays.items()},
            )
            self.again()
            sizes = dict(zip(self._outputs, shapes, strict=True))
            for name, shape in sizes.items():
                self._staged(name).download(prod(shape))
            self.device.synchronize()
            return [self._staged(name).host[: prod(shape)].reshape(shape).copy() for name, shape in sizes.items()]

    def again(self) -> None:
        """Enqueue the last `run` once more, on what lies on the device; the device must be current."""
        self.engine.run(*self._last)

    def close(self) -> None:
        """Wait for the device and let go of everything; once is enough."""
        if self._closed:
            return
        self._closed = True
        with self.device.current():
            self.device.synchronize()
            for recording in self._recordings:
                recording.forget()
            for owned in reversed(self._owned):
                owned.free()
            self._owned.clear()
            self._staging.clear()
            self.engine.close()
            self._runtime = None
        self.device.close()

    def _staged(self, name: str) -> Staging:
        """Flat, as large as the tensor can be: a smaller shape lies at its beginning without gaps."""
        if name not in self._staging:
            tensor = self.engine.tensors[name]
            largest = tensor.largest if tensor.largest is not None else self._outputs[name]
            self._staging[name] = self.own(self.device.staging((prod(largest),), tensor.dtype))
        return self._staging[name]


def build_and_load(
    onnx: bytes,
    shapes: Shapes,
    *,
    graph: str,
    precision: str,
    outputs: Mapping[str, Shape],
    settings: BuilderSettings | None = None,
) -> LoadedEngine:
    """Build an engine of a graph for these shapes and load it. Raises BackendError as `build_plan` does."""
    trt = load_tensorrt(("tensorrt",))
    plan = build_plan(trt, onnx, shapes, settings or BuilderSettings(), graph=graph, precision=precision)
    return LoadedEngine(plan, name=graph, outputs=outputs)
