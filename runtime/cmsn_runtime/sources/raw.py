"""Raw frames: `raw:640x480@25,rgb24:-` from standard input, `raw:640x480:/run/frames` from a named pipe or a file."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from cmsn_runtime.errors import UnusableSourceError
from cmsn_runtime.sources.kinds import SourceKind
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.sources.piped import STANDARD_INPUT, standard_input
from cmsn_runtime.sources.pipes import PipeReader, is_pipe
from cmsn_runtime.sources.video import VideoSource

PREFIX = "raw:"
_FORM = re.compile(r"raw:(\d+)x(\d+)(?:@(\d+(?:\.\d+|/\d+)?))?(?:,(\w+))?:(.+)", re.DOTALL)


def place_of(address: str) -> str | None:
    """Where the frames of a raw: address come from; None where it is none, or is not of that form."""
    match = _FORM.fullmatch(address)
    return match[5] if match else None


def _claims(address: str) -> bool:
    return address.startswith(PREFIX)


def _open(address: str, *, options: SourceOptions) -> VideoSource:
    """Frames at a rate are timed by their number; without one by their arrival. Raises SourceError."""
    match = _FORM.fullmatch(address)
    if match is None:
        raise UnusableSourceError(
            f"{address}: raw frames are raw:WIDTHxHEIGHT[@RATE][,PIXELFORMAT]:PLACE, such as raw:640x480@25,rgb24:-"
        )
    width, height, rate, pixel_format, place = match.groups()
    demuxer = {"video_size": f"{width}x{height}", "pixel_format": pixel_format or "rgb24", **options.demuxer}
    options = replace(options, fps=options.fps or (Fraction(rate) if rate else None), demuxer=demuxer)
    if place in STANDARD_INPUT:
        return VideoSource(standard_input(), format="rawvideo", live=True, options=options)
    if is_pipe(place):
        return VideoSource(PipeReader.open(place), format="rawvideo", live=True, options=options)
    return VideoSource(f"file:{place}", name=place, format="rawvideo", options=options)


def _is_live(address: str) -> bool:
    """A file of raw frames has an end; a program that writes to a pipe is a camera."""
    place = place_of(address)
    return place is not None and (place in STANDARD_INPUT or is_pipe(place))


KIND = SourceKind(claims=_claims, open=_open, is_live=_is_live)
