"""Compares an INT8 extractor with FP32 on whole videos: stages, and recall where there are labels."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cmsn_calibration.seeing import Seen, recall, recall_after, see_all, stage_agreement
from cmsn_calibration.variant import write_int8_variant
from cmsn_runtime.backends.openvino.library import capabilities, is_installed
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.errors import BackendError, BackendWarning
from cmsn_runtime.manifest.quality import Quality
from cmsn_training.evaluation import Spans

REFERENCE = "onnxruntime"


@dataclass(frozen=True, slots=True)
class Compared:
    """quality: for the manifest. delays: allowed delay in seconds -> AR@N in percent, of INT8 and of FP32; empty
    without labels.
    """

    quality: Quality
    delays: Mapping[float, float]
    expected_delays: Mapping[float, float]


def int8_backend() -> str:
    """What runs the INT8 graphs here: OpenVINO where it can, for it is the one that is fast."""
    return "openvino-int8" if is_installed() and "INT8" in capabilities() else "onnxruntime-int8"


def open_int8(folder: Path) -> Bundle:
    """A bundle in INT8 for certain: where its features are too far away, FP32 would take over with a warning.

    Raises BackendError.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", BackendWarning)
        try:
            return open_bundle(folder, backend=int8_backend())
        except BackendWarning as error:
            raise BackendError(f"the INT8 graph cannot be used: {error}") from error


class Comparison:
    """FP32 on some videos, seen once, to compare INT8 graphs with.

    folder: of the bundle. truth: video's path -> labels, [G, 2] in seconds. number: N of AR@N.
    progress: called after each video.
    """

    def __init__(
        self,
        folder: Path,
        videos: Sequence[Path],
        truth: Mapping[str, Spans],
        *,
        number: int,
        progress: Callable[[], object] = lambda: None,
    ) -> None:
        self._folder, self._videos, self._number = folder, videos, number
        names = {str(video) for video in videos}
        self._truth = {name: spans for name, spans in truth.items() if name in names and len(spans)}
        with open_bundle(folder, backend=REFERENCE) as bundle:
            self._expected = see_all(bundle, videos, progress)

    def with_graph(
        self, graph: bytes, *, signal_to_noise: float, progress: Callable[[], object] = lambda: None
    ) -> Compared:
        """An extractor in INT8, ONNX bytes. signal_to_noise: of its features, in dB. Raises BackendError."""
        with tempfile.TemporaryDirectory() as temporary:
            lowered = Path(temporary) / "int8.cmsn"
            write_int8_variant(self._folder, graph, out=lowered)
            with open_int8(lowered) as bundle:
                found, name = see_all(bundle, self._videos, progress), bundle.backend.name
        return Compared(
            self._quality(found, name, signal_to_noise),
            *(recall_after(each, self._truth, number=self._number) for each in (found, self._expected)),
        )

    def _quality(self, found: Mapping[str, Seen], backend: str, signal_to_noise: float) -> Quality:
        stages, steps = stage_agreement(found, self._expected)
        return Quality(
            backend=backend,
            videos=len(found),
            steps=steps,
            stages=round(stages, 6),
            signal_to_noise=round(signal_to_noise, 2),
            recall=recall(found, self._expected, self._truth, number=self._number) if self._truth else None,
        )
