"""Whatever FFmpeg opens: files, network streams, cameras."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from typing import cast

import av.error
from av import Packet, VideoFrame
from av.stream import Stream
from av.video.stream import VideoStream

from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import DecodeError, SourceError
from cmsn_runtime.pictures.decoded import DecodedFrame
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.upright import PictureMaker
from cmsn_runtime.sources.clock import FrameClock
from cmsn_runtime.sources.container import announced_duration, exact, open_container, reason, video_stream
from cmsn_runtime.sources.losses import Losses

_LOST_PACKETS = 250  # damaged ones in a row, ten seconds: there is nothing left to hope for
_MISSING_SECONDS = Fraction(1)  # headers round; what ends this much early is incomplete
_USUAL_TIME_BASE = Fraction(1, 90_000)


class VideoSource(Closing):
    """Frames of the best video stream of `url`: upright (see PictureMaker), with exact times (see FrameClock).

    url: path, URL or device, as av.open takes it. format: FFmpeg's name of the input where it cannot be guessed.
    name: for messages; the URL by default.
    live: see Source. A live source has no duration, and ending is no fault.

    dropped: frames without a place in time. damaged: packets that could not be decoded and were passed over.
    Memory does not grow with the length of the video.

    Raises SourceError where it cannot be opened or nothing in it can be decoded. Raises DecodeError once the good
    frames are out, where the video is incomplete: reading failed, more than its last second cannot be decoded, or the
    file stops more than a second before the end it announces.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str | None = None,
        format: str | None = None,
        live: bool = False,
    ) -> None:
        self.name = name or url
        self.live = live
        self.dropped = 0
        self.damaged = 0
        # PyAV keeps FFmpeg's own log lines off stderr unless the application asks for them.
        self._container = open_container(url, name=self.name, format=format)
        try:
            self._stream = video_stream(self._container, name=self.name)
        except SourceError:
            self._container.close()
            raise
        self.duration = None if live else announced_duration(self._container)
        self.rate = exact(self._stream.average_rate)
        self._clock = FrameClock(exact(self._stream.time_base) or _USUAL_TIME_BASE, self.rate)
        self._maker = PictureMaker()
        self._data_end: Fraction | None = None  # of all streams: the sound may be longer
        self._last_packet: Fraction | None = None  # of the video
        self._failure: av.error.FFmpegError | None = None
        self._frames = self._read()

    @property
    def losses(self) -> Losses:
        """See Source."""
        return Losses(damaged=self.damaged, untimed=self.dropped)

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        """Let go of the file, the connection or the device, and end the iteration. May be called twice."""
        self._frames.close()
        self._container.close()

    def _read(self) -> Generator[Frame, None, None]:
        last: Fraction | None = None
        for decoded in self._decode():
            seconds, jumped = self._clock.time_of(decoded.pts, decoded.dts)
            if seconds is None:
                self.dropped += 1
                continue
            last = seconds
            yield DecodedFrame(decoded, seconds, discontinuity=jumped, maker=self._maker)
        self._check_complete(last)

    def _decode(self) -> Iterator[VideoFrame]:
        """Slice threads only, PyAV's default: frame threads delay a camera and conceal damage differently each time."""
        lost = 0
        for packet in self._demux():
            try:
                decoded = self._stream.decode(packet)
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                self.damaged += 1
                lost += 1
                if lost == _LOST_PACKETS:
                    self._failure = error
                    return
                continue
            lost = 0 if decoded else lost
            yield from decoded

    def _demux(self) -> Iterator[Packet[VideoStream] | None]:
        """Packets of the video, then an empty one or None: both flush the decoder."""
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                self._failure = error
                yield None
                return
            ours = packet.stream.index == self._stream.index
            self._measure(packet, ours=ours)
            if ours:
                yield cast("Packet[VideoStream]", packet)

    def _measure(self, packet: Packet[Stream], *, ours: bool) -> None:
        time_base = exact(packet.time_base)
        if packet.pts is None or time_base is None:
            return
        begin = packet.pts * time_base
        end = begin + (packet.duration or 0) * time_base
        self._data_end = end if self._data_end is None else max(self._data_end, end)
        self._last_packet = begin if ours else self._last_packet

    def _check_complete(self, last: Fraction | None) -> None:
        why = f" ({reason(self._failure)})" if self._failure else ""
        if last is None:
            raise SourceError(
                f"{self.name}: not one frame can be decoded{why}; it is damaged, encrypted or cut short; "
                "try to play it, or get a whole copy"
            ) from self._failure
        if self._failure or self._missing(last) > _MISSING_SECONDS:
            whole = f" of {float(self.duration):.2f} s" if self.duration is not None else ""
            raise DecodeError(
                f"{self.name}: broke at {float(last):.2f} s{whole}{why}; what follows is missing or damaged; "
                "get a whole copy",
                seconds=last,
            ) from self._failure

    def _missing(self, last: Fraction) -> Fraction:
        """Seconds of video that were there and could not be decoded, or were announced and are not there.

        Some containers count their duration from zero and some from their first frame. It is taken from zero, so that
        a whole file that begins late is never called broken.
        """
        if self._data_end is None:
            return Fraction(0)
        undecoded = Fraction(0) if self._last_packet is None else self._last_packet - last
        absent = Fraction(0) if self.duration is None else self.duration - self._data_end
        return max(undecoded, absent)
