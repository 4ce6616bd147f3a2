"""Divides a window's stages into sequences from Ready to Follow, and anchors each (paper, section 3.2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cmsn_runtime.kernels.declaring import kernel
from cmsn_runtime.stages import Stage


def find_sequences(stages: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """The sequences `q_c` of a window, in order of time.

    stages: int8 [n], one Stage per step, in any order.
    Returns int32 [m, 4]: first step, last step (inclusive), start anchor, end anchor.

    A sequence is a stretch without Background, cut where End or Follow is directly followed by Ready or
    Start. Equation 1 measures from its first Start and its last End; the paper does not define
    the case where one is missing. Ours, for the start (the end is its mirror image, with End for Start and Follow for
    Ready): the first Confirm that has a Ready somewhere before it; otherwise the first step that is not Ready;
    otherwise the first step. An anchor therefore always lies inside its sequence.
    """
    sequences = np.empty((stages.size, 4), np.int32)
    return sequences[: _find(stages, sequences)]


@kernel("int64(int8[::1], int32[:, ::1])")
def _find(stages: npt.NDArray[np.int8], sequences: npt.NDArray[np.int32]) -> int:
    """Fill the first rows of `sequences`, [n, 4] -> their number."""
    count = 0
    for step in range(stages.size):
        if stages[step] == Stage.BACKGROUND:
            continue
        if step == 0 or stages[step - 1] == Stage.BACKGROUND or _is_cut(stages[step - 1], stages[step]):
            sequences[count, 0] = step
            count += 1
        sequences[count - 1, 1] = step
    for row in range(count):
        first, last = sequences[row, 0], sequences[row, 1]
        sequences[row, 2] = _anchor(stages, first, last, 1, Stage.START, Stage.READY)
        sequences[row, 3] = _anchor(stages, last, first, -1, Stage.END, Stage.FOLLOW)
    return count


def _is_cut(before: int, after: int) -> bool:
    return (before == Stage.END or before == Stage.FOLLOW) and (after == Stage.READY or after == Stage.START)


def _anchor(stages: npt.NDArray[np.int8], outer: int, inner: int, direction: int, boundary: int, context: int) -> int:
    """Walk from the sequence's `outer` step inwards to the first `boundary`, or the best substitute for one."""
    after_context = False
    confirm = -1
    beyond = -1  # the first step that is not context
    for step in range(outer, inner + direction, direction):
        stage = stages[step]
        if stage == boundary:
            return step
        if stage == context:
            after_context = True
        elif beyond < 0:
            beyond = step
        if stage == Stage.CONFIRM and after_context and confirm < 0:
            confirm = step
    if confirm >= 0:
        return confirm
    return beyond if beyond >= 0 else outer
