"""Whether INT8 drifts away from FP32 over a long stream: states are passed on from step to step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import ExtractorState, extract
from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Backend
from cmsn_runtime.backends.host_window import on_host
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.timegrid import TimeGrid

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Drift:
    """first, last: error of the features in the first and in the last minute, relative to their own size."""

    minutes: float
    first: float
    last: float


def measure_drift(
    found: Backend,
    expected: Backend,
    frames: Pixels,
    grid: TimeGrid,
    *,
    minutes: float,
    progress: Callable[[float], object] = lambda minutes: None,
) -> Drift:
    """One stream of so many minutes on both, of frames uint8 [T, height, width, 3] over and over.

    progress: called with the minutes that are done. Raises SettingsError for less than two minutes.
    """
    per_minute = int(60 * grid.fps) // grid.stride
    total = int(minutes * per_minute)
    if total < 2 * per_minute:
        raise SettingsError(f"drift over {minutes:g} minutes is to be measured; two are the least")
    states = [(backend, backend.new_state()) for backend in (found, expected)]
    sums = np.zeros((total, 2))
    try:
        for step, chunk in zip(range(total), _looped(frames, grid.stride), strict=False):
            first, second = (_features(backend, state, chunk, step) for backend, state in states)
            sums[step] = np.square(second).sum(), np.square(first - second).sum()
            if step % per_minute == 0:
                progress(step / per_minute)
    finally:
        for _, state in states:
            state.close()
    return Drift(minutes, _error(sums[:per_minute]), _error(sums[-per_minute:]))


def _features(backend: Backend, state: ExtractorState, chunk: Pixels, step: int) -> npt.NDArray[np.float64]:
    ask = extract(chunk, state, position=step * len(chunk), length=UNKNOWN_LENGTH)
    return on_host(answer_alone(ask, backend)).astype(np.float64)


def _looped(frames: Pixels, stride: int) -> Iterator[Pixels]:
    while True:
        for begin in range(0, len(frames) - stride + 1, stride):
            yield frames[begin : begin + stride]


def _error(sums: npt.NDArray[np.float64]) -> float:
    signal, noise = sums.sum(axis=0)
    return float(np.sqrt(noise / signal)) if signal else 0.0
