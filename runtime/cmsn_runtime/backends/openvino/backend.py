"""The networks with the extractor, nearly all of the work, on OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnxruntime  # type: ignore[import-untyped]

from cmsn_runtime.backends.asks import Evaluate, Extract, Floats, Stages, StepFeatures
from cmsn_runtime.backends.base import Arithmetic
from cmsn_runtime.backends.host_window import HostWindow
from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.onnxruntime.scoring import HostScorer
from cmsn_runtime.backends.openvino.extracting import OpenVinoExtractor
from cmsn_runtime.backends.openvino.library import version
from cmsn_runtime.backends.openvino.precisions import Precision
from cmsn_runtime.backends.openvino.state import OpenVinoState
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import SettingsError


class OpenVinoBackend(Closing):
    """Backend protocol over three ONNX graphs. Streams in several threads may share it.

    extractor: opened in a precision; closed with the backend.
    graphs: name -> ONNX bytes of `stages` and `evaluator`, which run on ONNX Runtime in FP32: their shapes change from
        hop to hop, and OpenVINO, which prepares each shape anew, takes two to ten times as long.
    device: OpenVINO's name of that of the extractor. threads: number per operator.
    largest_batch: see Backend; a batch runs as so many requests at the same time.
    """

    chunk_frames: int | None = None

    def __init__(
        self,
        extractor: OpenVinoExtractor,
        graphs: Mapping[str, bytes],
        *,
        device: str,
        precision: Precision,
        threads: int,
        largest_batch: int = 1,
    ) -> None:
        if largest_batch < 1:
            raise SettingsError(f"largest_batch is {largest_batch}; it must be at least 1; omit it for the default")
        self.extractor = extractor
        self._scorer = HostScorer(graphs, threads=threads, provider=Provider())
        self.largest_batch = largest_batch
        self.input_shape = extractor.input_shape
        self.feature_channels = self._scorer.feature_channels
        self.roi_bins = self._scorer.roi_bins
        self.arithmetic = Arithmetic(
            library="openvino",
            device=device.lower(),
            variant=precision.variant,
            extractor=precision.float32_as,
            threads=threads,
        )
        self.name = (
            f"OpenVINO {version()} ({device}, {precision.described}; scores: ONNX Runtime {onnxruntime.__version__})"
        )

    def close(self) -> None:
        """Release everything; using the backend afterwards raises BackendError."""
        self.extractor.close()
        self._scorer.close()

    def new_state(self) -> OpenVinoState:
        """Zeros: the state before the first frame."""
        return self.extractor.new_state()

    def new_window(self, steps: int) -> HostWindow:
        """See Backend.new_window."""
        return HostWindow(steps)

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        """See Backend.extract."""
        return list(self.extractor.run(asks))

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """See Backend.stages."""
        return self._scorer.stages(asks)

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """See Backend.evaluate."""
        return self._scorer.evaluate(asks)
