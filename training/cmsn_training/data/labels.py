"""Stage labels on the feature grid, from annotated segments (sections 3.1 and 3.4)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cmsn_runtime.stages import Stage

# (stage, begin, end) as fractions of the action's length d, measured from its start; the expansion is d/2 each way.
_PARTS = (
    (Stage.READY, -1 / 2, 0.0),
    (Stage.START, 0.0, 1 / 3),
    (Stage.CONFIRM, 1 / 3, 2 / 3),
    (Stage.END, 2 / 3, 1.0),
    (Stage.FOLLOW, 1.0, 3 / 2),
)
_CONTEXT = (Stage.READY, Stage.FOLLOW)


def stage_labels(segments: npt.NDArray[np.floating], times: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Stage of every moment in `times`.

    segments: [K, 2] start and end of each annotated action, seconds. times: [n] seconds, the centre of each
    feature step (the paper samples its frame-level sequence once per sc frames; here, in the middle of them).
    Returns int64 [n]. Where neighbours overlap once expanded: inside (Start, Confirm, End) beats context (Ready,
    Follow) beats Background, and between two of the same rank the action whose boundary is nearer wins; of two
    equally near, the one that begins earlier, and of those the shorter.
    """
    labels = np.full(len(times), int(Stage.BACKGROUND), dtype=np.int64)
    rank = np.zeros(len(times), dtype=np.int64)
    nearest = np.full(len(times), np.inf)
    for start, end in segments[np.lexsort((segments[:, 1], segments[:, 0]))]:
        boundary = np.minimum(np.abs(times - start), np.abs(times - end))
        for stage, begin, stop in _PARTS:
            length = end - start
            inside = (times >= start + begin * length) & (times < start + stop * length)
            own_rank = 1 if stage in _CONTEXT else 2
            wins = inside & ((own_rank > rank) | ((own_rank == rank) & (boundary < nearest)))
            labels[wins], rank[wins], nearest[wins] = int(stage), own_rank, boundary[wins]
    return labels
