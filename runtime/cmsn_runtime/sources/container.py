"""Opening containers with PyAV, and saying in one line why one did not open."""

from __future__ import annotations

from fractions import Fraction

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from cmsn_runtime.errors import SourceError

_TIMEOUT_SECONDS = 20  # without any data, to open and for each read
_CONTAINER_TICKS = 1_000_000  # AV_TIME_BASE, the unit of a container's own times

_ADVICE: tuple[tuple[type[av.error.FFmpegError], str], ...] = (
    (av.error.FileNotFoundError, "check the path"),
    (av.error.IsADirectoryError, "name a video inside it"),
    (av.error.PermissionError, "check who may read it"),
    (av.error.ProtocolNotFoundError, "check the part before '://'"),
    (av.error.InvalidDataError, "it is empty, damaged, cut short or not a video; try to play it, or get a whole copy"),
    (av.error.ExitError, f"nothing came for {_TIMEOUT_SECONDS} seconds; check that it is sending"),
)


def open_container(url: str, *, name: str, format: str | None = None) -> InputContainer:
    """av.open, with SourceError for all that can go wrong; never waits without end."""
    try:
        return av.open(url, format=format, timeout=float(_TIMEOUT_SECONDS))
    except av.error.FFmpegError as error:
        advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), "check that it can be reached")
        raise SourceError(f"{name}: cannot be opened: {reason(error)}; {advice}") from error
    except ValueError as error:  # PyAV: a format that this build of FFmpeg has not, "v4l2" off Linux
        raise SourceError(f"{name}: cannot be opened: {error}; this build of FFmpeg lacks that input") from error


def video_stream(container: InputContainer, *, name: str) -> VideoStream:
    """The stream that players show; SourceError where there is none that can be decoded."""
    stream = container.streams.best("video")
    text = container.format.name == "tty"  # FFmpeg "plays" text files on an imaginary terminal
    if not isinstance(stream, VideoStream) or text:
        kinds = "text" if text else ", ".join(sorted({other.type for other in container.streams})) or "nothing"
        raise SourceError(f"{name}: holds no video, only {kinds}; give a file that has a video stream")
    return stream


def exact(ratio: Fraction | None) -> Fraction | None:
    """PyAV's rationals as Fractions; None where unset (None, 0/1 or 0/0, depending on PyAV's version)."""
    return Fraction(ratio.numerator, ratio.denominator) if ratio else None


def announced_duration(container: InputContainer) -> Fraction | None:
    """Seconds the container says it lasts, all streams together."""
    return Fraction(container.duration, _CONTAINER_TICKS) if container.duration else None


def reason(error: av.error.FFmpegError) -> str:
    """What FFmpeg said, without the number and the file's name, which the message has already."""
    return error.strerror or str(error)
