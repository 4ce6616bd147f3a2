"""Older ways to propose from the same stage scores: baselines for the six stages and the PES."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.proposing.suppress import suppress
from cmsn_runtime.stages import Stage

Spans = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float64]

_INSIDE = (Stage.START, Stage.CONFIRM, Stage.END)
_LEVELS = np.arange(1, 20) / 20  # 0.05, 0.10 ... 0.95: flood levels, and shares of a merged basin that must be flooded
_NMS = ProposalSettings(nms="greedy", iou_threshold=0.8, min_score=0.0, max_proposals=200)


def actionness(probabilities: npt.NDArray[np.float32]) -> Scores:
    """Stage probabilities [n, 6] -> how likely each step lies inside an action, [n]."""
    inside: Scores = probabilities[:, [int(stage) for stage in _INSIDE]].sum(axis=1).astype(np.float64)
    return inside


def watershed_proposals(scores: Scores) -> Spans:
    """TAG (Zhao et al. 2017): basins of steps above a level, merged while a sufficient share is flooded.

    scores: actionness [n]. Returns spans [K, 2] in steps, each once.
    """
    spans: set[tuple[int, int]] = set()
    for level in _LEVELS:
        above = np.concatenate(([False], scores >= level, [False]))
        starts, ends = np.flatnonzero(~above[:-1] & above[1:]), np.flatnonzero(above[:-1] & ~above[1:])
        for first in range(len(starts)):
            flooded = np.cumsum(ends[first:] - starts[first:])
            shares = flooded / (ends[first:] - starts[first])
            for tau in _LEVELS:
                # Absorb basins until the share of flooded steps would fall below tau.
                fails = np.flatnonzero(shares < tau)
                last = (fails[0] if len(fails) else len(shares)) - 1
                spans.add((int(starts[first]), int(ends[first + last])))
    return np.array(sorted(spans), dtype=np.float64).reshape(-1, 2)


def sliding_windows_of(steps: int, *, shortest: int = 8, scales: int = 12, overlap: float = 0.75) -> Spans:
    """Windows of `scales` lengths, each half as long again as the one before, slid over n steps -> [K, 2]."""
    lengths = np.unique((shortest * 1.5 ** np.arange(scales) / 1.5).round().astype(int))
    spans = [
        (begin, begin + length)
        for length in lengths[lengths <= steps].tolist()
        for begin in range(0, steps - length + 1, max(1, round(length * (1 - overlap))))
    ]
    return np.array(spans, dtype=np.float64).reshape(-1, 2)


def contrast(spans: Spans, scores: Scores) -> Scores:
    """Mean actionness inside each span, minus half that of its two flanks, each half as long as the span -> [K].

    A plain mean would prefer the most confident step alone to the whole action.
    """
    total = np.concatenate(([0.0], np.cumsum(scores)))
    starts, ends = spans[:, 0].astype(int), spans[:, 1].astype(int)
    flank = np.maximum(1, (ends - starts) // 2)

    def mean(begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> Scores:
        begin, end = np.clip(begin, 0, len(scores)), np.clip(end, 0, len(scores))
        means: Scores = (total[end] - total[begin]) / np.maximum(1, end - begin)
        return means

    return mean(starts, ends) - (mean(starts - flank, starts) + mean(ends, ends + flank)) / 2


def ranked(spans: Spans, scores: Scores) -> Spans:
    """Spans by contrast, best first, after greedy suppression at tIoU 0.8 -> [M, 2] in steps."""
    if not len(spans):
        return spans
    strength = contrast(spans, scores)
    bounds = spans.astype(np.int32)
    order, _ = suppress(bounds[:, 0].copy(), bounds[:, 1].copy(), strength - strength.min() + 1e-6, _NMS)
    return spans[order]
