"""The post-processing of one hop in plain Python loops: the reference for the compiled kernels."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.stages import Stage

_CORE = (Stage.START, Stage.CONFIRM, Stage.FOLLOW)


class PlainCandidates(NamedTuple):
    """`Candidates` of the runtime, as lists."""

    stages: list[int]
    sequences: list[tuple[int, int, int, int]]
    starts: list[int]
    ends: list[int]
    prescores: list[float]
    owners: list[int]
    left: list[list[int]]
    right: list[list[int]]


class PlainRanked(NamedTuple):
    """`Ranked` of the runtime, as lists."""

    starts: list[int]
    ends: list[int]
    scores: list[float]
    owners: list[int]


def propose(probabilities: Sequence[Sequence[float]], frontier: int, settings: ProposalSettings) -> PlainCandidates:
    """As the runtime's `propose`."""
    stages = [
        int(Stage.BACKGROUND) if step < frontier else max(range(len(row)), key=row.__getitem__)
        for step, row in enumerate(probabilities)
    ]
    sequences = [(first, last, *_anchors(stages, first, last)) for first, last in _stretches(stages)]
    starts, ends, prescores, owners = [], [], [], []
    for owner, sequence in enumerate(sequences):
        for start, end, prescore in _spans(stages, sequence, settings.decay):
            starts.append(start)
            ends.append(end)
            prescores.append(prescore)
            owners.append(owner)
    left, right = _roi(starts, ends, len(stages), settings.roi_bins)
    rounded = array("f", prescores).tolist()  # float32 as in the runtime: ties there must be ties here
    return PlainCandidates(stages, sequences, starts, ends, rounded, owners, left, right)


def rank(candidates: PlainCandidates, pes_scores: Sequence[float] | None, settings: ProposalSettings) -> PlainRanked:
    """As the runtime's `rank`."""
    scores = list(candidates.prescores)
    if pes_scores is not None:
        scores = [prescore * pes for prescore, pes in zip(scores, pes_scores, strict=True)]
    every = replace(settings, max_proposals=max(1, len(scores)))
    ranked = zip(*suppress(candidates.starts, [end + 1 for end in candidates.ends], scores, every), strict=True)
    counts: Counter[int] = Counter()
    order: list[tuple[int, float]] = []
    for i, score in ranked:
        counts[candidates.owners[i]] += 1
        if counts[candidates.owners[i]] <= settings.max_proposals:
            order.append((i, score))
    return PlainRanked(
        [candidates.starts[i] for i, _ in order],
        [candidates.ends[i] for i, _ in order],
        [score for _, score in order],
        [candidates.owners[i] for i, _ in order],
    )


def suppress(
    starts: Sequence[float], ends: Sequence[float], scores: Sequence[float], settings: ProposalSettings
) -> tuple[list[int], list[float]]:
    """As the runtime's `suppress`, with each score multiplied as in the definition."""
    current = list(scores)
    left = [i for i, score in enumerate(current) if score > 0]
    order: list[int] = []
    kept: list[float] = []
    while left and len(order) < settings.max_proposals:
        best = max(left, key=current.__getitem__)
        if current[best] < settings.min_score:
            break
        order.append(best)
        kept.append(current[best])
        left.remove(best)
        for i in left:
            shared = min(ends[i], ends[best]) - max(starts[i], starts[best])
            if shared > 0:
                tiou = shared / (ends[i] - starts[i] + ends[best] - starts[best] - shared)
                current[i] *= _factor(tiou, settings)
        left = [i for i in left if current[i] > 0]
    return order, kept


def _factor(tiou: float, settings: ProposalSettings) -> float:
    if settings.nms == "gaussian":
        return math.exp(-(tiou**2) / settings.sigma)
    if settings.nms == "none" or tiou <= settings.iou_threshold:
        return 1.0
    return 1.0 - tiou if settings.nms == "linear" else 0.0


def _stretches(stages: list[int]) -> list[tuple[int, int]]:
    """First and last step of each sequence."""
    stretches: list[tuple[int, int]] = []
    before = int(Stage.BACKGROUND)
    for step, stage in enumerate(stages):
        if stage != Stage.BACKGROUND:
            turns = before in (Stage.END, Stage.FOLLOW) and stage in (Stage.READY, Stage.START)
            if before == Stage.BACKGROUND or turns:
                stretches.append((step, step))
            else:
                stretches[-1] = (stretches[-1][0], step)
        before = stage
    return stretches


def _anchors(stages: list[int], first: int, last: int) -> tuple[int, int]:
    steps = range(first, last + 1)
    return (
        _anchor(stages, steps, Stage.START, Stage.READY),
        _anchor(stages, steps[::-1], Stage.END, Stage.FOLLOW),
    )


def _anchor(stages: list[int], steps: range, boundary: Stage, context: Stage) -> int:
    for step in steps:
        if stages[step] == boundary:
            return step
    for position, step in enumerate(steps):
        if stages[step] == Stage.CONFIRM and any(stages[i] == context for i in steps[:position]):
            return step
    for step in steps:
        if stages[step] != context:
            return step
    return steps[0]


def _spans(stages: list[int], sequence: tuple[int, int, int, int], decay: float) -> list[tuple[int, int, float]]:
    """Start, end and pre-score of the spans of one sequence."""
    first, last, start_anchor, end_anchor = sequence
    start_factors, end_factors = {}, {}
    for step in range(first, last + 1):
        is_start, is_end = _sides(stages, step)
        if is_start and (factor := 1 - abs(step - start_anchor) * decay) > 0:
            start_factors[step] = factor
        if is_end and (factor := 1 - abs(step - end_anchor) * decay) > 0:
            end_factors[step] = factor
    return [
        (start, end, start_factor * end_factor)
        for start, start_factor in start_factors.items()
        for end, end_factor in end_factors.items()
        if start <= end and any(stages[i] in _CORE for i in range(start, end + 1))
    ]


def _sides(stages: list[int], step: int) -> tuple[bool, bool]:
    """Whether a step may be a start, and whether it may be an end."""
    if stages[step] != Stage.CONFIRM:
        return stages[step] in (Stage.READY, Stage.START), stages[step] in (Stage.END, Stage.FOLLOW)
    before = after = 0
    while step - before > 0 and stages[step - before - 1] == Stage.CONFIRM:
        before += 1
    while step + after < len(stages) - 1 and stages[step + after + 1] == Stage.CONFIRM:
        after += 1
    return before <= after, before >= after


def _roi(starts: list[int], ends: list[int], steps: int, bins: int) -> tuple[list[list[int]], list[list[int]]]:
    left, right = [], []
    for start, end in zip(starts, ends, strict=True):
        length = end - start + 1
        lows = [start + b * length // bins for b in range(bins)]
        highs = [start + -(-(b + 1) * length // bins) for b in range(bins)]
        levels = [(high - low).bit_length() - 1 for low, high in zip(lows, highs, strict=True)]
        left.append([level * steps + low for level, low in zip(levels, lows, strict=True)])
        right.append([level * steps + high - 2**level for level, high in zip(levels, highs, strict=True)])
    return left, right
