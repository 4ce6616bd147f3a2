"""One TensorRT engine with its own memory, for the number of cameras it was built for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from cmsn_runtime.backends.shapes import Shape, Shapes
from cmsn_runtime.backends.tensorrt.cuda import Device, DeviceMemory, Staging
from cmsn_runtime.backends.tensorrt.engine import TensorRTEngine
from cmsn_runtime.backends.tensorrt.library import load_tensorrt, new_logger
from cmsn_runtime.backends.tensorrt.recurring import RecurringEngine
from cmsn_runtime.closing import Closing

if TYPE_CHECKING:
    from cmsn_export.engine_building import BuilderSettings

Owned = TypeVar("Owned", DeviceMemory, Staging)


class LoadedEngine(Closing):
    """An engine, a device with its stream, and all other holders of device memory; closed in order.

    outputs: largest shape of every output of `run`. recurring: the engine with CUDA graphs.
    """

    def __init__(self, plan: bytes, *, name: str, outputs: Mapping[str, Shape]) -> None:
        trt = load_tensorrt()
        self.device = Device()
        self._closed = False
        self._resources = ExitStack()  # released in the opposite order
        self._last: tuple[dict[str, int], dict[str, Shape]] = ({}, {})
        self._outputs = dict(outputs)
        self._staging: dict[str, Staging] = {}
        logger = new_logger(trt)
        try:
            with self.device.current():
                runtime, command = trt.Runtime(logger), "building it again"
                self.engine = TensorRTEngine(
                    name, plan, device=self.device, trt=trt, runtime=runtime, logger=logger, command=command
                )
                self._resources.callback(self.engine.close)
                self.recurring = RecurringEngine(self.engine)
                self._resources.callback(self.recurring.close)
        except BaseException:
            self.close()
            raise

    def own(self, owned: Owned) -> Owned:
        """Memory that is freed with the engine."""
        self._resources.callback(owned.free)
        return owned

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
        """Enqueue the last `run` once more, on the inputs on the device; the device must be current."""
        self.engine.enqueue(self.engine.plain, *self._last)

    def close(self) -> None:
        """Wait for the device and release everything; may be called twice."""
        if self._closed:
            return
        self._closed = True
        with self.device.current():
            self.device.synchronize()
            self._resources.close()
            self._staging.clear()
        self.device.close()

    def _staged(self, name: str) -> Staging:
        """A flat buffer of the tensor's largest size: a smaller shape occupies its beginning, without gaps."""
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
    from cmsn_export.engine_building import BuilderSettings, build_plan  # only where an engine is built

    trt = load_tensorrt(("tensorrt",))
    plan = build_plan(trt, onnx, shapes, settings or BuilderSettings(), graph=graph, precision=precision)
    return LoadedEngine(plan, name=graph, outputs=outputs)
