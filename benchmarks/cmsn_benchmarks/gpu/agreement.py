"""Differences between two ways to run a bundle: features, stage probabilities, scores, proposals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import evaluate, extract, stages
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.tensorrt.backend import TensorRTBackend
from cmsn_runtime.backends.tensorrt.states import DeviceFeatures
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.events import Proposal
from cmsn_runtime.proposing.roi import roi_indices
from cmsn_runtime.stages import STAGE_COUNT
from cmsn_runtime.streams.extracting import StreamingExtractor, extracted

Array = npt.NDArray[np.float32]
Span = tuple[Fraction, Fraction]

_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that the networks compute for one stream, hop by hop.

    features: [hops, C]. probabilities: [hops, window, 6], NaN where the window was not yet full. scores: [hops, K].
    """

    features: Array
    probabilities: Array
    scores: Array


@dataclass(frozen=True, slots=True)
class Distance:
    """Differences between two answers. features: largest difference over the largest value.

    probabilities, scores: largest difference. mean_probabilities: mean difference.
    """

    features: float
    probabilities: float
    mean_probabilities: float
    scores: float


def answers(bundle: Bundle, frames: Sequence[npt.NDArray[np.uint8]]) -> Answers:
    """Run a stream from its first to its last frame, step by step as from a camera. frames: in the model's format."""
    backend, network = bundle.backend, bundle.manifest.network
    extractor = StreamingExtractor(backend, stride=bundle.grid.stride, delay_steps=network.delay_steps)
    parts = extracted(frames, extractor, backend)
    steps = (part[index : index + 1] for part in parts for index in range(len(part)))
    return _answers(bundle, ((step, on_host(backend, step, network.feature_channels)) for step in steps))


def answers_to(bundle: Bundle, features: Array) -> Answers:
    """Answers of the other two networks to step features [hops, C] that were computed elsewhere."""
    backend = bundle.backend
    state = backend.new_state()
    return _answers(bundle, ((_to_backend(backend, state, row), row) for row in features[:, None]))


def features_by_hop(bundle: Bundle, frames: npt.NDArray[np.uint8], times: int) -> Iterator[Array]:
    """Step features [steps, C] of a stream that shows the same frames `times` times, chunk by chunk, without its start.

    frames: whole chunks of them. The meaningless features of steps before the first are omitted.
    """
    backend, network = bundle.backend, bundle.manifest.network
    chunk = backend.chunk_frames or bundle.grid.stride
    state, position = backend.new_state(), 0
    for begin in [*range(0, len(frames) - chunk + 1, chunk)] * times:
        part = answer_alone(
            extract(frames[begin : begin + chunk], state, position=position, length=UNKNOWN_LENGTH), backend
        )
        position += chunk
        if position > network.delay_steps * bundle.grid.stride:
            yield on_host(backend, part, network.feature_channels)


def distance(ours: Answers, theirs: Answers) -> Distance:
    """Differences of two answers; infinite where only one of two values is NaN."""
    peak = float(np.abs(theirs.features).max())
    return Distance(
        _largest(ours.features, theirs.features) / peak,
        _largest(ours.probabilities, theirs.probabilities),
        float(np.nanmean(np.abs(ours.probabilities - theirs.probabilities))),
        _largest(ours.scores, theirs.scores),
    )


def on_host(backend: Any, features: Any, channels: int) -> Array:
    """A copy of step features as an array, wherever the backend keeps them."""
    if not isinstance(backend, TensorRTBackend):
        return np.array(features, np.float32)
    with backend.working():
        device = backend.device
        staging = device.staging((len(features), channels), np.float32)
        address = features.address(channels * _FLOAT_BYTES)
        device.driver.memcpy_dtoh_async(staging.host, address, device.stream)
        device.synchronize()
        copied: Array = staging.host.copy()
        staging.free()
    return copied


def differing_proposals(
    ours: Sequence[Proposal], theirs: Sequence[Proposal], *, least: float, tolerance: float
) -> list[str]:
    """Proposals above a score that the other side lacks at the same times, or has with another score; one line each."""
    left, right = _by_span(ours), _by_span(theirs)
    found: list[str] = []
    for span in sorted(left.keys() | right.keys()):
        pair = left.get(span), right.get(span)
        if max(score or 0.0 for score in pair) <= least:
            continue
        if None in pair or abs((pair[0] or 0.0) - (pair[1] or 0.0)) > tolerance:
            scores = " against ".join("none" if score is None else f"{score:.4f}" for score in pair)
            found.append(f"{float(span[0]):.2f} to {float(span[1]):.2f} s: {scores}")
    return found


def _answers(bundle: Bundle, steps: Iterable[tuple[Any, Array]]) -> Answers:
    """Feeds steps to a window. steps: each as the backend keeps it, and as an array [1, C]."""
    backend, size = bundle.backend, bundle.grid.window
    window = backend.new_window(size)
    features: list[Array] = []
    probabilities: list[Array] = []
    scores: list[Array] = []
    for step, row in steps:
        features.append(row)
        window.push(step)
        seen = np.full((size, STAGE_COUNT), np.nan, np.float32)
        seen[: len(window)] = answer_alone(stages(window), backend)
        probabilities.append(seen)
        scores.append(answer_alone(evaluate(window, *_rows(len(window), bundle.manifest.proposals.roi_bins)), backend))
    return Answers(np.concatenate(features), np.stack(probabilities), np.stack(scores))


def _to_backend(backend: Any, state: Any, row: Array) -> Any:
    """One step feature [1, C] as this backend's windows take it: on a device where `extract` puts its own."""
    if not isinstance(backend, TensorRTBackend):
        return row
    with backend.working():
        staging = backend.device.staging(row.shape, np.float32)
        staging.host[...] = row
        staging.upload()
        backend.device.copy(state.rack.features(state.slot), staging.address, row.nbytes)
        backend.device.synchronize()
        staging.free()
    return DeviceFeatures(state, state.turn, 0, 1)


def _rows(steps: int, bins: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Table rows of 40 spans across a window: more than the smallest batch that is padded."""
    starts = np.arange(40, dtype=np.int32) % steps
    return roi_indices(starts, np.minimum(starts + 1 + starts % 7, steps).astype(np.int32), steps, bins)


def _largest(ours: Array, theirs: Array) -> float:
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        return float("inf")
    return float(np.nanmax(np.abs(ours - theirs)))


def _by_span(proposals: Sequence[Proposal]) -> Mapping[Span, float]:
    """Span -> its best score."""
    best: dict[Span, float] = {}
    for proposal in proposals:
        span = (proposal.start, proposal.end)
        best[span] = max(proposal.score, best.get(span, 0.0))
    return best
