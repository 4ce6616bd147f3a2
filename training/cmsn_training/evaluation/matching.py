"""How many true segments the first proposals of each video match: the loop that takes most of an evaluation's time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cmsn_runtime.kernels.declaring import kernel

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def count_met(
    spans: Floats, first_span: Counts, truth: Floats, first_true: Counts, taken: Counts, limits: Floats, extra: float
) -> Counts:
    """True segments that are matched at each limit by the first taken[video, point] proposals -> [limits, points].

    spans: [N, 2], truth: [M, 2], all videos one after the other; those of video v begin at first_span[v] and
        first_true[v], [videos + 1]. taken: [videos, points], rising. limits: of tIoU, rising, above 0. extra: as in
        `tiou_matrix`, whose arithmetic this repeats pair by pair, stopping where a segment has reached all limits.
    """
    met = np.zeros((len(limits), taken.shape[1]), np.int64)
    _count(spans, first_span, truth, first_true, taken, limits, extra, met)
    return met


@kernel(
    "int64(float64[:, ::1], int64[::1], float64[:, ::1], int64[::1], int64[:, ::1], float64[::1], float64, "
    "int64[:, ::1])"
)
def _count(
    spans: Floats,
    first_span: Counts,
    truth: Floats,
    first_true: Counts,
    taken: Counts,
    limits: Floats,
    extra: float,
    newly: Counts,
) -> int:
    """Add to `newly`, zeros [limits, points] -> the number of videos."""
    for video in range(len(first_span) - 1):
        begin, points = first_span[video], taken[video]
        for number in range(first_true[video], first_true[video + 1]):
            start, end = truth[number, 0], truth[number, 1]
            length = end - start + extra
            met = 0
            for place in range(begin, first_span[video + 1]):
                overlap = min(spans[place, 1], end) - max(spans[place, 0], start) + extra
                if overlap <= 0.0:
                    continue
                ratio = overlap / ((spans[place, 1] - spans[place, 0] + extra) + length - overlap)
                while met < len(limits) and ratio >= limits[met]:
                    point = _first_at_least(points, place - begin + 1)
                    if point < len(points):
                        newly[met, point] += 1
                    met += 1
                if met == len(limits):
                    break
    for point in range(1, taken.shape[1]):
        for limit in range(len(limits)):
            newly[limit, point] += newly[limit, point - 1]
    return len(first_span) - 1


def _first_at_least(rising: Counts, value: int) -> int:
    """Index of the first that is not less; the number of all where there is none."""
    low, high = 0, len(rising)
    while low < high:
        middle = (low + high) // 2
        if rising[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low
