"""Stretches of action, from Ready to Follow, in a row of stages (section 3.2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cmsn_runtime.stages import Stage

_BACKGROUND, _READY, _START = int(Stage.BACKGROUND), int(Stage.READY), int(Stage.START)
_CONFIRM, _END, _FOLLOW = int(Stage.CONFIRM), int(Stage.END), int(Stage.FOLLOW)


@njit(cache=True, nogil=True)
def find_sequences(stages: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """Sequences q_c of a window: int32 [m, 4], rows of first cell, last cell, start anchor, end anchor.

    stages: int8 [n]. A q_c is a longest stretch of non-background, cut where a Follow or End is followed by a Ready or
    Start: there the next action begins. The anchors are the first Start and the last End, from which the pre-score
    counts. Without a Start the action begins at the first cell that is no Ready, without an End it ends at the last one
    that is no Follow (the nearest boundary there is); a stretch of Ready or of Follow alone is anchored at its own ends.
    Any order of stages gives anchors inside the stretch.
    """
    count = len(stages)
    rows = np.empty((count, 4), dtype=np.int32)
    found = 0
    first = -1
    for cell in range(count):
        if stages[cell] == _BACKGROUND:
            continue
        if first < 0:
            first = cell
        after = stages[cell + 1] if cell + 1 < count else _BACKGROUND
        ending = stages[cell] == _FOLLOW or stages[cell] == _END
        if after == _BACKGROUND or (ending and (after == _READY or after == _START)):
            rows[found, 0] = first
            rows[found, 1] = cell
            rows[found, 2] = _start_anchor(stages, first, cell)
            rows[found, 3] = _end_anchor(stages, first, cell)
            found += 1
            first = -1
    return rows[:found]


@njit(cache=True, nogil=True)
def _start_anchor(stages: npt.NDArray[np.int8], first: int, last: int) -> int:
    for cell in range(first, last + 1):
        if stages[cell] == _START:
            return cell
    for cell in range(first, last + 1):
        if stages[cell] != _READY:
            return cell
    return first


@njit(cache=True, nogil=True)
def _end_anchor(stages: npt.NDArray[np.int8], first: int, last: int) -> int:
    for cell in range(last, first - 1, -1):
        if stages[cell] == _END:
            return cell
    for cell in range(last, first - 1, -1):
        if stages[cell] != _FOLLOW:
            return cell
    return last
