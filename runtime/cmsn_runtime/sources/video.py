"""Whatever FFmpeg opens: files, network streams, cameras."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import DecodeError, SourceError
from cmsn_runtime.frames import Frame
from cmsn_runtime.sources.clock import FrameClock

_NETWORK_TIMEOUT_SECONDS = 15.0
_MISSING_SECONDS = Fraction(1)  # an end this much before the declared one is a truncated file
_LOST_PACKETS = 100  # damaged ones in a row after which there is nothing left to hope for


class VideoSource:
    """Upright RGB frames of the first video stream.

    size: (height, width) in pixels; where given, FFmpeg scales to it in the same pass that makes RGB, which spares a
        large picture. The picture's sample aspect ratio plays no part: the model takes the whole picture at its own size.
    dropped: frames without a place in time. damaged: packets that could not be decoded and were passed over.
    """

    def __init__(self, url: str, *, size: tuple[int, int] | None = None) -> None:
        self.name = url
        self.live = url.startswith(("/dev/video", "rtsp:", "rtmp:", "udp:", "srt:"))
        self.dropped = 0
        self.damaged = 0
        self._size = size
        self._container = _open(url)
        if not self._container.streams.video:
            self.close()
            raise SourceError(f"{url}: holds no video stream (sound only, or pictures of no kind); give a video")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.duration = self._declared_duration()

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file, the connection or the device."""
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        """Frames in order of time.

        Raises SourceError where not one frame can be decoded, and DecodeError, after the good frames, where the video
        breaks off or ends more than a second before its declared end.
        """
        clock = FrameClock(Fraction(self._stream.time_base or 1), self._rate())
        last: Fraction | None = None
        broken: str | None = None
        try:
            for picture in self._pictures():
                seconds, jumped = clock.time_of(picture.pts, picture.dts)
                if seconds is None:
                    self.dropped += 1
                    continue
                pixels = self._upright(picture)
                last = seconds
                yield Frame(pixels, seconds, discontinuity=jumped)
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            broken = _reason(error)
        if last is None:
            raise SourceError(
                f"{self.name}: not one frame can be decoded "
                f"({broken or f'{self.damaged} damaged packets'}); the video is damaged, encrypted or incomplete"
            )
        if broken is None and self._ended_early(last):
            broken = "the file ends there, it was cut off or is damaged from there on"
        if broken is not None:
            total = f" of {float(self.duration):.1f} s" if self.duration is not None else ""
            raise DecodeError(f"{self.name}: broke at {float(last):.3f} s{total}: {broken}", seconds=last)

    def _pictures(self) -> Iterator[av.VideoFrame]:
        lost = 0
        for packet in self._container.demux(self._stream):
            try:
                pictures = packet.decode()
            except av.error.InvalidDataError:
                self.damaged += 1
                lost += 1
                if lost >= _LOST_PACKETS:
                    raise
                continue
            lost = 0 if pictures else lost
            for picture in pictures:
                if isinstance(picture, av.VideoFrame):
                    yield picture

    def _upright(self, picture: av.VideoFrame) -> npt.NDArray[np.uint8]:
        turns = _quarter_turns(picture)
        width, height = (None, None) if self._size is None else (self._size[1], self._size[0])
        if turns % 2:
            width, height = height, width
        scaled = picture.reformat(width=width, height=height, format="rgb24", interpolation="BILINEAR")
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), turns))

    def _rate(self) -> Fraction | None:
        rate = self._stream.average_rate or self._stream.base_rate
        return Fraction(rate) if rate else None

    def _declared_duration(self) -> Fraction | None:
        if self._stream.duration and self._stream.time_base:
            return Fraction(self._stream.duration * self._stream.time_base)
        # A container's own length is the longest of its streams'; it says something only of a video without sound.
        if self._container.duration and len(self._container.streams) == 1:
            return Fraction(self._container.duration, av.time_base)
        return None

    def _ended_early(self, last: Fraction) -> bool:
        if self.duration is None or self.live:
            return False
        start = (self._stream.start_time or 0) * Fraction(self._stream.time_base or 1)
        rate = self._rate()
        frame = 1 / rate if rate else Fraction(0)
        return last + frame < start + self.duration - _MISSING_SECONDS


def _open(url: str) -> Any:
    camera = url.startswith("/dev/video")
    timeout = _NETWORK_TIMEOUT_SECONDS if "://" in url else None
    try:
        return av.open(url, format="v4l2" if camera else None, timeout=timeout)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise SourceError(
            f"{url}: cannot be opened ({_reason(error)}); give a video file, a stream's URL or a camera such as /dev/video0"
        ) from error


def _reason(error: BaseException) -> str:
    """The words of an FFmpeg error without its number and the file's name, which the message has already."""
    words = getattr(error, "strerror", None)
    return str(words or error or type(error).__name__).strip().lower()


def _quarter_turns(picture: av.VideoFrame) -> int:
    """Turns of 90 degrees counter-clockwise that make a picture upright, from its display matrix.

    Matrices that are no quarter turn (mirrored or damaged ones) leave the picture as it is.
    """
    rotation = picture.rotation
    return rotation // 90 % 4 if rotation % 90 == 0 else 0
