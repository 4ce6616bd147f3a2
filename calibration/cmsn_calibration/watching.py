"""Runs an extractor's graph over one camera's frames, and shows the values between its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.onnxruntime.session import opened_session

Values = npt.NDArray[np.float32]


class Watcher:
    """The stream of one camera through an FP32 graph, a chunk at a time, with some of its tensors.

    graph: ONNX bytes of an extractor of pictures. tensors: names of FP32 tensors in it. threads: number per operator.
    Raises BackendError where the graph cannot run.
    """

    def __init__(self, graph: bytes, tensors: Sequence[str], *, threads: int = 1) -> None:
        watched = _with_outputs(graph, tensors)
        self._session = opened_session("extractor", watched, threads, Provider())
        self._outputs = [item.name for item in self._session.get_outputs()]
        self._inputs = {item.name for item in self._session.get_inputs()}
        self._zeros = {
            item.name: np.zeros((1, *item.shape[1:]), np.float32)
            for item in self._session.get_inputs()
            if item.name.startswith("past.")
        }
        self.reset()

    def reset(self) -> None:
        """The next frames are the first ones of a stream."""
        self._states = self._zeros
        self._position = 0

    def run(self, frames: npt.NDArray[np.uint8]) -> Mapping[str, Values]:
        """Uint8 [8 k, height, width, 3] -> the tensors [1, ...] and "features" [1, k, C], by name."""
        counters = {"position": np.array([self._position]), "length": np.array([UNKNOWN_LENGTH])}
        feeds = {name: value for name, value in counters.items() if name in self._inputs}
        outputs = self._session.run(None, {"frames": frames[None], **feeds, **self._states})
        found = dict(zip(self._outputs, outputs, strict=True))
        self._states = {name: found.pop(f"next.{name.removeprefix('past.')}") for name in self._zeros}
        self._position += len(frames)
        return found


def _with_outputs(graph: bytes, tensors: Sequence[str]) -> bytes:
    model = onnx.load_from_string(graph)
    there = {item.name for item in model.graph.output}
    for name in tensors:
        if name not in there:
            model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    watched: bytes = model.SerializeToString()
    return watched
