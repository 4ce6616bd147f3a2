"""How far the features of one backend are from another's, step by step of the same stream."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import ExtractorState, extract
from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Backend
from cmsn_runtime.backends.host_window import on_host

Pixels = npt.NDArray[np.uint8]


def errors_along(found: Backend, expected: Backend, steps: Iterable[Pixels]) -> Iterator[tuple[float, float]]:
    """Both run one stream from its begin -> sums of squares of each step: of the expected features, and of the error.

    steps: frames uint8 [stride, height, width, 3] of each.
    """
    states = [(backend, backend.new_state()) for backend in (found, expected)]
    try:
        for number, frames in enumerate(steps):
            first, second = (_features(backend, state, frames, number) for backend, state in states)
            yield float(np.square(second).sum()), float(np.square(first - second).sum())
    finally:
        for _, state in states:
            state.close()


def relative_error(sums: npt.NDArray[np.float64]) -> float:
    """Of pairs as `errors_along` gives them, [steps, 2]; 0 without a signal."""
    signal, noise = sums.sum(axis=0)
    return float(np.sqrt(noise / signal)) if signal else 0.0


def decibels(signal: float, noise: float) -> float:
    """Signal-to-noise of two sums of squares: infinite where nothing differs, minus infinity for NaN."""
    if not math.isfinite(noise):
        return -math.inf
    return 10 * math.log10(signal / noise) if signal and noise else math.inf


def _features(backend: Backend, state: ExtractorState, frames: Pixels, step: int) -> npt.NDArray[np.float64]:
    ask = extract(frames, state, position=step * len(frames), length=UNKNOWN_LENGTH)
    return on_host(answer_alone(ask, backend)).astype(np.float64)
