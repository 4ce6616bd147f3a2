"""Temporal RoI max-pooling as two look-ups per bin, which export as plain gathers (paper, section 3.3)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from cmsn_runtime.kernels.declaring import kernel

_Int64s = npt.NDArray[np.int64]
_ROUNDING = 1e-9  # of steps


def roi_levels(steps: int) -> int:
    """Levels of the sparse table over `steps` feature steps: floor(log2(steps)) + 1, and 1 for none."""
    return max(1, steps.bit_length())


def roi_indices(
    starts: npt.NDArray[np.int32], ends: npt.NDArray[np.int32], steps: int, bins: int, context: float = 0.0
) -> tuple[_Int64s, _Int64s]:
    """Rows of the sparse table for the bins of each span: a bin is max(table[left], table[right]).

    starts, ends: int32 [K], inclusive steps, 0 <= start <= end, start < steps. Returns left, right: int64 [K, bins].
    context: share of a span's length that is also pooled before and after it, at least 0.

    The pooled part of a span of N steps is divided into `bins` equal parts, and a bin covers all the steps its part
    touches: without context [start + floor(b N / bins), start + ceil((b + 1) N / bins)), never empty. A bin beyond the
    window covers the window's first or last step.
    A bin is covered exactly by two power-of-two ranges; that they may overlap does not affect a maximum. Row
    level * steps + i of the table holds the maximum over 2^level steps from i (sparse_max_table).
    """
    left, right = (np.empty((starts.size, bins), np.int64) for _ in range(2))
    longest = int((ends - starts).max(initial=-1)) + 1
    lows, highs, left_offsets, right_offsets = np.empty((4, longest + 1, bins), np.int64)
    levels = np.zeros(steps + 1, np.int64)
    _look_up(starts, ends, float(context), lows, highs, left_offsets, right_offsets, levels, left, right)
    return left, right


@kernel(
    "int64(int32[::1], int32[::1], float64, int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[::1], "
    "int64[:, ::1], int64[:, ::1])"
)
def _look_up(
    starts: npt.NDArray[np.int32],
    ends: npt.NDArray[np.int32],
    context: float,
    lows: _Int64s,
    highs: _Int64s,
    left_offsets: _Int64s,
    right_offsets: _Int64s,
    levels: _Int64s,
    left: _Int64s,
    right: _Int64s,
) -> int:
    """Fill `left` and `right`; the tables between are [longest + 1, bins] each, and `levels`, of zeros, [steps + 1]."""
    steps, bins, longest = levels.size - 1, left.shape[1], lows.shape[0] - 1
    _find_edges(longest, bins, context, lows, highs)
    _find_levels(levels)
    _find_rows(longest, bins, lows, highs, levels, left_offsets, right_offsets)
    for k in range(starts.size):
        length = ends[k] - starts[k] + 1
        if starts[k] + lows[length, 0] >= 0 and starts[k] + highs[length, bins - 1] <= steps:
            for b in range(bins):
                left[k, b] = starts[k] + left_offsets[length, b]
                right[k, b] = starts[k] + right_offsets[length, b]
            continue
        for b in range(bins):
            low = min(max(starts[k] + lows[length, b], 0), steps - 1)
            high = min(max(starts[k] + highs[length, b], low + 1), steps)
            level = levels[high - low]
            left[k, b] = level * steps + low
            right[k, b] = level * steps + high - (1 << level)
    return starts.size


def _find_edges(longest: int, bins: int, context: float, lows: _Int64s, highs: _Int64s) -> None:
    """First step, and step after the last, of each bin of a span that starts at step 0, by its length (from 1)."""
    for length in range(1, longest + 1):
        before = context * length
        part = (length + 2 * before) / bins
        for b in range(bins):
            # An edge that coincides with a step's edge must not cross it by a rounding error.
            lows[length, b] = math.floor(b * part - before + _ROUNDING)
            highs[length, b] = math.ceil((b + 1) * part - before - _ROUNDING)


def _find_levels(levels: _Int64s) -> None:
    """Level at which two look-ups cover a bin, by the bin's width (from 1)."""
    for width in range(2, levels.size):
        levels[width] = levels[width // 2] + 1


def _find_rows(
    longest: int, bins: int, lows: _Int64s, highs: _Int64s, levels: _Int64s, left: _Int64s, right: _Int64s
) -> None:
    """Rows of the table for a span that starts at step 0, by its length, for spans that need no clipping."""
    steps = levels.size - 1
    for length in range(1, longest + 1):
        for b in range(bins):
            level = levels[min(highs[length, b] - lows[length, b], steps)]
            left[length, b] = level * steps + lows[length, b]
            right[length, b] = level * steps + highs[length, b] - (1 << level)


def sparse_max_table(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The table `roi_indices` points into: row level * n + i is max(features[i : i + 2^level]).

    features: float32 [n, C]. Returns float32 [L n, C], L = roi_levels(n). Ranges that would extend past the
    end stop there. This is the definition; the evaluation graph builds the same table from plain operations.
    """
    table = [features]
    for level in range(1, roi_levels(len(features))):
        below, half = table[-1], 1 << (level - 1)
        shifted = np.concatenate([below[half:], below[-half:]])
        table.append(np.maximum(below, shifted))
    return np.concatenate(table)
