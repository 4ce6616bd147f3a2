"""Compares other precisions of a bundle with FP32 on whole videos: features, stages, recall by labels."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from cmsn_calibration.probing import Probes
from cmsn_calibration.seeing import Seen, agreement_by_stage, recall, recall_after, recall_at, see_all, stage_agreement
from cmsn_calibration.variant import write_int8_variant
from cmsn_runtime.backends.openvino.library import capabilities, is_installed
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.errors import BackendError, BackendWarning
from cmsn_runtime.manifest.quality import Quality
from cmsn_training.evaluation import Spans

REFERENCE = "onnxruntime"
NUMBER = 10  # N of the AR@N that decides
NUMBERS = (1, 5, NUMBER, 50)


@dataclass(frozen=True, slots=True)
class Compared:
    """quality: for the manifest. by_stage: stage of FP32 -> share of its steps with the same one. recalls: N -> AR@N in
    percent; delays: allowed delay in seconds -> AR@10; both empty without labels.
    """

    quality: Quality
    by_stage: Mapping[str, float]
    recalls: Mapping[int, float]
    delays: Mapping[float, float]


def int8_backend() -> str:
    """What runs the INT8 graphs here: OpenVINO where it can, for it is the one that is fast."""
    return "openvino-int8" if is_installed() and "INT8" in capabilities() else "onnxruntime-int8"


def opened_for_certain(folder: Path, backend: str) -> Bundle:
    """A bundle in that precision: where its features are too far away, FP32 would take over with a warning.

    Raises BackendError.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", BackendWarning)
        try:
            return open_bundle(folder, backend=backend)
        except BackendWarning as error:
            raise BackendError(f"{backend} cannot be used: {error}") from error


class Comparison:
    """FP32 on some videos, seen once, to compare others with.

    folder: of the bundle. truth: video's path -> labels, [G, 2] in seconds. name: of the set, for the manifest.
    progress: called after each video.
    """

    def __init__(
        self,
        folder: Path,
        videos: Sequence[Path],
        truth: Mapping[str, Spans],
        *,
        name: str = "",
        progress: Callable[[], object] = lambda: None,
    ) -> None:
        self._folder, self._videos, self._name = folder, videos, name
        names = {str(video) for video in videos}
        self._truth = {name: spans for name, spans in truth.items() if name in names and len(spans)}
        with open_bundle(folder, backend=REFERENCE) as bundle:
            self._probes = Probes(bundle, videos)
            self._expected = see_all(bundle, videos, progress)
            self.reference = self._compared(bundle, self._expected)

    @property
    def is_labelled(self) -> bool:
        """Whether recall can be measured."""
        return bool(self._truth)

    def __len__(self) -> int:
        return len(self._videos)

    def with_graph(self, graph: bytes, progress: Callable[[], object] = lambda: None) -> Compared:
        """An extractor in INT8, ONNX bytes, on the backend that runs it here. Raises BackendError."""
        with tempfile.TemporaryDirectory() as temporary:
            lowered = Path(temporary) / "int8.cmsn"
            write_int8_variant(self._folder, graph, out=lowered)
            return self.on(lowered, int8_backend(), progress)

    def on(self, folder: Path, backend: str, progress: Callable[[], object] = lambda: None) -> Compared:
        """A bundle on a backend. Raises BackendError."""
        with opened_for_certain(folder, backend) as bundle:
            return self._compared(bundle, see_all(bundle, self._videos, progress))

    def _compared(self, bundle: Bundle, found: Mapping[str, Seen]) -> Compared:
        stages, steps = stage_agreement(found, self._expected)
        quality = Quality(
            backend=bundle.backend.name,
            videos=len(found),
            steps=steps,
            stages=round(stages, 6),
            signal_to_noise=_finite(self._probes.signal_to_noise(bundle.backend)),
            recall=recall(found, self._expected, self._truth, number=NUMBER) if self._truth else None,
            videos_of=self._name,
            measured=datetime.now(timezone.utc).date().isoformat(),
        )
        return Compared(
            quality,
            agreement_by_stage(found, self._expected),
            recall_at(found, self._truth, numbers=NUMBERS),
            recall_after(found, self._truth, number=NUMBER),
        )


_EXACT = 200.0  # dB, beyond float32: stands for no difference, and minus that for features that are not numbers


def _finite(decibels: float) -> float:
    return round(float(np.clip(decibels, -_EXACT, _EXACT)), 2)
