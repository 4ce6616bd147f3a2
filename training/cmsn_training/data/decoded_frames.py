"""A video's frames as training takes them: one unbroken sequence at the model's rate."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import DecodeError
from cmsn_runtime.pictures.fitting import FittedFrame, Fitting
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.sources.base import Source
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.stopping import raise_if_stopped
from cmsn_runtime.streams.resampling import Resampler, SegmentStart
from cmsn_runtime.timegrid import TimeGrid

# Training needs one unbroken sequence of frames: across a gap the last picture is repeated. Ten minutes of one picture
# are a wrong timestamp rather than video, and would fill the disk.
_LONGEST_STILL = Fraction(600)

Pixels = npt.NDArray[np.uint8]


def decoded_frames(video: Path, faults: list[str], *, grid: TimeGrid, preprocessing: Preprocessing) -> Iterator[Pixels]:
    """Crops uint8 [height, width, 3], one per model frame. What is wrong with the video is appended to the faults.

    Raises SourceError where nothing can be decoded.
    """
    fitted = Fitting(preprocessing)
    resampler: Resampler[FittedFrame] = Resampler(grid, max_gap=_LONGEST_STILL)
    last: Fraction | None = None
    with open_source(str(video)) as source:
        for frame in _until_broken(source, faults):
            for item in resampler.push(fitted(frame)):
                if not isinstance(item, SegmentStart):
                    yield item.moment.values()
                elif last is not None and item.origin > last:
                    faults.append(f"{video}: {item.reason} at {float(last):.2f} s; only the part before is used")
                    return
                elif last is not None:
                    faults.append(f"{video}: {item.reason}; what follows is used as if time had continued")
                elif abs(item.origin) > grid.step_seconds:
                    faults.append(_late(video, item.origin))
            last = frame.seconds
    for tick in resampler.flush():
        yield tick.moment.values()


def _late(video: Path, origin: Fraction) -> str:
    """Players, and so most annotators, count from the first frame, whatever the file's timestamps say."""
    return (
        f"{video}: its first frame is at {float(origin):.2f} s; annotations are assumed to count from that frame, "
        f"`cmsn run` counts from the file's zero ({float(-origin):+.2f} s makes them agree)"
    )


def _until_broken(source: Source, faults: list[str]) -> Iterator[Frame]:
    try:
        for frame in source:
            raise_if_stopped()  # a signal that a decoder's callback swallowed
            yield frame
    except DecodeError as error:
        faults.append(f"{error}; training uses the part before")
