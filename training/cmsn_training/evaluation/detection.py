"""Mean average precision of classified proposals, as THUMOS14's own evaluation computes it.

Each true segment, in order, takes the best unmatched detection that overlaps it by more than the threshold; what is
left is a false positive, unless it overlaps an Ambiguous segment. AP is the sum of the precision at each true positive
over the number of true segments: no interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmsn_runtime.annotations import VideoAnnotations
from cmsn_runtime.errors import SettingsError
from cmsn_training.data.thumos14 import AMBIGUOUS
from cmsn_training.evaluation.tiou import Spans, tiou_matrix


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Detections of one class in one video. spans: [K, 2] seconds. scores: [K]."""

    spans: Spans
    scores: npt.NDArray[np.float64]


def average_precision(
    detections: Mapping[str, Detections], truth: Mapping[str, VideoAnnotations], label: str, *, threshold: float
) -> float:
    """AP of one class, 0..1. detections: video -> of this class. Raises SettingsError where the class has no truth."""
    positives = sum(one.label == label for video in truth.values() for one in video.annotations)
    if not positives:
        raise SettingsError(f"no true segment of {label}; its average precision is not defined")
    verdicts = [
        _judged(detections[name], _segments(truth.get(name), label), _segments(truth.get(name), AMBIGUOUS), threshold)
        for name in sorted(detections)
        if len(detections[name].spans)
    ]
    if not verdicts:
        return 0.0
    scores = np.concatenate([scores for scores, _ in verdicts])
    right = np.concatenate([right for _, right in verdicts])[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return float(precision[right].sum() / positives)


def mean_average_precision(
    detections: Mapping[str, Mapping[str, Detections]],
    truth: Mapping[str, VideoAnnotations],
    *,
    thresholds: Sequence[float],
) -> dict[float, float]:
    """tIoU threshold -> mAP over all classes of the truth but Ambiguous, 0..1.

    detections: class -> video -> what was found. truth: with its Ambiguous segments; the order of a video's segments
        decides which of them takes a detection first. (S-CNN's published figures follow the official files' order; in
        order of time they differ by up to 0.002.)
    """
    labels = sorted({one.label for video in truth.values() for one in video.annotations} - {AMBIGUOUS})
    return {
        threshold: float(
            np.mean([average_precision(detections.get(k, {}), truth, k, threshold=threshold) for k in labels])
        )
        for threshold in thresholds
    }


def _segments(video: VideoAnnotations | None, label: str) -> Spans:
    found = [] if video is None else [(one.start, one.end) for one in video.annotations if one.label == label]
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def _judged(
    found: Detections, segments: Spans, ambiguous: Spans, threshold: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Scores of the detections that count, best first, and whether each is a true positive."""
    order = np.argsort(-found.scores, kind="stable")
    spans, scores = found.spans[order], found.scores[order]
    right = np.zeros(len(spans), dtype=bool)
    overlaps = tiou_matrix(spans, segments)
    for column in overlaps.T:
        free = np.where(right, -1.0, column)
        best = int(free.argmax())
        right[best] |= bool(free[best] > threshold)
    doubtful = (tiou_matrix(spans, ambiguous) > 0).any(axis=1) & ~right
    return scores[~doubtful], right[~doubtful]
