"""One hop of proposal generation, in the two halves that lie before and after the evaluator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmsn_runtime.proposing.candidates import find_candidates
from cmsn_runtime.proposing.roi import roi_indices
from cmsn_runtime.proposing.sequences import find_sequences
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.proposing.suppress import suppress
from cmsn_runtime.stages import STAGE_COUNT, Stage

Cells = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What a window proposes, before it is evaluated.

    stages: int8 [n], decoded. sequences: int32 [m, 4], see `find_sequences`. starts, ends, owners: int32 [K];
    prescores: float32 [K]. left, right: int64 [K, bins], what the evaluator gathers.
    """

    stages: npt.NDArray[np.int8]
    sequences: Cells
    starts: Cells
    ends: Cells
    prescores: npt.NDArray[np.float32]
    owners: Cells
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Proposals that survived, best first. starts, ends (both included), owners: int32 [M]; scores: float64 [M]."""

    starts: Cells
    ends: Cells
    scores: npt.NDArray[np.float64]
    owners: Cells


def propose(
    probabilities: npt.NDArray[np.float32], *, frontier: int, settings: ProposalSettings
) -> Candidates:
    """Stage probabilities [n, 6] of a window -> its candidates. Cells before `frontier` are settled and count as background."""
    stages = probabilities.argmax(axis=1).astype(np.int8)
    stages[: max(0, frontier)] = int(Stage.BACKGROUND)
    sequences = find_sequences(stages)
    starts, ends, prescores, owners = find_candidates(stages, sequences, settings.decay)
    left, right = roi_indices(starts, ends, len(stages), settings.roi_bins)
    return Candidates(stages, sequences, starts, ends, prescores, owners, left, right)


def rank(found: Candidates, tious: npt.NDArray[np.float32] | None, settings: ProposalSettings) -> Ranked:
    """Score = pre-score times predicted tIoU [K] (the pre-score alone where there is no evaluator), then Soft-NMS."""
    scores = found.prescores.astype(np.float64)
    if tious is not None:
        scores *= tious
    order, kept = suppress(found.starts.astype(np.float64), found.ends + 1.0, scores, settings)
    return Ranked(found.starts[order], found.ends[order], kept, found.owners[order])


def warm_up() -> None:
    """Load or compile everything, so that the first hop of a live stream is as fast as the others."""
    settings = ProposalSettings()
    stages = np.array([0, 1, 2, 3, 3, 4, 5, 0])
    found = propose(np.eye(STAGE_COUNT, dtype=np.float32)[stages], frontier=0, settings=settings)
    rank(found, np.ones(len(found.starts), dtype=np.float32), settings)
