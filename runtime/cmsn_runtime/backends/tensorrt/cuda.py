"""CUDA in a few small classes: a device with its one stream, memory on it, staging buffers."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.tensorrt.capturing import Capturing
from cmsn_runtime.backends.tensorrt.driver import device_facts, load_driver, mapped, one_line
from cmsn_runtime.errors import BackendError

_NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: never waits for the default stream, which torch may be using


class Device:
    """A GPU's primary context, which torch uses too, and one stream of our own.

    It is used only inside `with device.current():`, by one thread at a time: Python's own lock does not suffice.
    Raises MissingExtraError without pycuda, BackendError without a driver or a GPU.
    """

    def __init__(self, index: int = 0) -> None:
        self.driver = load_driver()
        self.facts = device_facts(index)
        with mapped(self.driver, "the primary context is unavailable"):
            self._context = _primary_context(index)
        self._lock = threading.RLock()
        with self.current():
            self.stream = self.driver.Stream(_NON_BLOCKING)
        self.capturing = Capturing(self.stream)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Hold the device in this thread. CUDA's errors inside become BackendError."""
        with self._lock, mapped(self.driver, f"CUDA failed on {self.facts.name}"):
            self._context.push()
            try:
                yield
            except self.driver.MemoryError as error:
                raise BackendError(
                    f"{self.facts.name} is out of memory ({one_line(error)}; {self._free()}); close other "
                    "programs, build engines for fewer cameras, or run with --backend onnxruntime"
                ) from error
            finally:
                self.driver.Context.pop()

    def _free(self) -> str:
        try:
            free, total = self.driver.mem_get_info()
        except self.driver.Error:  # after a fault the driver does not respond
            return "free memory unknown"
        return f"{free / 2**20:.0f} of {total / 2**20:.0f} MiB free"

    def synchronize(self) -> None:
        """Wait until the stream has done all its work."""
        self.stream.synchronize()

    def memory(self, nbytes: int) -> DeviceMemory:
        """New memory on the device, with undefined content."""
        return DeviceMemory(self, nbytes)

    def staging(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Staging:
        """An array that both host and device can access."""
        return Staging(self, shape, dtype)

    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Enqueue a copy from one address on the device to another."""
        self.driver.memcpy_dtod_async(target, source, nbytes, self.stream)

    def clear(self, address: int, nbytes: int) -> None:
        """Enqueue zeros to an address on the device."""
        self.driver.memset_d8_async(address, 0, nbytes, self.stream)

    def event(self) -> Any:
        """A CUDA event without timing."""
        return self.driver.Event(self.driver.event_flags.DISABLE_TIMING)

    def close(self) -> None:
        """Wait for the stream and release it. The primary context stays with the process."""
        with self.current():
            self.stream.synchronize()
            del self.stream, self.capturing


class DeviceMemory:
    """Memory on the device. address: a multiple of 256. It stays allocated until `free` is called."""

    def __init__(self, device: Device, nbytes: int) -> None:
        self.nbytes = max(1, nbytes)
        self._device = device
        self._allocation = device.driver.mem_alloc(self.nbytes)
        self.address = int(self._allocation)

    def clear(self) -> None:
        """Enqueue zeros."""
        self._device.clear(self.address, self.nbytes)

    def free(self) -> None:
        """Release it; no queued work may use it."""
        self._allocation.free()


class Staging:
    """An array of page-locked host memory with its counterpart on the device, that is reused.

    host: the array for the CPU. address: the address for the GPU.
    Where both share one memory (Jetson) they are the same bytes, and upload and download do nothing.
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
        """Enqueue a copy to the device of all or of the first `count` items along the first axis."""
        if not self._shared:
            self._device.driver.memcpy_htod_async(self.address, self.host[:count], self._device.stream)

    def download(self, count: int | None = None) -> None:
        """Enqueue a copy to the host; read it once the stream is synchronised."""
        if not self._shared:
            self._device.driver.memcpy_dtoh_async(self.host[:count], self.address, self._device.stream)

    def free(self) -> None:
        """Release both; no queued work may use them."""
        if self._memory is not None:
            self._memory.free()
        allocation = self._owner.base
        self.host = self._owner = np.empty(0, np.uint8)
        allocation.free()


@lru_cache(maxsize=8)
def _primary_context(index: int) -> Any:
    """The primary context, retained once per process as torch does: releasing it would free memory of other users."""
    device_facts(index)
    return load_driver().Device(index).retain_primary_context()


# Runs before the interpreter unloads pycuda, whose clean-up would fail otherwise.
atexit.register(_primary_context.cache_clear)
