"""Windows of step features on the device, and the one buffer in which the engines read them."""

from __future__ import annotations

import itertools
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from cmsn_runtime.backends.asks import StepFeatures
from cmsn_runtime.backends.base import own
from cmsn_runtime.backends.tensorrt.cuda import Device, DeviceMemory
from cmsn_runtime.backends.tensorrt.states import DeviceFeatures
from cmsn_runtime.errors import BackendError


class WindowOwner(Protocol):
    """What a window needs from the backend it belongs to."""

    device: Device

    def working(self) -> AbstractContextManager[None]:
        """Hold the open backend."""
        ...

    def reclaim(self) -> None:
        """Make returned memory usable at once."""
        ...


class DeviceWindow:
    """FeatureWindow protocol over device memory; the steps it holds are always contiguous, as in HostWindow.

    version: changes with every push; no two windows ever have the same.
    """

    _versions = itertools.count(1)

    def __init__(self, owner: WindowOwner, pool: WindowPool, memory: DeviceMemory, steps: int) -> None:
        self.pool = pool
        self.version = 0  # the version of every empty window
        self._owner = owner
        self._memory = memory
        self._steps = steps
        self._begin = self._end = 0
        self._finalizer = weakref.finalize(self, pool.give_back, steps, memory)
        self._finalizer.atexit = False

    def __len__(self) -> int:
        return self._end - self._begin

    @property
    def address(self) -> int:
        """Address of the oldest step. Raises BackendError where the window is closed or empty."""
        self._require_open()
        if not len(self):
            raise BackendError("the window is empty; push step features into it first")
        return self._memory.address + self._begin * self.pool.row_bytes

    def push(self, features: StepFeatures) -> None:
        """Enqueue copies of some features into the window. Raises BackendError for more than its size."""
        count = len(features)
        if count > self._steps:
            raise BackendError(
                f"{count} steps were pushed at once; this window takes {self._steps}; push fewer at once"
            )
        row_bytes = self.pool.row_bytes
        with self._owner.working():
            self._require_open()
            source = own(features, DeviceFeatures).address(row_bytes)
            if self._end + count > 2 * self._steps:
                self._move_to_front(min(len(self), self._steps - count))
            target = self._memory.address + self._end * row_bytes
            self._owner.device.copy(target, source, count * row_bytes)
            self._end += count
            self._begin = max(self._begin, self._end - self._steps)
            self.version = next(self._versions)

    def close(self) -> None:
        """The sequence has ended: free its memory for another camera at once."""
        if self._finalizer.alive:
            self._finalizer()
            self._owner.reclaim()

    def _require_open(self) -> None:
        if not self._finalizer.alive:
            raise BackendError("this window is closed: its sequence has ended; create another with new_window()")

    def _move_to_front(self, kept: int) -> None:
        """Copy the newest `kept` steps to the beginning; the memory holds two windows, so the copies never overlap."""
        row_bytes = self.pool.row_bytes
        if kept:
            source = self._memory.address + (self._end - kept) * row_bytes
            self._owner.device.copy(self._memory.address, source, kept * row_bytes)
        self._begin, self._end = 0, kept


class WindowPool:
    """Memory of windows; the device must be current in every call except `give_back`.

    row_bytes: size of one step. spare: number of pieces of memory, per size, that are kept for the next windows.
    """

    def __init__(self, device: Device, row_bytes: int, *, spare: int) -> None:
        self.row_bytes = row_bytes
        self._device = device
        self._spare = spare
        self._used: set[DeviceMemory] = set()
        self._free: dict[int, list[DeviceMemory]] = {}
        self._returned: deque[tuple[int, DeviceMemory]] = deque()

    def new_window(self, owner: WindowOwner, steps: int) -> DeviceWindow:
        """An empty window."""
        self.reclaim()
        free = self._free.setdefault(steps, [])
        memory = free.pop() if free else self._device.memory(2 * steps * self.row_bytes)
        self._used.add(memory)
        return DeviceWindow(owner, self, memory, steps)

    def reclaim(self) -> None:
        """Keep memory that was given back, up to `spare` pieces; release the rest."""
        while self._returned:
            steps, memory = self._returned.popleft()
            self._used.discard(memory)
            free = self._free.setdefault(steps, [])
            if len(free) < self._spare:
                free.append(memory)
            else:
                memory.free()

    def release(self) -> None:
        """Release everything; windows cannot be used afterwards."""
        for memory in (*self._used, *itertools.chain.from_iterable(self._free.values())):
            memory.free()
        self._used.clear()
        self._free.clear()
        self._returned.clear()

    def give_back(self, steps: int, memory: DeviceMemory) -> None:
        """Give back memory; may be called in any thread, even while another holds the device."""
        self._returned.append((steps, memory))


class HeldWindows:
    """Copies of windows, concatenated: a batch for the stage network, one long window for the evaluator.

    rows: number of steps it holds. Its address never changes, which is what CUDA graphs need.
    """

    def __init__(self, device: Device, row_bytes: int, rows: int) -> None:
        self.rows = rows
        self._device = device
        self._row_bytes = row_bytes
        self._memory = device.memory(rows * row_bytes)
        self._memory.clear()
        self._held: dict[int, int] = {}  # version of a window -> its first row

    @property
    def address(self) -> int:
        """Address of the first row."""
        return self._memory.address

    def hold(self, windows: Sequence[DeviceWindow], *, in_order: bool) -> list[int]:
        """Enqueue copies of the windows, unless they are held -> the first row of each.

        in_order: they must follow one another from the first row on.
        """
        addresses = [window.address for window in windows]
        begins = list(itertools.accumulate((len(window) for window in windows), initial=0))[: len(windows)]
        held = [self._held.get(window.version) for window in windows]
        if None not in held and (not in_order or held == begins):
            return [begin for begin in held if begin is not None]
        self._held = {}
        for window, begin, address in zip(windows, begins, addresses, strict=True):
            nbytes = len(window) * self._row_bytes
            self._device.copy(self._memory.address + begin * self._row_bytes, address, nbytes)
        self._held = {window.version: begin for window, begin in zip(windows, begins, strict=True)}
        return begins

    def release(self) -> None:
        """Release the memory; no queued work may use it."""
        self._memory.free()
