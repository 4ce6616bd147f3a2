"""Whether INT8 drifts away from FP32 over a long stream: states are passed on from step to step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmsn_calibration.stream_error import errors_along, relative_error
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.timegrid import TimeGrid

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Drift:
    """first, last: error of the features near the begin and at the end, relative to their own size.

    minutes: of the stream. seconds: of each of the two parts, which show the same pictures.
    """

    minutes: float
    seconds: float
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

    Two parts of it are compared, each at least a minute and of whole repetitions, so that both show the same pictures
    in the same order: the second repetition and those that follow, for in the first one the states are still those of
    an empty stream; and the last ones.
    progress: called with the minutes that are done. Raises SettingsError for frames that fill no step, or too short a
    stream.
    """
    per_minute = int(60 * grid.fps) // grid.stride
    loop = len(frames) // grid.stride
    if not loop:
        raise SettingsError(f"drift is to be measured on {len(frames)} frames; {grid.stride} are the least")
    part = -(-per_minute // loop) * loop  # a whole number of repetitions
    total = int(minutes * per_minute) // loop * loop
    if total < loop + 2 * part:
        least = -(-(loop + 2 * part) // per_minute)
        raise SettingsError(
            f"drift over {minutes:g} minutes is to be measured; of {loop} steps over and over, {least} are the least"
        )
    sums = np.zeros((total, 2))
    for step, pair in enumerate(errors_along(found, expected, _repeated(frames, grid.stride, total))):
        sums[step] = pair
        if step % per_minute == 0:
            progress(step / per_minute)
    first, last = sums[loop : loop + part], sums[-part:]
    return Drift(minutes, part * 60 / per_minute, relative_error(first), relative_error(last))


def _repeated(frames: Pixels, stride: int, steps: int) -> Iterator[Pixels]:
    loop = len(frames) // stride
    for step in range(steps):
        begin = step % loop * stride
        yield frames[begin : begin + stride]
