"""Compiles a graph for fixed shapes, or loads it as it was compiled before."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cmsn_runtime.backends.openvino.library import CPU, core, load_openvino
from cmsn_runtime.backends.openvino.memory_layout import keep_states
from cmsn_runtime.backends.openvino.winograd import with_fewer_products
from cmsn_runtime.backends.ports import Port, one_line
from cmsn_runtime.errors import BackendError

_LOCK = ".lock"
_NUMPY_NAMES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "u8": "uint8", "i64": "int64"}


@dataclass(frozen=True, slots=True)
class Compilation:
    """How a graph is compiled.

    device: OpenVINO's name of it. hint: the precision, see Precision.
    threads: number per run. streams: runs at the same time, each with its threads; both of the CPU only.
    winograd: with fewer products, see `with_fewer_products`.
    cache: folder of what was compiled before, which only the user may write; None for none.
    """

    device: str
    hint: str
    threads: int
    streams: int
    winograd: bool
    cache: Path | None

    def options(self) -> dict[str, object]:
        """OpenVINO's properties."""
        options: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self.hint,
        }
        if self.device == CPU:
            options |= {
                "INFERENCE_NUM_THREADS": self.threads * self.streams,
                "NUM_STREAMS": self.streams,
                # Every process would pin its threads to the same first cores.
                "ENABLE_CPU_PINNING": False,
            }
        return options if self.cache is None else {**options, "CACHE_DIR": str(self.cache)}


def read_model(name: str, graph: bytes) -> Any:
    """A graph as OpenVINO's model. Raises BackendError."""
    try:
        return core().read_model(graph)
    except Exception as error:  # RuntimeError, and what pybind11 makes of others
        raise BackendError(
            f"OpenVINO {load_openvino().__version__} cannot load the {name} graph ({one_line(error)}); "
            "an ONNX graph written by `cmsn export` is needed; export the model again"
        ) from error


def ports(items: Sequence[Any]) -> list[Port]:
    """A model's inputs or outputs."""
    return [Port(item.get_any_name(), _numpy_name(item), _shape(item.partial_shape)) for item in items]


def compiled(name: str, model: Any, frames: int, compilation: Compilation) -> Any:
    """The model of an extractor for one camera and so many frames. Raises BackendError."""
    shapes = {
        item.get_any_name(): [
            1 if axis == 0 else frames if side is None else side for axis, side in enumerate(_shape(item.partial_shape))
        ]
        for item in model.inputs
    }
    try:
        model.reshape(shapes)
        if compilation.winograd:
            with_fewer_products(model)
        if compilation.device == CPU:  # it is the CPU that reads channels last
            keep_states(model, compilation.hint)
        with _alone_in(compilation.cache):
            return core().compile_model(model, compilation.device, compilation.options())
    except Exception as error:
        raise BackendError(
            f"OpenVINO {load_openvino().__version__} cannot compile the {name} graph for {frames} frames "
            f"({one_line(error)}); take --backend onnxruntime"
        ) from error


@contextmanager
def _alone_in(cache: Path | None) -> Iterator[None]:
    """One process at a time: of two that write the same blob, OpenVINO fails in one."""
    if cache is None:
        yield
        return
    with (cache / _LOCK).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed, also by the end of the process
        yield


def _numpy_name(item: Any) -> str:
    name: str = item.element_type.get_type_name()
    return _NUMPY_NAMES.get(name, name)


def _shape(shape: Any) -> tuple[int | None, ...]:
    return tuple(None if side.is_dynamic else side.get_length() for side in shape)
