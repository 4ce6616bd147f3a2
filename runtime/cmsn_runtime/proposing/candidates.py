"""Every start of an action with every end of it (section 3.2), and how much the stages speak for the pair (equation 1)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cmsn_runtime.stages import Stage

_READY, _START, _CONFIRM = int(Stage.READY), int(Stage.START), int(Stage.CONFIRM)
_END, _FOLLOW = int(Stage.END), int(Stage.FOLLOW)

Candidates = tuple[
    npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int32]
]


@njit(cache=True, nogil=True)
def find_candidates(
    stages: npt.NDArray[np.int8], sequences: npt.NDArray[np.int32], decay: float
) -> Candidates:
    """Candidates of all sequences: starts, ends (cells, both included), pre-scores, owners (row of `sequences`); [K] each.

    Starts are cells of Ready, Start and the first half of a run of Confirm; ends are cells of the second half of a run
    of Confirm, End and Follow; the middle cell of an odd run is both, so a single cell of Confirm is a proposal too. A
    pair must hold a Start, a Confirm or a Follow. Pre-score = (1 - ds * decay) * (1 - de * decay), each factor
    floored at 0, since two negative ones would multiply to a good score; pairs at 0 can never rank and are left out.
    """
    count = len(stages)
    starts_here, ends_here = _roles(stages)
    # telling[c]: cells of Start, Confirm or Follow before cell c, so that a span is checked by one difference.
    telling = np.zeros(count + 1, dtype=np.int32)
    for cell in range(count):
        stage = stages[cell]
        telling[cell + 1] = telling[cell] + (stage == _START or stage == _CONFIRM or stage == _FOLLOW)
    room = 0
    for row in range(len(sequences)):
        size = sequences[row, 1] - sequences[row, 0] + 1
        room += size * (size + 1) // 2
    starts = np.empty(room, dtype=np.int32)
    ends = np.empty(room, dtype=np.int32)
    prescores = np.empty(room, dtype=np.float32)
    owners = np.empty(room, dtype=np.int32)
    found = 0
    for row in range(len(sequences)):
        first, last, start_anchor, end_anchor = sequences[row]
        for start in range(first, last + 1):
            before = 1.0 - abs(start - start_anchor) * decay
            if not starts_here[start] or before <= 0.0:
                continue
            for end in range(start, last + 1):
                after = 1.0 - abs(end - end_anchor) * decay
                if ends_here[end] and after > 0.0 and telling[end + 1] > telling[start]:
                    starts[found] = start
                    ends[found] = end
                    prescores[found] = before * after
                    owners[found] = row
                    found += 1
    return starts[:found], ends[:found], prescores[:found], owners[:found]


@njit(cache=True, nogil=True)
def _roles(stages: npt.NDArray[np.int8]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which cells may start and which may end a proposal."""
    count = len(stages)
    starts_here = np.zeros(count, dtype=np.bool_)
    ends_here = np.zeros(count, dtype=np.bool_)
    cell = 0
    while cell < count:
        stage = stages[cell]
        if stage != _CONFIRM:
            starts_here[cell] = stage == _READY or stage == _START
            ends_here[cell] = stage == _END or stage == _FOLLOW
            cell += 1
            continue
        run = cell
        while run < count and stages[run] == _CONFIRM:
            run += 1
        half = (run - cell + 1) // 2
        starts_here[cell : cell + half] = True
        ends_here[run - half : run] = True
        cell = run
    return starts_here, ends_here
