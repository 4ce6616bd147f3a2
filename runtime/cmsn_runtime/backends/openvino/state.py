"""Extractor states of cameras in OpenVINO's tensors: a run reads one set and writes the other, without copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cmsn_runtime.backends.openvino.library import load_openvino
from cmsn_runtime.errors import BackendError

# A state's name -> its tensor [1, ...].
Tensors = Mapping[str, Any]


class OpenVinoState:
    """The extractor's memory of one camera: two sets of tensors that change their roles after each run.

    model: the compiled extractor, which decides their element types and layouts. The first set is zeros.
    """

    __slots__ = ("_next", "_past")

    def __init__(self, model: Any) -> None:
        self._past: Tensors | None = _tensors(model)
        self._next: Tensors | None = _tensors(model)

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


def _tensors(model: Any) -> Tensors:
    ov = load_openvino()
    tensors = {}
    for port in model.inputs:
        name = port.get_any_name()
        if name.startswith("past."):
            tensor = ov.Tensor(port.element_type, port.shape)
            tensor.data[...] = 0
            tensors[name.removeprefix("past.")] = tensor
    return tensors
