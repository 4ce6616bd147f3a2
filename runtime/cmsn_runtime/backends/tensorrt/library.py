"""The installed TensorRT, of any version: the module, its version, a logger that keeps errors."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from cmsn_runtime.errors import BackendError, MissingExtraError

OLDEST = (8, 6)  # JetPack 6.0; the first with execute_async_v3 and everything else that we use
# `tensorrt_lean` runs only engines that were built version-compatible; it has a tenth of the size.
_RUNTIMES = ("tensorrt", "tensorrt_lean")
# TensorRT 8.6 looks for these libraries and reports their absence as errors; it works without them.
_OPTIONAL_LIBRARIES = ("cudnn", "cublas")


def load_tensorrt(names: tuple[str, ...] = _RUNTIMES) -> Any:
    """The first of these modules that is installed.

    Raises MissingExtraError where none is installed, BackendError where one is broken or older than 8.6.
    """
    broken: list[str] = []
    for name in names:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name == name:
                continue
            broken.append(f"{name}: {error}")
        except (ImportError, OSError) as error:  # one of its libraries is missing, or of another version
            broken.append(f"{name}: {error}")
        else:
            return _checked(module)
    if broken:
        raise BackendError(
            f"TensorRT is installed but does not load ({'; '.join(broken)}); its Python package and its libraries must "
            "have one version; install it again, see docs/jetson.md for Jetson"
        )
    raise MissingExtraError("tensorrt", "tensorrt", "the TensorRT backend")


def version_numbers(version: str) -> tuple[int, ...]:
    """(10, 3, 0, 26) of "10.3.0.26"; it ends at the first part that is not a number."""
    numbers: list[int] = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def new_runtime(trt: Any, logger: Any) -> Any:
    """TensorRT's runtime. Raises BackendError where it cannot start, for instance with a driver that is too old."""
    try:
        runtime = trt.Runtime(logger)
    except TypeError:  # raised by pybind11 for a null pointer
        runtime = None
    if runtime is None or logger.complained():
        raise BackendError(
            f"TensorRT {trt.__version__} cannot start its runtime here ({logger.said()}); it needs a driver that is "
            "not older than the CUDA it was built for; update the driver, or run with --backend onnxruntime"
        )
    return runtime


def new_logger(trt: Any) -> Any:
    """A logger that prints nothing and keeps the last errors.

    `.said()` joins them for a message. `.complained()` reports whether any of them is a fault: the absence of cuDNN or
    cuBLAS before TensorRT 10, which needs neither, is not.
    """
    old = version_numbers(str(trt.__version__)) < (10,)

    class Memory(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self._lines: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self._lines = [*self._lines[-4:], " ".join(message.split())]

        def said(self) -> str:
            return "; ".join(self._lines)[:600] or "TensorRT gave no reason"

        def complained(self) -> bool:
            return any(not (old and _is_optional(line)) for line in self._lines)

        def forget(self) -> None:
            self._lines = []

    return Memory()


def _is_optional(line: str) -> bool:
    return any(name in line.lower() for name in _OPTIONAL_LIBRARIES)


def _checked(module: ModuleType) -> Any:
    if version_numbers(module.__version__)[:2] < OLDEST and "rtx" not in module.__name__:
        raise BackendError(
            f"TensorRT {module.__version__} is installed; {OLDEST[0]}.{OLDEST[1]} or later is needed (JetPack 6.0); "
            "update it, or run with --backend onnxruntime"
        )
    return module
