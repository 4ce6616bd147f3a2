"""Extractor states on the device: cameras occupy slots of racks, whose state tensors [slots, ...] are contiguous.

A batch whose cameras are neighbours in a rack is run in place, without a copy. TensorRT allows that: a tensor's
address may be anywhere in memory if it is a multiple of 256 bytes. Other batches are gathered into buffers of their own
and scattered back, all of it on the device. Either way a run reads one side of the states and writes the other.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cmsn_runtime.backends.tensorrt.cuda import Device, DeviceMemory
from cmsn_runtime.errors import BackendError

ALIGNMENT = 256  # bytes; every address that TensorRT is given is a multiple of it


@dataclass(frozen=True, slots=True)
class StateLayout:
    """Sizes in bytes per camera. states: by the state's name. features: those of the steps of one run."""

    states: Mapping[str, int]
    features: int

    def is_aligned(self, slot: int) -> bool:
        """Whether every tensor may begin at this slot of a rack."""
        return not any(slot * nbytes % ALIGNMENT for nbytes in (*self.states.values(), self.features))


class Rack:
    """Device memory for the states of some cameras, on two sides, and for their newest features.

    free: slots that no camera uses. Raises pycuda's MemoryError, and then leaves nothing allocated.
    """

    def __init__(self, device: Device, layout: StateLayout, slots: int) -> None:
        self.layout = layout
        self.slots = slots
        self.free = set(range(slots))
        sizes = [slots * nbytes for nbytes in (*layout.states.values(), *layout.states.values(), layout.features)]
        self._memories = _allocated(device, sizes)
        count = len(layout.states)
        parts = self._memories[:count], self._memories[count : 2 * count]
        self._sides = tuple(
            {name: memory.address for name, memory in zip(layout.states, part, strict=True)} for part in parts
        )
        self._features = self._memories[-1].address

    def state(self, name: str, side: int, slot: int) -> int:
        """Address of one state of one camera."""
        return self._sides[side][name] + slot * self.layout.states[name]

    def features(self, slot: int) -> int:
        """Address of one camera's features."""
        return self._features + slot * self.layout.features

    def addresses(self, side: int, slot: int) -> dict[str, int]:
        """Addresses of states and features from a slot on, for a run that reads this side and writes the other."""
        names = self.layout.states
        return {
            "features": self.features(slot),
            **{f"past.{name}": self.state(name, side, slot) for name in names},
            **{f"next.{name}": self.state(name, 1 - side, slot) for name in names},
        }

    def release(self) -> None:
        """Release the memory; no queued work may use it."""
        for memory in self._memories:
            memory.free()
        self._memories.clear()


class DeviceState:
    """The extractor's memory of one camera. side: which of the two is read next. turn: runs so far.

    give_back: called once, when it is closed or collected. reclaim: makes returned slots usable at once.
    """

    def __init__(
        self, rack: Rack, slot: int, *, give_back: Callable[[Rack, int], object], reclaim: Callable[[], None]
    ) -> None:
        self.rack = rack
        self.slot = slot
        self.side = 0
        self.turn = 0
        self._reclaim = reclaim
        self._finalizer = weakref.finalize(self, give_back, rack, slot)
        self._finalizer.atexit = False

    @property
    def closed(self) -> bool:
        """Whether its sequence has ended."""
        return not self._finalizer.alive

    def close(self) -> None:
        """The sequence has ended: free its slot for another camera at once."""
        if not self.closed:
            self.turn += 1  # invalidates its features
            self._finalizer()
            self._reclaim()

    def move_on(self) -> None:
        """Record that a run has written the other side."""
        self.side, self.turn = 1 - self.side, self.turn + 1


@dataclass(frozen=True, slots=True)
class DeviceFeatures:
    """Some steps of a camera's features from the last run, still on the device; the next run overwrites them."""

    state: DeviceState
    turn: int
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin

    def __getitem__(self, part: slice) -> DeviceFeatures:
        begin, end, step = part.indices(len(self))
        if step != 1:
            raise BackendError(f"features on the device cannot be sliced with a step of {step}; omit the step")
        return DeviceFeatures(self.state, self.turn, self.begin + begin, self.begin + max(begin, end))

    def address(self, row_bytes: int) -> int:
        """Their address. Raises BackendError once they were overwritten."""
        if self.turn != self.state.turn:
            raise BackendError(
                "these features were overwritten by the next extract; push features into a window before that"
            )
        return self.state.rack.features(self.state.slot) + self.begin * row_bytes


class StatePool:
    """The racks of a backend; the device must be current in every call except `give_back`.

    slots: number per rack. One rack without cameras is kept, so that a reset allocates nothing.
    """

    def __init__(self, device: Device, layout: StateLayout, slots: int) -> None:
        self.layout = layout
        self._device = device
        self._slots = slots
        self._racks: list[Rack] = []
        self._returned: deque[tuple[Rack, int]] = deque()

    def new_state(self, reclaim: Callable[[], None]) -> DeviceState:
        """A state of zeros, in the first free slot: cameras that come and go stay close together."""
        self.reclaim()
        rack = next((rack for rack in self._racks if rack.free), None)
        if rack is None:
            rack = Rack(self._device, self.layout, self._slots)
            self._racks.append(rack)
        slot = min(rack.free)
        for name, nbytes in self.layout.states.items():
            self._device.clear(rack.state(name, 0, slot), nbytes)
        rack.free.discard(slot)
        return DeviceState(rack, slot, give_back=self._give_back, reclaim=reclaim)

    def owns(self, state: DeviceState) -> bool:
        """Whether a state belongs to this pool."""
        return state.rack in self._racks

    def place(self, state: DeviceState) -> tuple[int, int]:
        """Sort key of a state: neighbours follow one another."""
        return self._racks.index(state.rack), state.slot

    def reclaim(self) -> None:
        """Free the slots that were given back; release all racks without cameras but one."""
        while self._returned:
            rack, slot = self._returned.popleft()
            rack.free.add(slot)
        empty = [rack for rack in self._racks if len(rack.free) == rack.slots]
        for rack in empty[1:]:
            self._racks.remove(rack)
            rack.release()

    def release(self) -> None:
        """Release everything; states cannot be used afterwards."""
        for rack in self._racks:
            rack.release()
        self._racks.clear()

    def _give_back(self, rack: Rack, slot: int) -> None:
        """Give back memory; may be called in any thread, even while another holds the device."""
        self._returned.append((rack, slot))


def neighbours(states: Sequence[DeviceState]) -> Iterable[tuple[int, int]]:
    """Index and number of states of each run of neighbours: slots that follow one another in one rack."""
    begin = 0
    for index in range(1, len(states) + 1):
        before = states[index - 1]
        if index < len(states) and (states[index].rack, states[index].slot) == (before.rack, before.slot + 1):
            continue
        yield begin, index - begin
        begin = index


def _allocated(device: Device, sizes: Iterable[int]) -> list[DeviceMemory]:
    memories: list[DeviceMemory] = []
    try:
        for nbytes in sizes:
            memories.append(device.memory(nbytes))
    except BaseException:
        for memory in memories:
            with suppress(device.driver.Error):  # the first fault is the one to report
                memory.free()
        raise
    return memories
