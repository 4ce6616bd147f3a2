"""The networks on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnxruntime  # type: ignore[import-untyped]

from cmsn_runtime.backends.asks import Evaluate, Extract, Floats, Stages, StepFeatures
from cmsn_runtime.backends.base import Arithmetic
from cmsn_runtime.backends.host_window import HostWindow
from cmsn_runtime.backends.onnxruntime.extracting import OrtExtractor
from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.onnxruntime.scoring import HostScorer
from cmsn_runtime.backends.onnxruntime.state import OrtState
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
        provider = provider or Provider()
        provider.prepare()
        threads = threads or usual_threads(len(graphs["extractor"]))
        self._extractor = OrtExtractor(graphs["extractor"], states, threads=threads, provider=provider)
        self._scorer = HostScorer(graphs, threads=threads, provider=provider)
        self.largest_batch = largest_batch or provider.largest_batch
        self.chunk_frames = provider.chunk_frames
        self.input_shape = self._extractor.input_shape
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
        return self._extractor.new_state()

    def new_window(self, steps: int) -> HostWindow:
        """See Backend.new_window."""
        return HostWindow(steps)

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        """See Backend.extract."""
        return self._extractor.extract(asks)

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """See Backend.stages."""
        return self._scorer.stages(asks)

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """See Backend.evaluate."""
        return self._scorer.evaluate(asks)
