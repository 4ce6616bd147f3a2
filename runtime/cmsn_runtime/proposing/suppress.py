"""Soft-NMS over time: Gaussian, linear and greedy (section 3.3; Bodla et al., 2017)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cmsn_runtime.proposing.settings import ProposalSettings

Spans = npt.NDArray[np.float64]
Order = npt.NDArray[np.int64]

_KINDS = {"none": 0, "gaussian": 1, "linear": 2, "greedy": 3}


def suppress(starts: Spans, ends: Spans, scores: Spans, settings: ProposalSettings) -> tuple[Order, Spans]:
    """Rank spans, letting each one weaken those behind it -> their indices and their new scores, best first.

    starts, ends, scores: float64 [K]; spans are [start, end) in any unit. Equal scores keep their order. At most
    `max_proposals` come back, none below `min_score`.
    """
    return soft_nms(
        starts,
        ends,
        scores,
        _KINDS[settings.nms],
        settings.sigma,
        settings.iou_threshold,
        settings.min_score,
        settings.max_proposals,
    )


@njit(cache=True, nogil=True)
def soft_nms(
    starts: Spans,
    ends: Spans,
    scores: Spans,
    kind: int,
    sigma: float,
    iou_threshold: float,
    min_score: float,
    most: int,
) -> tuple[Order, Spans]:
    """Exact Soft-NMS that weakens a span only when its turn seems to come.

    Scores only ever fall, so a score that was not brought up to date is an upper bound. The best bound is taken,
    weakened by those chosen since it was last looked at, and either it still leads or the search goes on. Spans that never
    come near the front are never touched.
    """
    count = len(scores)
    alive = scores.copy()
    caught_up = np.zeros(count, dtype=np.int64)
    order = np.empty(min(most, count), dtype=np.int64)
    final = np.empty(min(most, count), dtype=np.float64)
    chosen = 0
    while chosen < len(order):
        best = 0
        for other in range(1, count):
            if alive[other] > alive[best]:
                best = other
        if alive[best] < min_score or alive[best] <= 0.0:
            break
        if caught_up[best] == chosen:
            order[chosen] = best
            final[chosen] = alive[best]
            alive[best] = -1.0
            chosen += 1
            continue
        for number in range(caught_up[best], chosen):
            winner = order[number]
            alive[best] *= _weight(
                starts[winner], ends[winner], starts[best], ends[best], kind, sigma, iou_threshold
            )
        caught_up[best] = chosen
    return order[:chosen], final[:chosen]


@njit(cache=True, nogil=True)
def _weight(
    start: float,
    end: float,
    other_start: float,
    other_end: float,
    kind: int,
    sigma: float,
    iou_threshold: float,
) -> float:
    """What a chosen span leaves of another one's score."""
    overlap = min(end, other_end) - max(start, other_start)
    if overlap <= 0.0 or kind == 0:
        return 1.0
    iou = overlap / ((end - start) + (other_end - other_start) - overlap)
    if kind == 1:
        return np.exp(-iou * iou / sigma)  # type: ignore[no-any-return]
    if iou <= iou_threshold:
        return 1.0
    return 1.0 - iou if kind == 2 else 0.0
