"""The features of one part: begun early from a state of zeros, run late, so that they are those of the whole video."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from cmsn_runtime.archive.splitting.parts import CHUNK_STEPS, Part
from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.host_window import on_host
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.errors import SourceError
from cmsn_runtime.pictures.fitting import FittedFrame, Fitting
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.streams.extracting import StreamingExtractor
from cmsn_runtime.streams.resampling import Resampler, SegmentStart, Tick

Floats = npt.NDArray[np.float32]

_MARGIN = Fraction(
    2
)  # seconds that reading begins earlier: the frame that is held at the first tick must be among them


@dataclass(frozen=True, slots=True, eq=False)
class PartFeatures:
    """features: float32 [steps, C] from the part's first step on. frames: model frames of the segment, and the time of
    its last frame, where the part reaches its end.
    """

    features: Floats
    frames: int | None
    last_seconds: Fraction | None

    def content(self) -> bytes:
        """As a file."""
        seconds = self.last_seconds or Fraction(0)
        ends = np.array([self.frames or 0, seconds.numerator, seconds.denominator], np.int64)
        file = io.BytesIO()
        np.savez(file, features=self.features, ends=ends)
        return file.getvalue()


def read_part(content: bytes) -> PartFeatures:
    """What `content` wrote."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        frames, numerator, denominator = (int(value) for value in arrays["ends"])
        return PartFeatures(arrays["features"], frames or None, Fraction(numerator, denominator))


def part_features(bundle: Bundle, address: str, part: Part) -> PartFeatures:
    """Compute one part, and the step after it.

    Raises SourceError where the video cannot be read so: it has gaps, breaks off, or begins elsewhere after a seek.
    """
    grid, network = bundle.grid, bundle.manifest.network
    reach = -(-network.receptive_field_frames // grid.stride) + 1
    begin = max(0, (part.first - reach) // CHUNK_STEPS) * CHUNK_STEPS
    chunk = bundle.backend.chunk_frames or CHUNK_STEPS * grid.stride
    extractor = StreamingExtractor(
        bundle.backend,
        stride=grid.stride,
        delay_steps=network.delay_steps,
        chunk_frames=chunk,
        flow=bundle.preprocessing.flow,
    )
    wanted = None if part.last is None else part.last + 1 - begin
    found: list[Floats] = []
    frames, last = begin * grid.stride, part.origin
    try:
        for tick, seconds in _ticks(bundle, address, part, begin):
            frames, last = tick.index + 1, seconds
            features = answer_alone(extractor.steps(tick.moment.values()), bundle.backend)
            if features is not None:
                found.append(np.array(on_host(features)))
                if wanted is not None and sum(map(len, found)) >= wanted:
                    break
        else:
            if wanted is not None:
                raise SourceError(f"{address}: ends in part {part.index + 1} of {part.count}")
            while (features := answer_alone(extractor.ending(), bundle.backend)) is not None:
                found.append(np.array(on_host(features)))
    finally:
        extractor.reset()
    rows = np.concatenate(found or [np.empty((0, network.feature_channels), np.float32)])[part.first - begin : wanted]
    return PartFeatures(rows, None if wanted else frames, None if wanted else last)


def _ticks(bundle: Bundle, address: str, part: Part, begin: int) -> Iterator[tuple[Tick[FittedFrame], Fraction]]:
    """Model frames from step `begin` on, each with the time of the newest frame of the video."""
    grid = bundle.grid
    resampler: Resampler[FittedFrame] = Resampler(
        grid, max_gap=bundle.manifest.network.receptive_field_frames / grid.fps
    )
    options = None
    if begin:
        resampler.resume(part.origin, begin * grid.stride)
        options = SourceOptions(begin=grid.step_time(begin, part.origin) - _MARGIN)
    fitting = Fitting(bundle.preprocessing)
    started = False
    seconds = part.origin
    with open_source(address, options=options) as source:
        for frame in source:
            seconds = frame.seconds
            for item in resampler.push(fitting(frame)):
                if isinstance(item, SegmentStart):
                    if started or (not begin and item.origin != part.origin):
                        raise SourceError(f"{address}: {item.reason} within part {part.index + 1} of {part.count}")
                    started = True
                else:
                    yield item, seconds
    for item in resampler.flush():
        yield item, seconds
