"""The extractor on ONNX Runtime: chunks of many cameras at once, each with its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.asks import Extract, StepFeatures
from cmsn_runtime.backends.base import own
from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.onnxruntime.session import GraphSession
from cmsn_runtime.backends.onnxruntime.state import OrtState, batch_order, gathered, move_on, new_state
from cmsn_runtime.backends.ports import check_moments, input_name, moment_shape
from cmsn_runtime.closing import Closing
from cmsn_runtime.manifest.contents import StateTensor


class OrtExtractor(Closing):
    """Sequences of asks -> step features; see OnnxRuntimeBackend for the parameters. Raises BackendError.

    input_shape: of one moment, as the graph declares it. providers: what runs it, by ONNX Runtime's names.
    """

    def __init__(self, graph: bytes, states: Sequence[StateTensor], *, threads: int, provider: Provider) -> None:
        self._states = tuple(states)
        self._device = provider.device
        self._session = GraphSession("extractor", graph, threads=threads, provider=provider, states=self._states)
        self._input = input_name(list(self._session.inputs.values()))
        self.input_shape: tuple[int, ...] = moment_shape(self._session.inputs[self._input])
        self.providers = self._session.providers

    def close(self) -> None:
        """Release the session; using it afterwards raises BackendError."""
        self._session.close()

    def new_state(self) -> OrtState:
        """Zeros: the state before the first frame."""
        return new_state(self._states, self._device)

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        """See Backend.extract."""
        for ask in asks:
            check_moments(ask.frames, self._input, self.input_shape)
        given = [own(ask.state, OrtState) for ask in asks]
        order = batch_order(given)
        asks, states = [asks[index] for index in order], [given[index] for index in order]
        feeds: dict[str, npt.NDArray[Any]] = {
            self._input: np.stack([ask.frames for ask in asks]) if len(asks) > 1 else asks[0].frames[None],
            "position": np.array([ask.position for ask in asks], np.int64),
            "length": np.array([ask.length for ask in asks], np.int64),
        }
        # On the CPU plain arrays: binding them had no measurable benefit (6.5 MB at full width).
        features, *following = self._session.run(feeds, gathered(states, self._device))
        move_on(states, following)
        return [features[order.index(index)] for index in range(len(asks))]
