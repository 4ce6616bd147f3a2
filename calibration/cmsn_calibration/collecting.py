"""Collects how the values between an extractor's layers are distributed, on stretches of video."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmsn_calibration.histogram import NOTHING, Histogram
from cmsn_calibration.stretches import Stretch
from cmsn_calibration.watching import Watcher
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.stopping import Stopped

Pixels = npt.NDArray[np.uint8]
SHARE = 10  # one stretch in so many is counted once more, to find out whether fewer would do
# Frames uint8 [T, height, width, 3] of a stretch after those that come before it, and the number of these.
FramesOf = Callable[[Stretch], tuple[Pixels, int]]


@dataclass(frozen=True, slots=True)
class Collected:
    """histograms: tensor -> its distribution; tenth: that in every tenth stretch. stretches: those that were counted,
    all that were asked for unless a signal ended it.
    """

    histograms: Mapping[str, Histogram]
    tenth: Mapping[str, Histogram]
    stretches: tuple[Stretch, ...]


def collect(
    watcher: Watcher,
    tensors: Sequence[str],
    stretches: Sequence[Stretch],
    frames_of: FramesOf,
    *,
    stride: int,
    before: Collected | None = None,
    keep: Callable[[Collected], object] = lambda collected: None,
    progress: Callable[[int], object] = lambda done: None,
) -> Collected:
    """Run each stretch as a stream of its own, and count the values of the tensors.

    frames_of: with the frames before the stretch, a receptive field of them. They are run and not counted, so that the
    states are those of a stream under way. stride: frames per step. Only counts are kept.
    before: what an earlier call has collected, of the first of the stretches. keep: called with what there is, from
    time to time and at the end. progress: called with the number of stretches that are done. A signal ends the
    collection after what is done.
    Raises SettingsError for values that are not finite.
    """
    nothing = dict.fromkeys(tensors, NOTHING)
    found, tenth, first = (before.histograms, before.tenth, before.stretches) if before else (nothing, nothing, ())
    done: list[Stretch] = list(first)
    progress(len(done))
    try:
        for stretch in stretches[len(done) :]:
            counted = _counted(watcher, tensors, stretch, *frames_of(stretch), stride=stride)
            found = {name: found[name] + counted[name] for name in tensors}
            if len(done) % SHARE == 0:
                tenth = {name: tenth[name] + counted[name] for name in tensors}
            done.append(stretch)
            progress(len(done))
            if len(done) % SHARE == 0:
                keep(Collected(found, tenth, tuple(done)))
    except (KeyboardInterrupt, Stopped):
        if not done:
            raise
    collected = Collected(found, tenth, tuple(done))
    keep(collected)
    return collected


def _counted(
    watcher: Watcher, tensors: Sequence[str], stretch: Stretch, frames: Pixels, before: int, *, stride: int
) -> dict[str, Histogram]:
    counted = dict.fromkeys(tensors, NOTHING)
    watcher.reset()
    for begin in range(before % stride, len(frames), stride):
        values = watcher.run(_whole_step(frames[begin : begin + stride], stride))
        if begin >= before:
            for name in tensors:
                counted[name] += _histogram(values[name], stretch)
    return counted


def _whole_step(frames: Pixels, stride: int) -> Pixels:
    """A last incomplete step is filled by repeating its last frame, as a stream does at its end."""
    return np.concatenate([frames, np.repeat(frames[-1:], stride - len(frames), axis=0)])


def _histogram(values: npt.NDArray[np.float32], stretch: Stretch) -> Histogram:
    try:
        return Histogram.of(values)
    except ValueError as error:
        raise SettingsError(
            f"{stretch.excerpt.video}: the network computes values that are not finite at second "
            f"{float(stretch.excerpt.begin):g}; its weights are damaged; export another checkpoint"
        ) from error
