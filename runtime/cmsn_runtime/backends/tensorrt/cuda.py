"""CUDA behind a few small classes: a device with its one stream, memory on it, staging buffers, captured graphs."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import BackendError, MissingExtraError

_NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: never waits for the default stream, which torch may be using


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What an engine is tied to. compute_capability: as in "8.7". integrated: CPU and GPU share their memory.

    multiprocessors: tells modules apart that are called the same, such as those of Orin.
    """

    name: str
    compute_capability: str
    multiprocessors: int
    integrated: bool
    total_bytes: int


class Device:
    """A GPU's primary context, which torch uses too, and one stream of our own.

    Everything on it happens inside `with device.current():`, in any thread; Python's lock is not enough, so one thread
    at a time. Raises MissingExtraError without pycuda, BackendError without a driver or a GPU.
    """

    def __init__(self, index: int = 0) -> None:
        self.driver = load_driver()
        self.facts = device_facts(index)
        with _mapped(self.driver, "the primary context cannot be had"):
            self._context = _primary_context(index)
        self._lock = threading.RLock()
        self._graphs = _graph_library()
        with self.current():
            self.stream = self.driver.Stream(_NON_BLOCKING)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Hold the device in this thread. CUDA's errors inside become BackendError."""
        with self._lock, _mapped(self.driver, f"CUDA failed on {self.facts.name}"):
            self._context.push()
            try:
                yield
            except self.driver.MemoryError as error:
                raise BackendError(
                    f"{self.facts.name} has not enough memory ({_line(error)}; {self._free()}); close other programs, "
                    "build engines for fewer cameras, or run with --backend onnxruntime"
                ) from error
            finally:
                self.driver.Context.pop()

    def _free(self) -> str:
        try:
            free, total = self.driver.mem_get_info()
        except self.driver.Error:  # after a fault nothing can be asked any more
            return "how much is free cannot be asked"
        return f"{free / 2**20:.0f} of {total / 2**20:.0f} MiB are free"

    def synchronize(self) -> None:
        """Wait until the stream has done all its work."""
        self.stream.synchronize()

    def memory(self, nbytes: int) -> DeviceMemory:
        """New memory on the device; what is in it means nothing."""
        return DeviceMemory(self, nbytes)

    def staging(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Staging:
        """An array that host and device both reach."""
        return Staging(self, shape, dtype)

    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Enqueue a copy from one address on the device to another."""
        self.driver.memcpy_dtod_async(target, source, nbytes, self.stream)

    def event(self) -> Any:
        """An event that no time is taken of."""
        return self.driver.Event(self.driver.event_flags.DISABLE_TIMING)

    def capture(self, enqueue: Callable[[], None]) -> CapturedWork | None:
        """What `enqueue` puts on the stream as a graph that is launched at once; None where that cannot be done.

        The same work must have run once before: libraries allocate on their first call.
        """
        if self._graphs is None:
            return None
        mode = self._graphs.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        try:
            begun = self._graphs.cuStreamBeginCapture(self.stream.handle, mode)
        except Exception:  # it does not find the driver's library, in a way of its own
            self._graphs = None
            return None
        if int(begun[0]) != 0:
            return None
        refused = False
        try:
            enqueue()
        except BackendError:  # some work cannot be captured, loops for instance; it ran before and will run again
            refused = True
        finally:  # a stream that stays under capture could never be used again
            status, graph = self._graphs.cuStreamEndCapture(self.stream.handle)
        if int(status) != 0:
            return None
        if refused:
            self._graphs.cuGraphDestroy(graph)
            return None
        status, executable = self._graphs.cuGraphInstantiate(graph, 0)
        self._graphs.cuGraphDestroy(graph)
        return CapturedWork(self, self._graphs, executable) if int(status) == 0 else None

    def close(self) -> None:
        """Wait for the stream and let go of it. The primary context stays with the process."""
        with self.current():
            self.stream.synchronize()
            del self.stream


class DeviceMemory:
    """Bytes on the device. address: where; it is aligned to 256 bytes at least. `free` it, or it stays."""

    def __init__(self, device: Device, nbytes: int) -> None:
        self.nbytes = max(1, nbytes)
        self._device = device
        self._allocation = device.driver.mem_alloc(self.nbytes)
        self.address = int(self._allocation)

    def clear(self) -> None:
        """Enqueue zeros."""
        self._device.driver.memset_d8_async(self.address, 0, self.nbytes, self._device.stream)

    def free(self) -> None:
        """Give it back; no queued work may need it."""
        self._allocation.free()


class Staging:
    """An array of page-locked host memory with its counterpart on the device, used again and again.

    host: what the CPU reads and writes. address: what the GPU does.
    Where both share one memory (Jetson) they are the same bytes, and upload and download have nothing to do.
    """

    def __init__(self, device: Device, shape: Sequence[int], dtype: npt.DTypeLike) -> None:
        driver = device.driver
        self._device = device
        self._shared = device.facts.integrated
        flags = driver.host_alloc_flags.DEVICEMAP if self._shared else 0
        self._owner = driver.pagelocked_empty(tuple(shape), np.dtype(dtype), mem_flags=flags)
        self.host: npt.NDArray[Any] = self._owner
        nbytes = int(np.dtype(dtype).itemsize * prod(shape))
        self._memory = None if self._shared else device.memory(nbytes)
        self.address = int(self._owner.base.get_device_pointer()) if self._memory is None else self._memory.address

    def upload(self, count: int | None = None) -> None:
        """Enqueue the way to the device, of all or of the first `count` items along the first axis."""
        if not self._shared:
            self._device.driver.memcpy_htod_async(self.address, self.host[:count], self._device.stream)

    def download(self, count: int | None = None) -> None:
        """Enqueue the way to the host; read it once the stream is synchronised."""
        if not self._shared:
            self._device.driver.memcpy_dtoh_async(self.host[:count], self.address, self._device.stream)

    def free(self) -> None:
        """Give both back; no queued work may need them."""
        if self._memory is not None:
            self._memory.free()
        allocation = self._owner.base
        self.host = self._owner = np.empty(0, np.uint8)
        allocation.free()


class CapturedWork:
    """Work on the stream that is launched at once, with the addresses it was captured with."""

    def __init__(self, device: Device, graphs: Any, executable: Any) -> None:
        self._device = device
        self._graphs = graphs
        self._executable = executable

    def launch(self) -> None:
        """Enqueue it once more."""
        status = self._graphs.cuGraphLaunch(self._executable, self._device.stream.handle)[0]
        if int(status) != 0:
            raise BackendError(f"CUDA could not launch a graph ({status}); start the process again")

    def destroy(self) -> None:
        """Let go of it; it must not be running."""
        self._graphs.cuGraphExecDestroy(self._executable)


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
            f"pycuda is installed but does not load ({_line(error)}); a build that fits this Python, NumPy and CUDA is "
            "needed: pip install --force-reinstall --no-cache-dir pycuda"
        ) from error
    try:
        driver.init()
    except driver.Error as error:
        raise _no_driver(error) from error
    return driver


def device_facts(index: int = 0) -> DeviceFacts:
    """Of a GPU, without touching it. Raises as Device does."""
    driver = load_driver()
    with _mapped(driver, "the GPU does not answer"):
        count = driver.Device.count()
        if index >= count:
            raise BackendError(
                f"the NVIDIA driver finds {count} GPUs, and number {index} was asked for; a GPU is needed; check "
                "`nvidia-smi` and CUDA_VISIBLE_DEVICES, or run with --backend onnxruntime"
            )
        device = driver.Device(index)
        capability = ".".join(str(part) for part in device.compute_capability())
        integrated = bool(device.get_attribute(driver.device_attribute.INTEGRATED))
        multiprocessors = int(device.get_attribute(driver.device_attribute.MULTIPROCESSOR_COUNT))
        return DeviceFacts(device.name(), capability, multiprocessors, integrated, device.total_memory())


@lru_cache(maxsize=8)
def _primary_context(index: int) -> Any:
    """Retained once a process, as torch does; a context that comes and goes takes other people's memory with it."""
    device_facts(index)
    return load_driver().Device(index).retain_primary_context()


# Before the interpreter takes pycuda apart, whose clean-up would complain.
atexit.register(_primary_context.cache_clear)


@contextmanager
def _mapped(driver: Any, what: str) -> Iterator[None]:
    """CUDA's errors inside become BackendError."""
    try:
        yield
    except driver.Error as error:
        raise BackendError(
            f"{what} ({_line(error)}); a working device is needed; look at `nvidia-smi`, start the process again after "
            "a fault, or run with --backend onnxruntime"
        ) from error


def _graph_library() -> Any:
    """cuda-bindings' driver module, which can capture streams; None where it is not installed."""
    try:
        from cuda.bindings import driver  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        return None
    return driver


def _no_driver(error: Exception) -> BackendError:
    return BackendError(
        f"no NVIDIA driver that works ({_line(error)}); the TensorRT backend needs it, and a GPU; install or repair "
        "it (`nvidia-smi` says whether it works), or run with --backend onnxruntime"
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
