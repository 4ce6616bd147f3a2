"""Reads short excerpts of videos as a model sees them: fitted, at its frame rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SourceError
from cmsn_runtime.manifest.contents import Manifest
from cmsn_runtime.pictures.fitting import FittedFrame, Fitting
from cmsn_runtime.pictures.flow import with_flow
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sources.base import Source
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.streams.resampling import Resampler, SegmentStart

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some seconds of a video. begin: in seconds on its own clock. frames: at most, at the model's rate."""

    video: Path
    begin: Fraction
    frames: int


def excerpts_of(
    video: Path, manifest: Manifest, *, frames: int, most: int, rng: np.random.Generator
) -> Iterator[Excerpt]:
    """At most so many excerpts of one length, spread over the whole video, each at a place by chance in its part.

    Raises SourceError where the video cannot be opened.
    """
    with open_source(video) as source:
        duration = source.duration
    length = frames / manifest.grid.fps
    count = 1 if duration is None else max(1, min(most, int(duration / length)))
    room = Fraction(0) if duration is None else max(Fraction(0), duration / count - length)
    for index in range(count):
        offset = Fraction(int(rng.integers(0, 1000)), 1000) * room
        yield Excerpt(video, Fraction(0) if duration is None else index * duration / count + offset, frames)


def read_excerpt(excerpt: Excerpt, manifest: Manifest, *, run_in: int) -> tuple[Pixels, int]:
    """Frames uint8 [T, height, width, channels] of an excerpt and of what comes before it; and how many come before.

    run_in: frames before it. Where the video has fewer, time runs backwards first: the frames that follow are mirrored,
    so that there is neither a cut nor an empty state. A video that breaks off gives the frames until then. Raises
    SourceError where there are none.
    """
    fps = manifest.grid.fps
    begin = max(Fraction(0), excerpt.begin - run_in / fps)
    before = int((excerpt.begin - begin) * fps)
    flow = None if manifest.preprocessing is None else manifest.preprocessing.flow
    options = SourceOptions(begin=begin, length=(before + excerpt.frames) / fps)
    with open_source(excerpt.video, options=options) as source:
        found = list(with_flow(_fitted(source, manifest), flow))[: before + excerpt.frames]
    if not found:
        raise SourceError(f"{excerpt.video}: there are no frames from second {float(begin):g} on")
    frames = np.stack(found)
    lacking = run_in - min(before, len(frames) - 1)
    if lacking > 0:
        frames = np.pad(frames, ((lacking, 0), (0, 0), (0, 0), (0, 0)), mode="reflect" if len(frames) > 1 else "edge")
    return frames, run_in


def _fitted(source: Source, manifest: Manifest) -> Iterator[Pixels]:
    assert manifest.preprocessing is not None
    fitting = Fitting(manifest.preprocessing)
    resampler: Resampler[FittedFrame] = Resampler(manifest.grid, max_gap=Fraction(600))
    try:
        for frame in source:
            if isinstance(frame, Frame):
                for item in resampler.push(fitting(frame)):
                    if not isinstance(item, SegmentStart):
                        yield item.moment.values()
    except SourceError:
        pass  # what came before it is as good as any
    for tick in resampler.flush():
        yield tick.moment.values()
