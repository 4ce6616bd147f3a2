"""Average recall of ranked proposals (section 5.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Spans = npt.NDArray[np.float64]

TIOU_THRESHOLDS = tuple(np.arange(50, 96, 5) / 100)  # 0.5, 0.55 ... 0.95


def tiou_matrix(spans: Spans, truth: Spans, *, extra: float = 0.0) -> Spans:
    """tIoU of every span [K, 2] with every true segment [G, 2] -> [K, G].

    extra: added to every length and overlap; 1 where spans are in frames and both ends count (THUMOS14's convention).
    """
    overlap = np.minimum(spans[:, None, 1], truth[None, :, 1]) - np.maximum(spans[:, None, 0], truth[None, :, 0])
    overlap = np.maximum(overlap + extra, 0.0)
    lengths = (spans[:, 1] - spans[:, 0] + extra)[:, None] + (truth[:, 1] - truth[:, 0] + extra)[None, :]
    union = lengths - overlap
    # A proposal of no length overlaps nothing, itself included.
    ratios: Spans = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return ratios


def average_recall(
    proposals: Mapping[str, Spans],
    truth: Mapping[str, Spans],
    *,
    per_video: int,
    thresholds: Sequence[float] = TIOU_THRESHOLDS,
) -> float:
    """AR@N in percent: the share of true segments that one of a video's first N proposals matches, over all thresholds.

    proposals: video -> [K, 2], best first. truth: video -> [G, 2]. A video without proposals counts as missed; a list
    shorter than N counts as it is. A proposal may match several true segments, as in the field's evaluators.
    """
    best: list[float] = []
    for video, segments in truth.items():
        spans = proposals.get(video, np.empty((0, 2)))[:per_video]
        best += (tiou_matrix(spans, segments).max(axis=0) if len(spans) else np.zeros(len(segments))).tolist()
    reached = np.array(best)[:, None] >= np.array(thresholds)[None, :]
    return float(100 * reached.mean())


def sliding_windows(duration: float, *, lengths: Sequence[float], overlap: float = 0.5) -> Spans:
    """The oldest baseline: windows of fixed lengths in seconds slid over a video -> [K, 2], in order of time."""
    spans = [
        (begin, min(begin + length, duration))
        for length in lengths
        for begin in np.arange(0.0, max(duration - length, 0.0) + 1e-9, length * (1 - overlap))
    ]
    return np.array(sorted(spans)).reshape(-1, 2)
