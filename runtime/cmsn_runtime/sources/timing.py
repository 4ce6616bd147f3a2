"""Chooses which of a video's timestamps to use."""

from __future__ import annotations

import warnings
from fractions import Fraction

from av.video.stream import VideoStream

from cmsn_runtime.errors import SourceWarning
from cmsn_runtime.sources import formats
from cmsn_runtime.sources.container import exact
from cmsn_runtime.sources.stamps import ArrivalStamps, CountedStamps, DecodingStamps, PresentationStamps, Stamps

_USUAL_RATE = Fraction(25)  # FFmpeg's, for what has no timestamps
_USUAL_TIME_BASE = Fraction(1, 90_000)
_COUNTED_FROM_FIRST = frozenset({"rtsp", "rtp", "sdp"})


def stamps_of(stream: VideoStream, *, format: str, live: bool, fps: Fraction | None, name: str) -> Stamps:
    """How the frames of `stream` are timed: by `fps` where it is given, else by what its format carries.

    What carries no time at all is timed by its arrival where it is live. Otherwise it gets the rate that its headers
    give, or 25 frames per second, which a SourceWarning reports.
    """
    time_base = exact(stream.time_base) or _USUAL_TIME_BASE
    if fps is not None:
        return CountedStamps(fps, time_base)
    if formats.has_time(format):
        if not formats.has_presentation_time(format):
            return DecodingStamps(time_base)
        return PresentationStamps(
            time_base,
            exact(stream.average_rate),
            period=formats.counter_period(format, time_base),
            from_first=format in _COUNTED_FROM_FIRST,
        )
    if live:
        return ArrivalStamps()
    rate = exact(stream.guessed_rate) or exact(stream.average_rate) or _USUAL_RATE
    warn_of_rate(name, rate)
    return CountedStamps(rate, time_base)


def warn_of_rate(name: str, rate: Fraction) -> None:
    """Warn that a source has no timestamps, and which rate is assumed."""
    warnings.warn(
        f"{name}: has no timestamps; taken as {float(rate):g} frames per second; another rate is set by --fps "
        "(SourceOptions.fps)",
        SourceWarning,
        stacklevel=2,
    )
