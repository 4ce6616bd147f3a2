"""Extractor states of cameras in OpenVINO's tensors: a run reads one set and writes the other, without copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cmsn_runtime.backends.openvino.library import load_openvino
from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import StateTensor

_TYPES = {"float32": "f32", "float16": "f16", "int8": "i8"}

# A state's name -> its tensor [1, ...].
Tensors = Mapping[str, Any]


class OpenVinoState:
    """The extractor's memory of one camera: two sets of tensors that change their roles after each run.

    states: the extractor's. The first set is zeros.
    """

    __slots__ = ("_next", "_past")

    def __init__(self, states: Sequence[StateTensor]) -> None:
        self._past: Tensors | None = _tensors(states)
        self._next: Tensors | None = _tensors(states)

    def close(self) -> None:
        """Release it."""
        self._past = self._next = None

    def bindings(self) -> dict[str, Any]:
        """Tensor of each of the graph's names, "past." or "next." before that of the state. Raises BackendError."""
        if self._past is None or self._next is None:
            raise BackendError("this state is closed: its sequence has ended; create another with new_state()")
        past = {f"past.{name}": tensor for name, tensor in self._past.items()}
        return past | {f"next.{name}": tensor for name, tensor in self._next.items()}

    def move_on(self) -> None:
        """Record that a run has written the other set."""
        self._past, self._next = self._next, self._past


def _tensors(states: Sequence[StateTensor]) -> Tensors:
    ov = load_openvino()
    tensors = {}
    for state in states:
        tensors[state.name] = ov.Tensor(getattr(ov.Type, _TYPES[state.dtype]), ov.Shape([1, *state.shape]))
        tensors[state.name].data[...] = 0
    return tensors
