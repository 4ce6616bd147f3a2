"""Opens containers with PyAV, and reports in one line why one could not be opened."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from cmsn_runtime.errors import SourceError, UnusableSourceError
from cmsn_runtime.sources.addresses import redacted, scheme_of
from cmsn_runtime.sources.diagnosis import diagnosis
from cmsn_runtime.sources.formats import demuxer_options
from cmsn_runtime.sources.pipes import DataReader

TIMEOUT_SECONDS = 20  # without any data, to open and for each read
_CONTAINER_TICKS = 1_000_000  # AV_TIME_BASE, the unit of a container's own times

_ADVICE: tuple[tuple[type[av.error.FFmpegError], str], ...] = (
    (av.error.FileNotFoundError, "check the path"),
    (av.error.IsADirectoryError, "name a video inside it"),
    (av.error.HTTPUnauthorizedError, "check user name and password"),
    (av.error.HTTPForbiddenError, "check user name and password"),
    (av.error.HTTPNotFoundError, "check the path"),
    (av.error.PermissionError, "check who may read it"),
    (av.error.ProtocolNotFoundError, "check the part before '://'"),
    (av.error.ConnectionRefusedError, "check host and port, and that it is sending"),
    (av.error.ExitError, "check that it is sending"),
)
DAMAGED = "it is empty, damaged, cut short or not a video; try to play it, or get a whole copy"
_NOTHING_CAME = "no video came; check the address, and that it is sending"


def open_container(
    url: str | DataReader, *, name: str, format: str | None = None, options: Mapping[str, str] | None = None
) -> InputContainer:
    """av.open, with SourceError for all that can go wrong: UnusableSourceError where trying again cannot help.

    Waits for nothing longer than TIMEOUT_SECONDS, pipes apart.

    options: of the demuxer and protocol; those of formats.py are added.
    """
    scheme, kind = scheme_of(url) if isinstance(url, str) else "pipe", SourceError
    try:
        container = av.open(
            url, format=format, options=demuxer_options(scheme, options or {}), timeout=float(TIMEOUT_SECONDS)
        )
    except av.error.FFmpegError as error:
        problem = f"{reason(error, url)}; {_advice(error, url)}"
        if isinstance(error, av.error.ProtocolNotFoundError):
            kind = UnusableSourceError
    except ValueError as error:  # PyAV: a format that this build of FFmpeg lacks, such as "v4l2" outside Linux
        problem = f"{error}; this build of FFmpeg lacks that input"
        kind = UnusableSourceError
    else:
        return cast(InputContainer, container)
    if not isinstance(url, str):
        url.raise_failure()
    # Outside of `except`: FFmpeg's error repeats the URL, password and all, and would be shown as the cause.
    raise kind(f"{name}: cannot be opened: {problem}")


def video_stream(container: InputContainer, *, name: str, number: int | None = None) -> VideoStream:
    """Video stream `number`, or the one that players show; cover pictures do not count. SourceError without."""
    text = container.format.name == "tty"  # FFmpeg "plays" text files on an imaginary terminal
    streams = [] if text else [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        kinds = "text" if text else ", ".join(_kinds(container)) or "nothing"
        raise SourceError(f"{name}: holds no video, only {kinds}; give a file that has a video stream")
    if number is not None:
        if number >= len(streams):
            sizes = ", ".join(f"{index}: {stream.width}x{stream.height}" for index, stream in enumerate(streams))
            raise SourceError(f"{name}: has no video stream {number}; it has {sizes}")
        return streams[number]
    best = container.streams.best("video")
    shown = next((stream for stream in streams if best is not None and stream.index == best.index), None)
    return shown or max(streams, key=lambda stream: stream.width * stream.height)


def exact(ratio: Fraction | None) -> Fraction | None:
    """PyAV's rationals as Fractions; None where unset (None, 0/1 or 0/0, depending on PyAV's version)."""
    return Fraction(ratio.numerator, ratio.denominator) if ratio else None


def announced_duration(container: InputContainer) -> Fraction | None:
    """Duration in seconds that the container declares, over all streams."""
    return Fraction(container.duration, _CONTAINER_TICKS) if container.duration else None


def announced_start(container: InputContainer) -> Fraction:
    """Start in seconds that the container declares; 0 where it declares none."""
    return Fraction(container.start_time or 0, _CONTAINER_TICKS)


def reason(error: av.error.FFmpegError, url: str | DataReader = "") -> str:
    """FFmpeg's message, without the number and the file's name, which our message has already."""
    if isinstance(error, av.error.ExitError):
        return f"nothing came for {TIMEOUT_SECONDS} seconds"
    said = error.strerror or str(error)
    return redacted(said, url) if isinstance(url, str) else said


def no_frame_advice(url: str | DataReader) -> str:
    """What to do about a container that opens and in which nothing can be decoded."""
    if not isinstance(url, str):
        return url.advice
    known = _diagnosis(url)
    if known is None and scheme_of(url):
        return "it may be encrypted, or of an unknown codec; try to play it"
    return known or "it is damaged, encrypted or cut short; try to play it, or get a whole copy"


def _advice(error: av.error.FFmpegError, url: str | DataReader) -> str:
    if not isinstance(url, str):
        return url.advice
    known = _diagnosis(url)
    if known is not None:
        return known
    if isinstance(error, av.error.InvalidDataError):
        return _NOTHING_CAME if scheme_of(url) else DAMAGED
    return next((text for kind, text in _ADVICE if isinstance(error, kind)), "check that it can be reached")


def _diagnosis(url: str) -> str | None:
    return None if scheme_of(url) else diagnosis(Path(url.removeprefix("file:")))


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _kinds(container: InputContainer) -> list[str]:
    cover = {"a cover picture"} if any(_is_cover(stream) for stream in container.streams.video) else set()
    return sorted({other.type for other in container.streams if other.type != "video"} | cover)
