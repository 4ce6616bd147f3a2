"""Temporal RoI max-pooling as two look-ups a bin, which export as plain gathers (paper, section 3.3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cmsn_runtime.proposing.compiled import compiled

_Int64s = npt.NDArray[np.int64]


@compiled
def roi_levels(steps: int) -> int:
    """Levels of the sparse table over `steps` feature steps: floor(log2(steps)) + 1, and 1 for none."""
    levels = 1
    while (1 << levels) <= steps:
        levels += 1
    return levels


@compiled
def roi_indices(
    starts: npt.NDArray[np.int32], ends: npt.NDArray[np.int32], steps: int, bins: int
) -> tuple[_Int64s, _Int64s]:
    """Where in the sparse table the bins of each span lie: a bin is max(table[left], table[right]).

    starts, ends: int32 [K], inclusive steps, 0 <= start <= end < steps. Returns left, right: int64 [K, bins].

    Bin b of a span of N steps covers [start + floor(b N / bins), start + ceil((b + 1) N / bins)): never none.
    Two power-of-two stretches that may overlap cover it exactly, which a maximum does not mind: row
    level * steps + i of the table holds the maximum over 2^level steps from i (sparse_max_table).
    """
    left = np.empty((starts.size, bins), np.int64)
    right = np.empty((starts.size, bins), np.int64)
    longest = 0
    for k in range(starts.size):
        longest = max(longest, ends[k] - starts[k] + 1)
    left_offsets, right_offsets = _offsets(longest, steps, bins)
    for k in range(starts.size):
        length = ends[k] - starts[k] + 1
        for b in range(bins):
            left[k, b] = starts[k] + left_offsets[length, b]
            right[k, b] = starts[k] + right_offsets[length, b]
    return left, right


@compiled
def _offsets(longest: int, steps: int, bins: int) -> tuple[_Int64s, _Int64s]:
    """Rows for a span that starts at step 0, by its length: int64 [longest + 1, bins], row 0 unused."""
    left = np.empty((longest + 1, bins), np.int64)
    right = np.empty((longest + 1, bins), np.int64)
    for length in range(1, longest + 1):
        for b in range(bins):
            low = b * length // bins
            high = -(-(b + 1) * length // bins)
            level = roi_levels(high - low) - 1
            left[length, b] = level * steps + low
            right[length, b] = level * steps + high - (1 << level)
    return left, right


def sparse_max_table(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The table `roi_indices` points into: row level * n + i is max(features[i : i + 2^level]).

    features: float32 [n, C]. Returns float32 [L n, C], L = roi_levels(n). Stretches that would run past the
    end stop there. This is the definition; the evaluation graph builds the same table from plain operations.
    """
    table = [features]
    for level in range(1, roi_levels(len(features))):
        below, half = table[-1], 1 << (level - 1)
        shifted = np.concatenate([below[half:], below[-half:]])
        table.append(np.maximum(below, shifted))
    return np.concatenate(table)
