"""Pairs start steps with end steps and computes the pre-score of each pair (paper, sections 3.2 and 3.3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cmsn_runtime.kernels.declaring import kernel
from cmsn_runtime.stages import Stage

_Int32s = npt.NDArray[np.int32]
_Float64s = npt.NDArray[np.float64]


def find_candidates(
    stages: npt.NDArray[np.int8], sequences: _Int32s, decay: float
) -> tuple[_Int32s, _Int32s, npt.NDArray[np.float32], _Int32s]:
    """Every span that may hold an action, in order of sequence, start and end.

    stages: int8 [n]. sequences: int32 [m, 4], from find_sequences. decay: `i` of equation 1, per step.
    Returns starts int32 [K], ends int32 [K] (inclusive), prescores float32 [K] and owners int32 [K], the row
    of the sequence each span lies in.

    Starts come from Ready, Start and the first half of Confirm, ends from the second half of Confirm, End and
    Follow. Halves are those of each unbroken run of Confirm; the middle step of an odd run is in both. A span
    may be that one step: as the interval [start, end + 1) it is not empty, and an action so short that it has
    only one Confirm would be missed otherwise. A span holds at least one Start, Confirm or
    Follow, and lies in one sequence, so it holds no Background. Pre-scores follow equation 1 with each factor
    floored at 0; spans of pre-score 0 could never rank and are omitted.
    """
    factors = np.zeros((2, stages.size))
    room = _find_factors(stages, sequences, decay, factors)
    starts, ends, owners = (np.empty(room, np.int32) for _ in range(3))
    prescores = np.empty(room, np.float32)
    count = _pair(stages, sequences, factors, starts, ends, prescores, owners)
    return starts[:count], ends[:count], prescores[:count], owners[:count]


@kernel("int64(int8[::1], int32[:, ::1], float64[:, ::1], int32[::1], int32[::1], float32[::1], int32[::1])")
def _pair(
    stages: npt.NDArray[np.int8],
    sequences: _Int32s,
    factors: _Float64s,
    starts: _Int32s,
    ends: _Int32s,
    prescores: npt.NDArray[np.float32],
    owners: _Int32s,
) -> int:
    """Fill the first rows of the last four -> their number."""
    count = 0
    for row in range(sequences.shape[0]):
        last = sequences[row, 1]
        for start in range(sequences[row, 0], last + 1):
            if factors[0, start] == 0.0:
                continue
            has_core = False
            for end in range(start, last + 1):
                has_core |= _is_core(stages[end])
                if not has_core or factors[1, end] == 0.0:
                    continue
                starts[count] = start
                ends[count] = end
                prescores[count] = factors[0, start] * factors[1, end]
                owners[count] = row
                count += 1
    return count


def _is_core(stage: int) -> bool:
    return stage == Stage.START or stage == Stage.CONFIRM or stage == Stage.FOLLOW


@kernel("int64(int8[::1], int32[:, ::1], float64, float64[:, ::1])")
def _find_factors(stages: npt.NDArray[np.int8], sequences: _Int32s, decay: float, factors: _Float64s) -> int:
    """Set the factors of equation 1, [2, n] of starts and of ends; 0 where the step is too far away, or neither.

    Returns the most spans that there may be.
    """
    room = 0
    for row in range(sequences.shape[0]):
        starts = ends = 0
        start_anchor, end_anchor = sequences[row, 2], sequences[row, 3]
        run = sequences[row, 0]
        while run <= sequences[row, 1]:
            after_run = run + 1
            while after_run <= sequences[row, 1] and stages[after_run] == stages[run]:
                after_run += 1
            after_starts, first_end = _split_run(stages[run], run, after_run)
            for step in range(run, after_starts):
                factors[0, step] = max(0.0, 1.0 - abs(step - start_anchor) * decay)
                starts += factors[0, step] > 0.0
            for step in range(first_end, after_run):
                factors[1, step] = max(0.0, 1.0 - abs(step - end_anchor) * decay)
                ends += factors[1, step] > 0.0
            run = after_run
        room += starts * ends
    return room


def _split_run(stage: int, run: int, after_run: int) -> tuple[int, int]:
    """In a run [run, after_run) of one stage, starts are [run, first value), ends [second value, after_run)."""
    if stage == Stage.CONFIRM:
        length = after_run - run
        return run + (length + 1) // 2, run + length // 2
    if stage == Stage.READY or stage == Stage.START:
        return after_run, after_run
    return run, run
