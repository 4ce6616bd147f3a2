"""Extractor states of cameras on ONNX Runtime: those that ran in one batch are contiguous and remain so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.onnxruntime.provider import on_device, part_of
from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import StateTensor

# Input name ("past." and the state's name) -> its tensor [cameras, ...]: an array, or ONNX Runtime's value (or some
# cameras of one) on a device.
Tensors = dict[str, Any]


class _Group:
    """The states of the cameras that ran in one batch."""

    __slots__ = ("cameras", "tensors")

    def __init__(self, tensors: Tensors, cameras: int) -> None:
        self.tensors = tensors
        self.cameras = cameras


class OrtState:
    """The extractor's memory of one camera: its index in the group of cameras that it last ran with."""

    __slots__ = ("_group", "_slot")

    def __init__(self, group: _Group | None, slot: int) -> None:
        self._group = group
        self._slot = slot

    def close(self) -> None:
        """Release it; the memory is freed once no camera of its group needs it."""
        self._group = None

    @property
    def place(self) -> tuple[_Group, int]:
        """Its group, and its index in the group. Raises BackendError once it is closed."""
        if self._group is None:
            raise BackendError("this state is closed: its sequence has ended; create another with new_state()")
        return self._group, self._slot

    def move(self, group: _Group, slot: int) -> None:
        """Record that its camera ran in another group."""
        self._group, self._slot = group, slot


def new_state(states: Sequence[StateTensor], device: str | None) -> OrtState:
    """Zeros: the state of one camera before its first frame."""
    arrays: Tensors = {f"past.{state.name}": np.zeros((1, *state.shape), state.dtype) for state in states}
    return OrtState(_Group(_placed(arrays, device), 1), 0)


def batch_order(states: Sequence[OrtState]) -> list[int]:
    """Indices of the states, ordered so that cameras that last ran together are neighbours.

    Raises BackendError for a state that is closed or occurs twice.
    """
    if len({id(state) for state in states}) < len(states):
        raise BackendError("one state occurs twice in a batch; each camera needs a state of its own")
    places = [state.place for state in states]
    groups: dict[int, int] = {}
    for group, _ in places:
        groups.setdefault(id(group), len(groups))
    return sorted(range(len(states)), key=lambda index: (groups[id(places[index][0])], places[index][1]))


def gathered(states: Sequence[OrtState], device: str | None) -> Tensors:
    """The states of a batch of cameras, in the order of `batch_order`.

    Neighbours of one group are used without a copy. Tensors are copied (on a device: through the host, once) only where
    a camera joined, was reset, or is missing between others.
    """
    places = [state.place for state in states]
    first, begin = places[0]
    if all(place == (first, begin + index) for index, place in enumerate(places)):
        parts = {name: part_of(tensor, begin, len(places)) for name, tensor in first.tensors.items()}
        if all(part is not None for part in parts.values()):
            return parts
    arrays = {
        name: np.concatenate([_on_host(group.tensors[name])[slot : slot + 1] for group, slot in places])
        for name in first.tensors
    }
    return _placed(arrays, device)


def move_on(states: Sequence[OrtState], following: Sequence[Any]) -> None:
    """The next states [cameras, ...] as the extractor returned them, in the order of the inputs."""
    names = list(states[0].place[0].tensors)
    group = _Group(dict(zip(names, following, strict=True)), len(states))
    for slot, state in enumerate(states):
        state.move(group, slot)


def _placed(arrays: Mapping[str, npt.NDArray[Any]], device: str | None) -> Tensors:
    return dict(arrays) if device is None else {name: on_device(array, device) for name, array in arrays.items()}


def _on_host(tensor: Any) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = tensor if isinstance(tensor, np.ndarray) else tensor.numpy()
    return array
