"""Sources that FFmpeg opens: files, network streams, cameras."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from typing import TypeAlias, cast

import av.error
from av import Packet, VideoFrame
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import DecodeError, SourceError
from cmsn_runtime.pictures.decoded import DecodedFrame
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.upright import PictureMaker
from cmsn_runtime.sources import formats
from cmsn_runtime.sources.addresses import is_live, public_name, scheme_of
from cmsn_runtime.sources.clock import FrameClock
from cmsn_runtime.sources.completeness import Completeness
from cmsn_runtime.sources.container import (
    announced_duration,
    announced_start,
    no_frame_advice,
    reason,
    video_stream,
)
from cmsn_runtime.sources.excerpt import Excerpt
from cmsn_runtime.sources.losses import Losses
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.sources.pipes import DataReader
from cmsn_runtime.sources.playlists import is_open_ended, open_playlist, warn_of_end
from cmsn_runtime.sources.seeking import seek
from cmsn_runtime.sources.stamps import PresentationStamps, Stamps, shown_seconds
from cmsn_runtime.sources.timing import stamps_of

PacketWatch: TypeAlias = Callable[["Packet[VideoStream]"], None]

_LOST_SECONDS = 60  # without one valid frame, after which a live stream is abandoned


class VideoSource(Closing):
    """Frames of a video stream of `url`: upright (see PictureMaker), with exact times (see FrameClock).

    url: path, URL or device, as av.open takes it, or a reader. format: FFmpeg's name of the input where it cannot be
        guessed. name: for messages; by default the URL without its secrets.
    live: see Source; detected where it is not given. A live source has no duration, and its end is not a fault.

    Memory does not grow with the length of the video.

    Raises SourceError where it cannot be opened or nothing in it can be decoded. Raises DecodeError once the good
    frames are out, where the video is incomplete: reading failed, more than its last second cannot be decoded, or the
    file stops more than a second before the end it announces. Neither where `options` end it before.
    """

    def __init__(
        self,
        url: str | DataReader,
        *,
        name: str | None = None,
        format: str | None = None,
        live: bool | None = None,
        options: SourceOptions | None = None,
    ) -> None:
        self.name = name or (public_name(url) if isinstance(url, str) else url.name)
        self.was_enough = False  # the part that was asked for has been read, and nothing more is wanted
        self._untimed = 0
        self._url = url
        self._format = format
        self._options = options or SourceOptions()
        self._container, self._stream = self._open()
        kind = self._container.format.name
        whole = announced_duration(self._container)
        known_live = isinstance(url, str) and (is_live(url) or (whole is None and scheme_of(url) not in ("", "file")))
        self.live = known_live or formats.never_ends(kind) if live is None else live
        self._stamps = stamps_of(self._stream, format=kind, live=self.live, fps=self._options.fps, name=self.name)
        self._clock = FrameClock(self._stamps)
        self._excerpt = Excerpt(self._options)
        self._start = announced_start(self._container)
        self.duration = None if self.live else self._excerpt.duration(self._start, whole)
        self._completeness = Completeness(self._container, self._stamps.time_base)
        self._maker = PictureMaker()
        self._failure: av.error.FFmpegError | None = None
        self._watch: PacketWatch | None = None
        self._frames = self._read()

    @property
    def losses(self) -> Losses:
        """See Source."""
        seen = self._completeness
        return Losses(unseen_seconds=seen.unseen_seconds, damaged=seen.damaged, untimed=self._untimed)

    @property
    def format(self) -> str:
        """FFmpeg's name of what the container is."""
        return self._container.format.name

    @property
    def stream(self) -> VideoStream:
        """The stream whose frames these are: its codec and its size."""
        return self._stream

    @property
    def stamps(self) -> Stamps:
        """How packets and frames are timed."""
        return self._stamps

    @property
    def start_of_day(self) -> Fraction | None:
        """POSIX seconds of second 0, as the source reported it (RTCP, with its first report); None where unknown.

        PyAV 17 cannot tell.
        """
        microseconds = getattr(self._container, "start_time_realtime", None)
        return Fraction(microseconds, 1_000_000) if microseconds else None

    def watch_packets(self, watch: PacketWatch) -> None:
        """Call `watch` with each packet of the video before it is decoded; set before the first frame is read."""
        self._watch = watch

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        """Release the file, the connection or the device, and end the iteration. May be called twice.

        Where another thread is waiting for the next frame, all this is left to the end of the process.
        """
        try:
            self._frames.close()
        except ValueError:  # "generator already executing"
            return
        self._container.close()
        if not isinstance(self._url, str):
            self._url.close()

    def _open(self) -> tuple[InputContainer, VideoStream]:
        # PyAV keeps FFmpeg's own log lines off stderr unless the application asks for them.
        container = open_playlist(self._url, name=self.name, format=self._format, options=self._options.demuxer)
        try:
            return container, video_stream(container, name=self.name, number=self._options.video_stream)
        except SourceError:
            container.close()
            raise

    def _read(self) -> Generator[Frame, None, None]:
        last: Fraction | None = None
        shown = False
        for decoded in self._decode():
            self._completeness.frame(decoded.pts)
            seconds, jumped = self._clock.time_of(decoded.pts, key=decoded.key_frame)
            if seconds is None:
                self._untimed += last is not None
                continue
            stands = None if self.live else shown_seconds(self._stamps, decoded.duration, seconds, last)
            last = seconds
            place = self._excerpt.place(seconds, jumped=jumped)
            if place == "after":
                self.was_enough = True
                return
            if place == "inside":
                shown = True
                yield DecodedFrame(decoded, seconds, discontinuity=jumped, duration=stands, maker=self._maker)
        self._check(last, shown=shown)

    def _decode(self) -> Iterator[VideoFrame]:
        """Slice threads only, PyAV's default: frame threads delay a camera and conceal damage differently each time."""
        started = False
        lost_since = time.monotonic()
        for packet in self._demux():
            try:
                decoded = self._stream.decode(packet)
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                self._completeness.lost()
                self._clock.lost()
                # Before the first key frame nothing can be decoded, however long it takes to come. A file is read to
                # its end, which will come; a live stream may never get well again.
                if self.live and started and time.monotonic() - lost_since > _LOST_SECONDS:
                    self._failure = error
                    return
                continue
            if decoded:
                started, lost_since = True, time.monotonic()
            yield from decoded

    def _demux(self) -> Iterator[Packet[VideoStream] | None]:
        """Packets of the video, then an empty one or None: both flush the decoder."""
        packets = self._packets()
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                self._failure, packet = error, None
            if packet is None:
                if not isinstance(self._url, str):
                    self._url.raise_failure()
                yield None
                return
            ours = packet.stream.index == self._stream.index
            if ours and packet.size:
                packet.pts = self._clock.sent(packet.pts, packet.dts)
                if self._watch is not None:
                    self._watch(cast("Packet[VideoStream]", packet))
            self._completeness.packet(packet, ours=ours)
            if ours:
                yield cast("Packet[VideoStream]", packet)

    def _packets(self) -> Iterator[Packet[Stream]]:
        """All packets; from the key frame before the part that is asked for, where the file can be wound to it."""
        begin, timed = self._options.begin, isinstance(self._stamps, PresentationStamps)
        if begin is not None and timed and self.duration is not None and isinstance(self._url, str):
            first = seek(self._container, self._stream, begin=begin, start=self._start)
            if first is None:
                self._container.close()
                self._container, self._stream = self._open()
            else:
                yield cast("Packet[Stream]", first)
        yield from self._container.demux()

    def _check(self, last: Fraction | None, *, shown: bool) -> None:
        """The error to raise after the last frame. Causes are not chained: FFmpeg's repeat the URL."""
        if isinstance(self._url, str) and formats.is_end(scheme_of(self._url), self._failure):
            self._failure = None
        if is_open_ended(self._container) and (not self._failure or isinstance(self._failure, av.error.ExitError)):
            self._failure = None
            warn_of_end(self.name)
        why = f" ({reason(self._failure, self._url)})" if self._failure else ""
        if last is None:
            raise SourceError(f"{self.name}: not one frame can be decoded{why}; {no_frame_advice(self._url)}")
        if self._failure or (not self.live and self._completeness.is_missing):
            whole = f" of {float(self.duration):.2f} s" if self.duration is not None else ""
            advice = (
                "the connection is gone; check the network and what is sending"
                if self.live
                else "what follows is missing or damaged; get a whole copy"
            )
            raise DecodeError(f"{self.name}: broke at {float(last):.2f} s{whole}{why}; {advice}", seconds=last)
        if not shown:
            raise SourceError(
                f"{self.name}: has nothing at {float(self._options.begin or 0):g} s or later; its last frame is at "
                f"{float(last):.2f} s"
            )
