"""Pairs start steps with end steps and computes the pre-score of each pair (paper, sections 3.2 and 3.3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cmsn_runtime.proposing.compiled import compiled
from cmsn_runtime.stages import Stage

_Int32s = npt.NDArray[np.int32]
_Float64s = npt.NDArray[np.float64]


@compiled
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
    start_factors, end_factors = _factors(stages, sequences, decay)
    room = 0
    for row in range(sequences.shape[0]):
        first, after = sequences[row, 0], sequences[row, 1] + 1
        room += int(np.count_nonzero(start_factors[first:after]) * np.count_nonzero(end_factors[first:after]))
    starts = np.empty(room, np.int32)
    ends = np.empty(room, np.int32)
    prescores = np.empty(room, np.float32)
    owners = np.empty(room, np.int32)
    count = 0
    for row in range(sequences.shape[0]):
        last = sequences[row, 1]
        for start in range(sequences[row, 0], last + 1):
            if start_factors[start] == 0.0:
                continue
            has_core = False
            for end in range(start, last + 1):
                has_core |= _is_core(stages[end])
                if not has_core or end_factors[end] == 0.0:
                    continue
                starts[count] = start
                ends[count] = end
                prescores[count] = start_factors[start] * end_factors[end]
                owners[count] = row
                count += 1
    return starts[:count], ends[:count], prescores[:count], owners[:count]


@compiled
def _is_core(stage: int) -> bool:
    return stage == Stage.START or stage == Stage.CONFIRM or stage == Stage.FOLLOW


@compiled
def _factors(stages: npt.NDArray[np.int8], sequences: _Int32s, decay: float) -> tuple[_Float64s, _Float64s]:
    """The factors of equation 1, float64 [n] each; 0 where the step is too far away, or not a start (an end)."""
    start_factors = np.zeros(stages.size)
    end_factors = np.zeros(stages.size)
    for row in range(sequences.shape[0]):
        start_anchor, end_anchor = sequences[row, 2], sequences[row, 3]
        run = sequences[row, 0]
        while run <= sequences[row, 1]:
            after_run = run + 1
            while after_run <= sequences[row, 1] and stages[after_run] == stages[run]:
                after_run += 1
            after_starts, first_end = _split_run(stages[run], run, after_run)
            for step in range(run, after_starts):
                start_factors[step] = max(0.0, 1.0 - abs(step - start_anchor) * decay)
            for step in range(first_end, after_run):
                end_factors[step] = max(0.0, 1.0 - abs(step - end_anchor) * decay)
            run = after_run
    return start_factors, end_factors


@compiled
def _split_run(stage: int, run: int, after_run: int) -> tuple[int, int]:
    """In a run [run, after_run) of one stage, starts are [run, first value), ends [second value, after_run)."""
    if stage == Stage.CONFIRM:
        length = after_run - run
        return run + (length + 1) // 2, run + length // 2
    if stage == Stage.READY or stage == Stage.START:
        return after_run, after_run
    return run, run
