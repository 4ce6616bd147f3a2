"""Soft-NMS over spans of time: Gaussian, linear, greedy or none (Bodla et al., 2017; paper, section 3.3)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.kernels.declaring import kernel
from cmsn_runtime.proposing.settings import ProposalSettings

_Float64s = npt.NDArray[np.float64]
_Int64s = npt.NDArray[np.int64]

_NONE, _GAUSSIAN, _LINEAR, _GREEDY = range(4)
_KINDS = {"none": _NONE, "gaussian": _GAUSSIAN, "linear": _LINEAR, "greedy": _GREEDY}


def suppress(
    starts: npt.ArrayLike,
    ends: npt.ArrayLike,
    scores: npt.ArrayLike,
    settings: ProposalSettings,
    *,
    owners: npt.ArrayLike | None = None,
) -> tuple[_Int64s, _Float64s]:
    """Keep the best span, lower the scores of those it overlaps, and repeat until no remaining span scores enough.

    starts, ends: [K], spans [start, end) in any unit of time. scores: [K]; those not above 0 are dropped.
    owners: [K], numbers from 0 of the actions that the spans belong to; one action by default.
    Returns order int64 [M], indices of the kept spans, best first, and their lowered scores float64 [M], at most
    settings.max_proposals per owner. Spans of equal score keep their order.

    With u the tIoU with a kept span, a score is multiplied by exp(-u^2 / sigma) (`gaussian`); by 1 - u where
    u > iou_threshold (`linear`); by 0 where u > iou_threshold (`greedy`); by 1 (`none`).
    Raises SettingsError where the arrays differ in length.
    """
    starts, ends, scores = (_as_float64s(values) for values in (starts, ends, scores))
    numbers = np.zeros(scores.size, np.int64) if owners is None else np.array(owners, np.int64, order="C")
    if starts.ndim != 1 or not starts.shape == ends.shape == scores.shape == numbers.shape:
        raise SettingsError(
            f"starts, ends, scores and owners have the shapes {starts.shape}, {ends.shape}, {scores.shape} and "
            f"{numbers.shape}; each must be [K], with the same K"
        )
    order, kept = np.empty(scores.size, np.int64), np.empty(scores.size)
    count = _suppress(
        starts,
        ends,
        scores,
        numbers,
        _KINDS[settings.nms],
        float(settings.sigma),
        float(settings.iou_threshold),
        float(settings.min_score),
        settings.max_proposals,
        np.empty((2, scores.size)),
        np.zeros(numbers.max(initial=-1) + 1, np.int64),
        order,
        kept,
    )
    return order[:count], kept[:count]


def _as_float64s(values: npt.ArrayLike) -> _Float64s:
    # A copy is contiguous.
    return np.array(values, np.float64, order="C")


@kernel(
    "int64(float64[::1], float64[::1], float64[::1], int64[::1], int64, float64, float64, float64, int64, "
    "float64[:, ::1], int64[::1], int64[::1], float64[::1])"
)
def _suppress(
    starts: _Float64s,
    ends: _Float64s,
    scores: _Float64s,
    owners: _Int64s,
    kind: int,
    sigma: float,
    iou_threshold: float,
    min_score: float,
    limit: int,
    room: _Float64s,
    counts: _Int64s,
    order: _Int64s,
    kept: _Float64s,
) -> int:
    """Fill the first of `order` and `kept`, [K] -> their number. room: [2, K]. counts: zeros, one for each owner.

    All kinds of suppression: a product of factors is kept as a sum of penalties, score * exp(-penalty).
    Ranking by log(score) - penalty takes one exponential per kept span instead of one per pair.
    """
    logs, penalties = room[0], room[1]
    for i in range(scores.size):
        logs[i] = math.log(scores[i]) if scores[i] > 0.0 else -math.inf  # -inf: already kept, or never kept
        penalties[i] = 0.0
    last_score = math.inf
    for rank in range(scores.size):
        best = _best(logs, penalties)
        if best < 0:
            return rank
        # Logarithm and exponential may differ by a rounding error: scores must never increase.
        last_score = min(last_score, scores[best] * math.exp(-penalties[best]))
        if last_score < min_score:
            return rank
        order[rank] = best
        kept[rank] = last_score
        logs[best] = -math.inf
        counts[owners[best]] += 1
        if counts[owners[best]] == limit:
            _drop(logs, owners, owners[best])
        if kind == _GAUSSIAN:
            _penalise_gaussian(penalties, starts, ends, best, 1.0 / sigma)
        elif kind != _NONE:
            _penalise_above(penalties, starts, ends, best, iou_threshold, kind == _GREEDY)
    return scores.size


def _drop(logs: _Float64s, owners: _Int64s, owner: int) -> None:
    """Discard the remaining spans of one owner."""
    for i in range(logs.size):
        if owners[i] == owner:
            logs[i] = -math.inf


def _best(logs: _Float64s, penalties: _Float64s) -> int:
    """Index of the first maximum; -1 where all are -inf."""
    best = -1
    greatest = -math.inf
    for i in range(logs.size):
        value = logs[i] - penalties[i]
        if value > greatest:
            best, greatest = i, value
    return best


def _tiou(start: float, end: float, other_start: float, other_end: float) -> float:
    # Conditional expressions, not min and max: those handle NaN, and the loops would not be vectorised.
    later = start if start > other_start else other_start
    earlier = end if end < other_end else other_end
    shared = earlier - later
    union = (end - start) + (other_end - other_start) - shared
    return shared / union if shared > 0.0 else 0.0


def _penalise_gaussian(penalties: _Float64s, starts: _Float64s, ends: _Float64s, kept: int, sharpness: float) -> None:
    start, end = starts[kept], ends[kept]
    for i in range(penalties.size):
        tiou = _tiou(starts[i], ends[i], start, end)
        penalties[i] += tiou * tiou * sharpness


def _penalise_above(
    penalties: _Float64s, starts: _Float64s, ends: _Float64s, kept: int, threshold: float, drop: bool
) -> None:
    start, end = starts[kept], ends[kept]
    for i in range(penalties.size):
        tiou = _tiou(starts[i], ends[i], start, end)
        if tiou > threshold:
            penalties[i] += math.inf if drop or tiou >= 1.0 else -math.log1p(-tiou)
