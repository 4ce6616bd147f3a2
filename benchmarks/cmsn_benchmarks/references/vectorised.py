"""The post-processing of one hop as vectorised NumPy: a fair comparison for the compiled kernels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cmsn_runtime.proposing.pipeline import Candidates, Ranked
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.stages import Stage

_Bools = npt.NDArray[np.bool_]
_Ints = npt.NDArray[np.intp]
_Stages = npt.NDArray[np.int8]
_Float64s = npt.NDArray[np.float64]


def propose(probabilities: npt.NDArray[np.float32], frontier: int, settings: ProposalSettings) -> Candidates:
    """As the runtime's `propose`."""
    stages = probabilities.argmax(axis=1).astype(np.int8)
    stages[: max(frontier, 0)] = Stage.BACKGROUND
    sequences = find_sequences(stages)
    starts, ends, prescores, owners = find_candidates(stages, sequences, settings.decay)
    left, right = roi_indices(starts, ends, len(stages), settings.roi_bins)
    return Candidates(stages, sequences, starts, ends, prescores, owners, left, right)


def rank(candidates: Candidates, pes_scores: npt.NDArray[np.float32] | None, settings: ProposalSettings) -> Ranked:
    """As the runtime's `rank`."""
    scores = candidates.prescores.astype(np.float64)
    if pes_scores is not None:
        scores *= pes_scores
    starts, ends = candidates.starts.astype(np.float64), candidates.ends.astype(np.float64)
    order, kept = suppress(starts, ends + 1, scores, settings, owners=candidates.owners)
    return Ranked(candidates.starts[order], candidates.ends[order], kept, candidates.owners[order])


def find_sequences(stages: _Stages) -> npt.NDArray[np.int32]:
    """As the runtime's `find_sequences`, over all sequences at once."""
    if not stages.any():
        return np.empty((0, 4), np.int32)
    padded = np.concatenate([[Stage.BACKGROUND], stages, [Stage.BACKGROUND]])
    cut = (padded[:-1] >= Stage.END) & ((padded[1:] == Stage.READY) | (padded[1:] == Stage.START))
    firsts = np.flatnonzero((stages != Stage.BACKGROUND) & ((padded[:-2] == Stage.BACKGROUND) | cut[:-1]))
    lasts = np.flatnonzero((stages != Stage.BACKGROUND) & ((padded[2:] == Stage.BACKGROUND) | cut[1:]))
    start_anchors = _anchors(stages, firsts, Stage.START, Stage.READY)
    from_end = len(stages) - 1
    end_anchors = from_end - _anchors(stages[::-1], from_end - lasts[::-1], Stage.END, Stage.FOLLOW)[::-1]
    return np.column_stack([firsts, lasts, start_anchors, end_anchors]).astype(np.int32)


def _anchors(stages: _Stages, firsts: _Ints, boundary: Stage, context: Stage) -> _Ints:
    """The start anchors; the end anchors where the stages, and `firsts` with them, are reversed."""
    steps = np.arange(len(stages))

    def first_where(mask: _Bools) -> _Ints:
        """The first such step of each sequence; len(stages) where none exists."""
        return np.minimum.reduceat(np.where(mask, steps, len(stages)), firsts)

    first_context = first_where(stages == context)
    after_context = steps > first_context[np.searchsorted(firsts, steps, side="right") - 1]
    anchors = firsts
    for mask in (
        (stages != context) & (stages != Stage.BACKGROUND),
        (stages == Stage.CONFIRM) & after_context,
        stages == boundary,
    ):
        found = first_where(mask)
        anchors = np.where(found < len(stages), found, anchors)
    return anchors


def find_candidates(
    stages: _Stages, sequences: npt.NDArray[np.int32], decay: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """As the runtime's `find_candidates`, over all pairs of a start step and an end step at once."""
    if not len(sequences):
        empty = np.empty(0, np.int32)
        return empty, empty, np.empty(0, np.float32), empty
    steps = np.arange(len(stages))
    owners = np.searchsorted(sequences[:, 0], steps, side="right") - 1
    is_start, is_end = _sides(stages)
    start_factors = np.maximum(0.0, 1.0 - np.abs(steps - sequences[owners, 2]) * decay)
    end_factors = np.maximum(0.0, 1.0 - np.abs(steps - sequences[owners, 3]) * decay)
    starts = np.flatnonzero(is_start & (start_factors > 0))
    ends = np.flatnonzero(is_end & (end_factors > 0))
    core = np.isin(stages, (Stage.START, Stage.CONFIRM, Stage.FOLLOW))
    core_before = np.concatenate([[0], np.cumsum(core)])
    rows, columns = np.nonzero(
        (owners[starts][:, None] == owners[ends])
        & (starts[:, None] <= ends)
        & (core_before[starts][:, None] < core_before[ends + 1])
    )
    starts, ends = starts[rows], ends[columns]
    prescores = start_factors[starts] * end_factors[ends]
    return (
        starts.astype(np.int32),
        ends.astype(np.int32),
        prescores.astype(np.float32),
        owners[starts].astype(np.int32),
    )


def _sides(stages: _Stages) -> tuple[_Bools, _Bools]:
    """Which steps may be starts, and which may be ends: bool [n] each."""
    changes = np.flatnonzero(np.diff(stages)) + 1
    run_starts = np.concatenate([[0], changes])
    lengths = np.diff(run_starts, append=len(stages))
    positions = np.arange(len(stages)) - np.repeat(run_starts, lengths)
    lengths = np.repeat(lengths, lengths)
    confirm = stages == Stage.CONFIRM
    is_start = (stages == Stage.READY) | (stages == Stage.START) | (confirm & (2 * positions < lengths))
    is_end = (stages >= Stage.END) | (confirm & (2 * positions >= lengths - 1))
    return is_start, is_end


def roi_indices(
    starts: npt.NDArray[np.int32], ends: npt.NDArray[np.int32], steps: int, bins: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """As the runtime's `roi_indices`, by the same table of offsets for each length of span."""
    lengths = np.arange(steps + 1)[:, None]
    lows = np.arange(bins) * lengths // bins
    highs = -(-np.arange(1, bins + 1) * lengths // bins)
    levels = np.frexp(highs - lows)[1].astype(np.int64) - 1
    left_offsets = levels * steps + lows
    right_offsets = levels * steps + highs - (1 << np.maximum(levels, 0))
    span_lengths = ends - starts + 1
    first = starts[:, None].astype(np.int64)
    return first + left_offsets[span_lengths], first + right_offsets[span_lengths]


def suppress(
    starts: _Float64s, ends: _Float64s, scores: _Float64s, settings: ProposalSettings, *, owners: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], _Float64s]:
    """As the runtime's `suppress`: one pass over all spans for each span kept."""
    current = np.where(scores > 0, scores, 0.0)
    order: list[int] = []
    kept: list[float] = []
    lengths = ends - starts
    counts = np.zeros(owners.max(initial=0) + 1, np.int64)
    while len(order) < len(scores):
        best = int(current.argmax())
        score = float(current[best])
        if score <= 0 or score < settings.min_score:
            break
        order.append(best)
        kept.append(score)
        current[best] = 0.0
        counts[owners[best]] += 1
        if counts[owners[best]] == settings.max_proposals:
            current[owners == owners[best]] = 0.0
        if settings.nms == "none":
            continue
        shared = np.minimum(ends, ends[best])
        shared -= np.maximum(starts, starts[best])
        np.maximum(shared, 0.0, out=shared)
        tiou = shared / (lengths + lengths[best] - shared)
        if settings.nms == "gaussian":
            current *= np.exp(tiou * tiou * (-1.0 / settings.sigma))
        else:
            current *= np.where(tiou <= settings.iou_threshold, 1.0, 1.0 - tiou if settings.nms == "linear" else 0.0)
    return np.array(order, np.int64), np.array(kept)
