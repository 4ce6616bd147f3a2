"""What a camera has on the device: the extractor's states, twice, its newest features and its window of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import prod
from typing import Protocol

from cmsn_runtime.backends.asks import StepFeatures
from cmsn_runtime.backends.base import own
from cmsn_runtime.backends.tensorrt.cuda import Device, DeviceMemory
from cmsn_runtime.backends.tensorrt.engine import Recording, Tensor
from cmsn_runtime.errors import BackendError

FLOAT_BYTES = 4


class StateMemory:
    """Device memory of one extractor state: two sides, one read while the other is written, and the features.

    The captured work of each side lives as long as the memory does, and so outlives the streams that use it in turn.
    """

    def __init__(
        self, device: Device, states: Mapping[str, Tensor], feature_bytes: int, recordings: Sequence[Recording | None]
    ) -> None:
        self.sides = [{name: device.memory(_nbytes(tensor)) for name, tensor in states.items()} for _ in range(2)]
        self.recordings = recordings
        self.features = device.memory(feature_bytes)

    def clear(self) -> None:
        """Zeros: the state before the first frame."""
        for memory in self.sides[0].values():
            memory.clear()

    def free(self) -> None:
        """Give all of it back; nothing of it may be queued."""
        for recording in filter(None, self.recordings):
            recording.forget()
        for memory in (*self.sides[0].values(), *self.sides[1].values(), self.features):
            memory.free()


class DeviceState:
    """The extractor's memory of one camera, on the device. side: which of the two is read next; turn: runs so far."""

    def __init__(self, memory: StateMemory) -> None:
        self.memory = memory
        self.side = 0
        self.turn = 0

    def close(self) -> None:
        """Its memory is used again once nobody holds the state."""


@dataclass(frozen=True, slots=True)
class DeviceFeatures:
    """Some steps of what the last `extract` of a state gave, still on the device; the next one writes over them."""

    state: DeviceState
    turn: int
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin

    def __getitem__(self, part: slice) -> DeviceFeatures:
        begin, end, step = part.indices(len(self))
        if step != 1:
            raise BackendError(f"features on the device are taken in one piece, not with a step of {step}")
        return DeviceFeatures(self.state, self.turn, self.begin + begin, self.begin + max(begin, end))

    def address(self, row_bytes: int) -> int:
        """Where they are. Raises BackendError once they were written over."""
        if self.turn != self.state.turn:
            raise BackendError(
                "these features are gone: the state has moved on; push features into a window before the next extract"
            )
        return self.state.memory.features.address + self.begin * row_bytes


class WindowOwner(Protocol):
    """What a window needs of the backend it belongs to."""

    device: Device

    def working(self) -> AbstractContextManager[None]:
        """Hold the open backend."""
        ...


class DeviceWindow:
    """FeatureWindow protocol over device memory; what it holds always lies in one piece, as in HostWindow.

    version: changes with every push, and no two windows ever have the same.
    """

    _versions = itertools.count(1)

    def __init__(self, owner: WindowOwner, memory: DeviceMemory, steps: int, row_bytes: int) -> None:
        self.memory = memory
        self.version = 0  # of every empty window
        self._owner = owner
        self._steps = steps
        self._row_bytes = row_bytes
        self._begin = self._end = 0

    def __len__(self) -> int:
        return self._end - self._begin

    @property
    def address(self) -> int:
        """Of the oldest step."""
        return self.memory.address + self._begin * self._row_bytes

    @property
    def nbytes(self) -> int:
        """Of all steps it holds."""
        return len(self) * self._row_bytes

    def push(self, features: StepFeatures) -> None:
        """Enqueue copies of some features into the window. Raises BackendError for more than its size."""
        count = len(features)
        if count > self._steps:
            raise BackendError(f"{count} steps at once for a window of {self._steps}; push them in smaller parts")
        with self._owner.working():
            source = own(features, DeviceFeatures).address(self._row_bytes)
            if self._end + count > 2 * self._steps:
                self._move_to_front(min(len(self), self._steps - count))
            target = self.memory.address + self._end * self._row_bytes
            self._owner.device.copy(target, source, count * self._row_bytes)
        self._end += count
        self._begin = max(self._begin, self._end - self._steps)
        self.version = next(self._versions)

    def close(self) -> None:
        """Its memory is used again once nobody holds the window."""

    def _move_to_front(self, kept: int) -> None:
        """Copy the newest `kept` steps to the beginning; the memory holds two windows, so the two never overlap."""
        if kept:
            source = self.memory.address + (self._end - kept) * self._row_bytes
            self._owner.device.copy(self.memory.address, source, kept * self._row_bytes)
        self._begin, self._end = 0, kept


def _nbytes(tensor: Tensor) -> int:
    """Of one camera's; the first axis counts cameras."""
    return prod(tensor.shape[1:]) * tensor.dtype.itemsize
