"""NVIDIA's driver through pycuda: loading it, the properties of a GPU, its errors as BackendError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cmsn_runtime.errors import BackendError, MissingExtraError


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What an engine is tied to. compute_capability: as in "8.7". integrated: CPU and GPU share their memory.

    multiprocessors: distinguishes modules of one name, such as those of Orin.
    """

    name: str
    compute_capability: str
    multiprocessors: int
    integrated: bool


def load_driver() -> Any:
    """pycuda.driver, initialised. Raises MissingExtraError without pycuda, BackendError without a driver."""
    try:
        import pycuda  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("pycuda", "tensorrt", "the TensorRT backend") from error
    try:
        import pycuda.driver as driver  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        if "libcuda." in str(error):
            raise _no_driver(error) from error
        raise BackendError(
            f"pycuda is installed but does not load ({one_line(error)}); a build for this Python, NumPy and CUDA is "
            "needed: pip install --force-reinstall --no-cache-dir pycuda"
        ) from error
    try:
        driver.init()
    except driver.Error as error:
        raise _no_driver(error) from error
    return driver


def device_facts(index: int = 0) -> DeviceFacts:
    """Facts of a GPU, without a context on it. Raises as Device does."""
    driver = load_driver()
    with mapped(driver, "the GPU does not respond"):
        count = driver.Device.count()
        if index >= count:
            raise BackendError(
                f"the NVIDIA driver finds {count} GPUs, and GPU {index} was requested; a GPU is needed; check "
                "`nvidia-smi` and CUDA_VISIBLE_DEVICES, or run with --backend onnxruntime"
            )
        device = driver.Device(index)
        capability = ".".join(str(part) for part in device.compute_capability())
        integrated = bool(device.get_attribute(driver.device_attribute.INTEGRATED))
        multiprocessors = int(device.get_attribute(driver.device_attribute.MULTIPROCESSOR_COUNT))
        return DeviceFacts(device.name(), capability, multiprocessors, integrated)


@contextmanager
def mapped(driver: Any, what: str) -> Iterator[None]:
    """CUDA's errors inside become BackendError."""
    try:
        yield
    except driver.Error as error:
        raise BackendError(
            f"{what} ({one_line(error)}); a working device is needed; check `nvidia-smi`, restart the process "
            "after a fault, or run with --backend onnxruntime"
        ) from error


def _no_driver(error: Exception) -> BackendError:
    return BackendError(
        f"there is no working NVIDIA driver ({one_line(error)}); the TensorRT backend needs one, and a GPU; install or "
        "repair it (`nvidia-smi` shows whether it works), or run with --backend onnxruntime"
    )


def one_line(error: Exception) -> str:
    """An error's message in one line, truncated to 200 characters."""
    return " ".join(str(error).split())[:200] or type(error).__name__
