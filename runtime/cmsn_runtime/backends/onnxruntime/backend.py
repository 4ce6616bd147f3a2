"""The networks on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]

from cmsn_runtime.backends.asks import Evaluate, Extract, Floats, Stages, StepFeatures
from cmsn_runtime.backends.base import Arithmetic, own
from cmsn_runtime.backends.host_window import HostWindow
from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.onnxruntime.scoring import HostScorer
from cmsn_runtime.backends.onnxruntime.session import GraphSession
from cmsn_runtime.backends.onnxruntime.state import OrtState, batch_order, gathered, move_on, new_state
from cmsn_runtime.backends.ports import check_moments, input_name, moment_shape
from cmsn_runtime.backends.threads import usual_threads
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.manifest.contents import FULL_PRECISION, StateTensor


class OnnxRuntimeBackend(Closing):
    """Backend protocol over three ONNX graphs. Streams in several threads may share it.

    graphs: name -> ONNX bytes of `extractor`, `stages` and `evaluator`.
    states: the extractor's, in order; their element types must be those of the graph.
    threads: number per operator, at least 1; see `usual_threads` for the default. They never spin: between two chunks
        of a camera there is nothing to wait for, and spinning took three quarters of all CPU time.
    largest_batch: see Backend; by default the largest that makes the provider faster. Batched results equal those of
        one ask at a time, bit for bit where threads is 1.
    provider: what computes, the CPU by default; on a GPU the extractor's states stay there from chunk to chunk.
    variant: precision of the bundle that the graphs are.
    input_shape (height, width, 3 of a picture; values of a feature row), feature_channels and roi_bins are those that
    the graphs declare.

    Raises BackendError where a graph cannot be loaded or its inputs and outputs are not those of a bundle with these
    states, SettingsError for less than one thread.
    """

    def __init__(
        self,
        graphs: Mapping[str, bytes],
        states: Sequence[StateTensor],
        *,
        threads: int | None = None,
        largest_batch: int | None = None,
        provider: Provider | None = None,
        variant: str = FULL_PRECISION,
    ) -> None:
        for name, value in (("threads", threads), ("largest_batch", largest_batch)):
            if value is not None and value < 1:
                raise SettingsError(f"{name} is {value}; it must be at least 1; omit it for the default")
        self._states = tuple(states)
        provider = provider or Provider()
        provider.prepare()
        self._device = provider.device
        threads = threads or usual_threads(len(graphs["extractor"]))
        self._extractor = GraphSession(
            "extractor", graphs["extractor"], threads=threads, provider=provider, states=self._states
        )
        self._scorer = HostScorer(graphs, threads=threads, provider=provider)
        self.largest_batch = largest_batch or provider.largest_batch
        self.chunk_frames = provider.chunk_frames
        self._input = input_name(list(self._extractor.inputs.values()))
        self.input_shape: tuple[int, ...] = moment_shape(self._extractor.inputs[self._input])
        self.feature_channels = self._scorer.feature_channels
        self.roi_bins = self._scorer.roi_bins
        on_cpu = provider.device is None
        self.arithmetic = Arithmetic(
            library="onnxruntime",
            device="cpu" if on_cpu else "cuda",
            variant=variant,
            threads=threads if on_cpu else None,
        )
        self.name = f"ONNX Runtime {onnxruntime.__version__} ({', '.join(self._extractor.providers)})"

    def close(self) -> None:
        """Release the sessions; using the backend afterwards raises BackendError."""
        self._extractor.close()
        self._scorer.close()

    def new_state(self) -> OrtState:
        """Zeros: the state before the first frame."""
        return new_state(self._states, self._device)

    def new_window(self, steps: int) -> HostWindow:
        """See Backend.new_window."""
        return HostWindow(steps)

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
        features, *following = self._extractor.run(feeds, gathered(states, self._device))
        move_on(states, following)
        return [features[order.index(index)] for index in range(len(asks))]

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """See Backend.stages."""
        return self._scorer.stages(asks)

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """See Backend.evaluate."""
        return self._scorer.evaluate(asks)
