"""One hop of post-processing: from stage probabilities to candidates, from scored candidates to ranked spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.proposing.candidates import find_candidates
from cmsn_runtime.proposing.roi import roi_indices
from cmsn_runtime.proposing.sequences import find_sequences
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.proposing.suppress import suppress
from cmsn_runtime.stages import STAGE_COUNT, Stage


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Every span of a window that may hold an action, unranked; steps count from the window's first.

    stages: int8 [n], the decoded stages (of the decoding with the least Background, see ProposalSettings.background),
        Background before the frontier.
    sequences: int32 [m, 4]: first step, last step (inclusive), start anchor, end anchor.
    starts, ends: int32 [K], inclusive steps. prescores: float32 [K], 0..1, never 0.
    owners: int32 [K], the row of `sequences` each span lies in.
    left, right: int64 [K, bins], rows of the sparse maximum table: the input of the evaluation subnet.
    """

    stages: npt.NDArray[np.int8]
    sequences: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    prescores: npt.NDArray[np.float32]
    owners: npt.NDArray[np.int32]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return f"Candidates({len(self.stages)} steps, {len(self.sequences)} sequences, {len(self)} spans)"


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """The remaining spans, best first.

    starts, ends: int32 [M], inclusive steps. scores: float64 [M], never increasing. owners: int32 [M], rows of
    `Candidates.sequences`.
    """

    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float64]
    owners: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return f"Ranked({len(self)} spans)"


def propose(probabilities: npt.NDArray[np.float32], *, frontier: int, settings: ProposalSettings) -> Candidates:
    """Decode a window and find its candidates.

    probabilities: float32 [n, 6], one row per step; the likeliest stage counts, of equals the one with the lower index.
    frontier: steps before it are treated as Background: their actions have been reported for good.
    Raises SettingsError for another shape.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] != STAGE_COUNT:
        raise SettingsError(
            f"stage probabilities have the shape {probabilities.shape}; pass [n, {STAGE_COUNT}], one column per stage"
        )
    stages, sequences, *spans = _decode(probabilities, 1.0, frontier=frontier, settings=settings)
    for factor in sorted(settings.background, reverse=True):
        stages, sequences, *more = _decode(probabilities, factor, frontier=frontier, settings=settings)
        spans = _united(spans, more, sequences)
    starts, ends, prescores, owners = spans
    left, right = roi_indices(starts, ends, len(stages), settings.roi_bins, float(settings.roi_context))
    return Candidates(stages, sequences, starts, ends, prescores, owners, left, right)


def _decode(
    probabilities: npt.NDArray[np.float32], factor: float, *, frontier: int, settings: ProposalSettings
) -> tuple[npt.NDArray[Any], ...]:
    """Stages, sequences, starts, ends, prescores, owners, with the probability of Background times `factor`."""
    if factor != 1.0:
        probabilities = probabilities.copy()
        probabilities[:, Stage.BACKGROUND] *= factor
    stages = probabilities.argmax(axis=1).astype(np.int8)
    stages[: max(frontier, 0)] = Stage.BACKGROUND
    sequences = find_sequences(stages)
    return stages, sequences, *find_candidates(stages, sequences, float(settings.decay))


def _united(
    spans: Sequence[npt.NDArray[Any]], more: Sequence[npt.NDArray[Any]], sequences: npt.NDArray[np.int32]
) -> list[npt.NDArray[Any]]:
    """Spans of two decodings, each once with the higher pre-score, in order of start and end.

    sequences: those of the decoding with less Background. Less Background only adds steps to sequences, or joins some:
    a cut between two steps stays one. So each sequence of the other lies in one of these, and Soft-NMS within them
    stays exact.
    """
    starts, ends, prescores = (np.concatenate((spans[part], more[part])) for part in range(3))
    order = np.lexsort((-prescores, ends, starts))
    starts, ends, prescores = starts[order], ends[order], prescores[order]
    first = np.ones(len(starts), dtype=bool)
    first[1:] = (starts[1:] != starts[:-1]) | (ends[1:] != ends[:-1])
    starts, ends, prescores = starts[first], ends[first], prescores[first]
    owners = (np.searchsorted(sequences[:, 0], starts, side="right") - 1).astype(np.int32)
    return [starts, ends, prescores, owners]


def rank(candidates: Candidates, pes_scores: npt.NDArray[np.float32] | None, settings: ProposalSettings) -> Ranked:
    """Score the candidates and suppress those that overlap.

    pes_scores: float32 [K], the tIoU the evaluation subnet predicts; the final score is pre-score times it.
        None: they are ranked by the pre-score alone. Table 4 of the paper, which does that, also removes the
        suppression; ask for it with nms="none".
    Raises SettingsError for another shape.
    """
    scores = candidates.prescores.astype(np.float64)
    if pes_scores is not None:
        if pes_scores.shape != scores.shape:
            raise SettingsError(
                f"evaluation scores have the shape {pes_scores.shape}; pass ({len(candidates)},), one per candidate"
            )
        scores *= pes_scores if settings.pes_power == 1 else pes_scores.astype(np.float64) ** settings.pes_power
    order, kept = suppress(candidates.starts, candidates.ends + 1, scores, settings, owners=candidates.owners)
    return Ranked(candidates.starts[order], candidates.ends[order], kept, candidates.owners[order])


def warm_up_kernels() -> None:
    """Compile every kernel, or load it from disk, so that a stream's first hop is as fast as the others."""
    settings = ProposalSettings()
    rank(propose(np.eye(STAGE_COUNT, dtype=np.float32), frontier=0, settings=settings), None, settings)
