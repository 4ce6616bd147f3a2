"""TensorRT's ways to run a hop of several cameras: states on two sides on the device, with and without CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_benchmarks.device.loaded_engine import LoadedEngine, build_and_load
from cmsn_benchmarks.gpu.inputs import POOL, POSITION, pictures
from cmsn_benchmarks.gpu.timing import Way
from cmsn_export.engine_building import BuilderSettings
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.counters import counters
from cmsn_runtime.backends.shapes import EngineSizes, Shape, engine_shapes
from cmsn_runtime.backends.tensorrt.cuda import DeviceMemory, Staging
from cmsn_runtime.bundle_files import read_graph, read_manifest


class Cameras:
    """The extractor's FP16 engine for exactly `cameras` cameras, and all memory that its hops read and write."""

    def __init__(self, bundle: Path, cameras: int, settings: BuilderSettings) -> None:
        manifest = read_manifest(bundle)
        file = manifest.variant(manifest.gpu_precision).graphs["extractor"]
        self.precision = file.precision
        largest = engine_shapes(manifest, "extractor", EngineSizes(cameras=cameras))
        self.shapes: dict[str, Shape] = {name: sizes[2] for name, sizes in largest.items()}
        # One shape each: kernels are chosen for these very shapes.
        fixed = {name: (shape, shape, shape) for name, shape in self.shapes.items()}
        onnx = read_graph(bundle, file)
        self.engine: LoadedEngine = build_and_load(
            onnx, fixed, graph="extractor", precision=self.precision, outputs={}, settings=settings
        )
        try:
            with self.engine.device.current():
                near = counters(POSITION, UNKNOWN_LENGTH, stride=manifest.grid.stride)
                self._fill(near, cameras, manifest.network.feature_channels)
        except BaseException:
            self.engine.close()
            raise

    def _fill(self, near: tuple[int, int], cameras: int, channels: int) -> None:
        tensors = self.engine.engine.tensors
        self.pool = [self._uploaded(array) for array in pictures(cameras, self.shapes["frames"][1:])]
        self.frames = self._memory(self.pool[0].host.nbytes)
        fixed = {"frames": self.frames.address, "features": self._memory(4 * cameras * channels).address}
        for name, value in zip(("position", "length"), near, strict=True):
            fixed[name] = self._uploaded(np.full(cameras, value, tensors[name].dtype)).address
        states = {name[5:]: tensor for name, tensor in tensors.items() if name.startswith("past.")}
        sides: list[dict[str, int]] = []
        for _ in range(2):
            memories = {
                name: self._memory(prod(self.shapes[tensor.name]) * tensor.dtype.itemsize)
                for name, tensor in states.items()
            }
            for memory in memories.values():
                memory.clear()
            sides.append({name: memory.address for name, memory in memories.items()})
        self.addresses = [
            fixed | {f"past.{n}": a for n, a in past.items()} | {f"next.{n}": a for n, a in following.items()}
            for past, following in (sides, sides[::-1])
        ]
        self.engine.device.synchronize()

    def _memory(self, nbytes: int) -> DeviceMemory:
        memory: DeviceMemory = self.engine.own(self.engine.device.memory(nbytes))
        return memory

    def _uploaded(self, array: npt.NDArray[Any]) -> Staging:
        staging: Staging = self.engine.own(self.engine.device.staging(array.shape, array.dtype))
        staging.host[...] = array
        staging.upload()
        return staging


class TensorRTWay:
    """A hop of some cameras on an engine. graphs: as CUDA graphs, once it was run twice; otherwise plain launches."""

    def __init__(self, name: str, cameras: Cameras, *, graphs: bool) -> None:
        self.name = name
        self._cameras = cameras
        self._graphs = graphs

    @property
    def captured(self) -> bool:
        """Whether both sides have become CUDA graphs."""
        return self._cameras.engine.recurring.graphs == len(self._cameras.addresses)

    def hop(self, turn: int) -> None:
        """See Way.hop."""
        cameras = self._cameras
        device, addresses = cameras.engine.device, cameras.addresses[turn % 2]
        with device.current():
            device.copy(cameras.frames.address, cameras.pool[turn % POOL].address, cameras.frames.nbytes)
            cameras.engine.recurring.run(addresses, cameras.shapes, recurs=self._graphs)

    def wait(self) -> None:
        """See Way.wait."""
        device = self._cameras.engine.device
        with device.current():
            device.synchronize()

    def close(self) -> None:
        """See Way.close; closes the engine, which both ways share."""
        self._cameras.engine.close()


def tensorrt_ways(
    bundle: Path, cameras: int, settings: BuilderSettings, *, tell: Callable[[str], object] = print
) -> Iterator[Way]:
    """Ways with plain launches, and as CUDA graphs where available; otherwise `tell` is called with one line."""
    loaded = Cameras(bundle, cameras, settings)
    label = f"TensorRT {loaded.precision.upper()}"
    yield TensorRTWay(label, loaded, graphs=False)
    captured = TensorRTWay(f"{label}, CUDA graph", loaded, graphs=True)
    for turn in range(4):  # each side twice
        captured.hop(turn)
    captured.wait()
    if captured.captured:
        yield captured
    else:
        tell("CUDA graphs of TensorRT are unavailable: cuda-bindings is not installed, or nothing could be captured")
