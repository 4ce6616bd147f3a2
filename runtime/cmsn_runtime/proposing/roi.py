"""Which rows of a sparse maximum table make each bin of the temporal RoI max-pooling (section 3.3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Rows = npt.NDArray[np.int64]


def roi_levels(steps: int) -> int:
    """Levels a table needs for windows of `steps` steps: the longest bin is the whole window."""
    return steps.bit_length()


@njit(cache=True, nogil=True)
def roi_indices(
    starts: npt.NDArray[np.int32], ends: npt.NDArray[np.int32], steps: int, bins: int
) -> tuple[Rows, Rows]:
    """Rows left and right, int64 [K, bins] each: the maximum over a bin is the larger of both rows of the table.

    starts, ends: [K] first and last cell of each span. steps: length of the window. The table, flattened to
    [levels * steps, C], holds in row level * steps + i the maximum over the 2 ** level steps from i on. Bin b of a
    span of N cells covers its cells floor(b * N / bins) to ceil((b + 1) * N / bins), so none is ever empty.
    """
    left = np.empty((len(starts), bins), dtype=np.int64)
    right = np.empty((len(starts), bins), dtype=np.int64)
    for span in range(len(starts)):
        size = ends[span] - starts[span] + 1
        for part in range(bins):
            low = starts[span] + part * size // bins
            high = starts[span] + ((part + 1) * size + bins - 1) // bins
            level = 0
            while 2 << level <= high - low:
                level += 1
            left[span, part] = level * steps + low
            right[span, part] = level * steps + high - (1 << level)
    return left, right
