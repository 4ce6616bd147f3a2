"""Compares an INT8 variant of a bundle with FP32 on whole videos: stages, and recall where there are labels."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cmsn_calibration.seeing import Seen, recall, see_all, stage_agreement
from cmsn_calibration.variant import write_int8_variant
from cmsn_runtime.annotations import VideoAnnotations
from cmsn_runtime.backends.openvino.library import capabilities, is_installed
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.errors import BackendError, BackendWarning
from cmsn_runtime.manifest.quality import Quality

REFERENCE = "onnxruntime"


def int8_backend() -> str:
    """What runs the INT8 graphs here: OpenVINO where it can, for it is the one that is fast."""
    return "openvino-int8" if is_installed() and "INT8" in capabilities() else "onnxruntime-int8"


def _opened(lowered: Path) -> Bundle:
    """With INT8 for certain: where its features are too far away, FP32 would take over with a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", BackendWarning)
        try:
            return open_bundle(lowered, backend=int8_backend())
        except BackendWarning as error:
            raise BackendError(f"the INT8 graph cannot be used: {error}") from error


class Comparison:
    """FP32 on some videos, seen once, to compare INT8 graphs with.

    folder: of the bundle. truth: annotations by the videos' names without suffix; empty without labels. number: N of
    AR@N. progress: called after each video.
    """

    def __init__(
        self,
        folder: Path,
        videos: Sequence[Path],
        truth: Mapping[str, VideoAnnotations],
        *,
        number: int,
        progress: Callable[[], object] = lambda: None,
    ) -> None:
        self._folder, self._videos, self._truth, self._number = folder, videos, truth, number
        with open_bundle(folder, backend=REFERENCE) as bundle:
            self._expected = see_all(bundle, videos, progress)

    def quality(
        self, graph: bytes, *, signal_to_noise: float, progress: Callable[[], object] = lambda: None
    ) -> Quality:
        """Of an extractor in INT8, ONNX bytes. signal_to_noise: of its features, in dB. Raises BackendError."""
        with tempfile.TemporaryDirectory() as temporary:
            lowered = Path(temporary) / "int8.cmsn"
            write_int8_variant(self._folder, graph, out=lowered)
            with _opened(lowered) as bundle:
                found = see_all(bundle, self._videos, progress)
                name = bundle.backend.name
        return self._judged(found, name, signal_to_noise)

    def _judged(self, found: Mapping[str, Seen], backend: str, signal_to_noise: float) -> Quality:
        stages, steps = stage_agreement(found, self._expected)
        labelled = any(self._truth[name].annotations for name in found if name in self._truth)
        return Quality(
            backend=backend,
            videos=len(found),
            steps=steps,
            stages=round(stages, 6),
            signal_to_noise=round(signal_to_noise, 2),
            recall=recall(found, self._expected, self._truth, number=self._number) if labelled else None,
        )
