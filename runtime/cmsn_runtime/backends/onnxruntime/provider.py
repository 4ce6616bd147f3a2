"""What ONNX Runtime computes with: the CPU, CUDA, or TensorRT inside it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from importlib import import_module
from io import StringIO
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]

from cmsn_runtime.backends.engine_cache import made_folder, require_private
from cmsn_runtime.backends.shapes import Shapes
from cmsn_runtime.errors import BackendError

_NAMES = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_DEVICE_BATCH = 16
_ALIGNMENT = 256  # bytes, as of allocations on a device: kernels read several elements at once
_ELEMENTS: dict[str, Any] = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int8)": np.int8}


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider. shapes: graph -> shapes of its inputs, which `tensorrt` builds its engines for.

    precisions: graph -> its precision; `tensorrt` may use FP16 only in those of "fp16". cache: folder in which it
    keeps its engines, so that only the first start takes minutes; where it cannot be created, every start does. Only
    the user may have write access to it: ONNX Runtime loads its files unchecked.
    """

    kind: Literal["cpu", "cuda", "tensorrt"] = "cpu"
    shapes: Mapping[str, Shapes] = field(default_factory=dict)
    precisions: Mapping[str, str] = field(default_factory=dict)
    cache: Path | None = None

    @property
    def device(self) -> str | None:
        """Device on which the extractor's states stay between two chunks; None for arrays on the host."""
        return None if self.kind == "cpu" else "cuda"

    @property
    def chunk_frames(self) -> int | None:
        """The only chunk, in frames, that the extractor takes; None for any."""
        frames = next(iter(self.shapes.get("extractor", {}).values()), None)
        return None if frames is None else frames[2][1]

    @property
    def most_proposals(self) -> int | None:
        """Number of rows that the evaluator takes at once; None for any."""
        rows = self.shapes.get("evaluator", {}).get("left")
        return None if rows is None else rows[2][0]

    @property
    def largest_batch(self) -> int:
        """Cameras per run: more do not help a CPU (0.73 to 1.1 times as fast); engines have fixed shapes."""
        return _DEVICE_BATCH if self.kind == "cuda" else 1

    def prepare(self) -> None:
        """Load NVIDIA's libraries from where pip installs them, which the system's loader does not search."""
        preload = getattr(onnxruntime, "preload_dlls", None)  # since 1.21
        if self.kind != "cpu" and preload is not None:
            with redirect_stdout(StringIO()):  # it prints what `check` reports
                preload()
        if self.kind == "tensorrt":
            with suppress(ImportError, OSError):
                import_module("tensorrt")

    def listed(self, graph: str) -> list[Any]:
        """The providers for a session of that graph: this one, then those that run what it cannot."""
        if self.kind == "cpu":
            return [_NAMES["cpu"]]
        cuda = (_NAMES["cuda"], {"use_tf32": "0"})  # FP32 means FP32, as in the engines
        if self.kind == "cuda":
            return [cuda, _NAMES["cpu"]]
        return [(_NAMES["tensorrt"], self._tensorrt_options(graph)), cuda, _NAMES["cpu"]]

    def check(self, session: Any, graph: str) -> None:
        """Raise BackendError where the session does not use it: ONNX Runtime falls back to the CPU without an error."""
        wanted, found = _NAMES[self.kind], session.get_providers()
        if wanted in found:
            return
        compiled = wanted in onnxruntime.get_available_providers()
        reason = (
            "its libraries (CUDA, cuDNN, TensorRT) or the driver did not load" if compiled else "it was built without"
        )
        raise BackendError(
            f"ONNX Runtime {onnxruntime.__version__} runs the {graph} graph on {', '.join(found)} and not on {wanted}: "
            f"{reason}; an NVIDIA driver and onnxruntime-gpu instead of onnxruntime are needed: pip uninstall -y "
            "onnxruntime onnxruntime-gpu && pip install 'onnxruntime-gpu[cuda,cudnn]', see docs/gpu-testing.md"
        )

    def _tensorrt_options(self, graph: str) -> dict[str, str]:
        options = {"trt_fp16_enable": "1" if self.precisions.get(graph) == "fp16" else "0"}
        for place, index in (("min", 0), ("opt", 1), ("max", 2)):
            items = (f"{name}:{'x'.join(map(str, shape[index]))}" for name, shape in self.shapes.get(graph, {}).items())
            options[f"trt_profile_{place}_shapes"] = ",".join(items)
        if self.cache is not None and made_folder(self.cache):
            require_private(self.cache)
            options |= {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(self.cache)}
        return options


def has_cuda() -> bool:
    """Whether the installed ONNX Runtime is the one with CUDA."""
    return _NAMES["cuda"] in onnxruntime.get_available_providers()


def on_device(array: npt.NDArray[Any], device: str) -> Any:
    """A copy of an array in a device's memory, as ONNX Runtime's own value."""
    return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), device, 0)


@dataclass(frozen=True, slots=True)
class DevicePart:
    """Some cameras of a value [cameras, ...] on a device, which it keeps alive. address: that of the first camera."""

    value: Any
    address: int
    shape: tuple[int, ...]


def part_of(tensor: Any, begin: int, count: int) -> Any:
    """Neighbouring cameras of an array or a value on a device, without a copy; None where they are not aligned."""
    if isinstance(tensor, np.ndarray):
        return tensor[begin : begin + count]
    cameras, *shape = tensor.shape()
    if cameras == count:
        return tensor
    offset = begin * prod(shape) * np.dtype(_ELEMENTS[tensor.data_type()]).itemsize
    if offset % _ALIGNMENT:
        return None
    return DevicePart(tensor, tensor.data_ptr() + offset, (count, *shape))


def run_bound(session: Any, feeds: Mapping[str, npt.NDArray[Any]], states: Mapping[str, Any], device: str) -> list[Any]:
    """Run a graph whose states are on a device and stay there.

    feeds: arrays by input name. states: values, or parts of some, on the device by input name, "past." and the
    state's name.
    Returns the first output as an array, then the next states on the device, in the order of `states`.
    """
    binding = session.io_binding()
    # Referenced until the run has ended: older releases do not keep the arrays they are bound to alive.
    held = {name: np.ascontiguousarray(array) for name, array in feeds.items()}
    for name, array in held.items():
        binding.bind_cpu_input(name, array)
    for name, value in states.items():
        if isinstance(value, DevicePart):
            kind = _ELEMENTS[value.value.data_type()]
            binding.bind_input(name, device, 0, kind, list(value.shape), value.address)
        else:
            binding.bind_ortvalue_input(name, value)
    first, *following = [item.name for item in session.get_outputs()]
    binding.bind_output(first, "cpu")
    for name in following:
        binding.bind_output(name, device, 0)
    session.run_with_iobinding(binding)
    features, *values = binding.get_outputs()
    return [features.numpy(), *values]
