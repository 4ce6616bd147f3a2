"""What a capture process sends of its source, and when."""

from __future__ import annotations

import time
from fractions import Fraction

from av import Packet, VideoFrame
from av.video.stream import VideoStream

from cmsn_runtime.capture.network_options import with_live_options
from cmsn_runtime.capture.pacing import Pace
from cmsn_runtime.capture.packet_times import PacketTimes
from cmsn_runtime.capture.protocol import CodecMessage, PacketMessage, Writer
from cmsn_runtime.capture.task import Task
from cmsn_runtime.pictures.compressing import JpegMaker
from cmsn_runtime.pictures.decoded import DecodedFrame
from cmsn_runtime.pictures.fitting import Scaler
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.sources.video import VideoSource

_ALIVE_SECONDS = 0.5  # between two signs of life before the first frame


def film(task: Task, writer: Writer) -> bool:
    """Open the source and send all of it -> whether all that the task asks for has been sent.

    Raises what open_source and its iteration raise; BrokenPipeError without a reader.
    """
    writer.started()
    options = task.options if task.paced else with_live_options(task.address, task.options)
    with open_source(task.address, options=options) as source:
        video = source if isinstance(source, VideoSource) else None
        writer.opened(video.format if video is not None else "")
        sender = _Sender(task, writer, video)
        for frame in source:
            sender.send(frame)
        return video is not None and video.was_enough


class _Sender:
    """Sends frames, each after its packet, and pictures of some of them. video: None where it is of another kind."""

    def __init__(self, task: Task, writer: Writer, video: VideoSource | None) -> None:
        self._writer = writer
        self._size = task.size
        self._scale = Scaler(task.size)
        self._pace = Pace() if task.paced else None
        self._pictures = _Pictures(task, writer) if task.pictures_per_second else None
        self._video = video
        self._start_of_day: Fraction | None = None
        self._began = False
        self._alive_due = 0.0
        self._packets = _Packets(video, writer) if task.packets and video is not None else None
        if video is not None:
            video.watch_packets(self._packet)

    def send(self, frame: Frame) -> None:
        if self._pace is not None:
            self._pace.wait(frame.seconds, jumped=frame.discontinuity)
        arrived = time.monotonic()
        self._began = True
        self._send_clock()
        self._writer.frame(
            frame.seconds,
            self._scale(frame).data.cast("B"),
            size=self._size,
            arrived=arrived,
            duration=frame.duration,
            discontinuity=frame.discontinuity,
        )
        if self._pictures is not None:
            self._pictures.send(frame, arrived)

    def _packet(self, packet: Packet[VideoStream]) -> None:
        if self._packets is not None:
            self._packets.send(packet)
        now = time.monotonic()
        if not self._began and now >= self._alive_due:
            self._alive_due = now + _ALIVE_SECONDS
            self._writer.alive()

    def _send_clock(self) -> None:
        found = self._video.start_of_day if self._video is not None else None
        if found is not None and found != self._start_of_day:
            self._start_of_day = found
            self._writer.clock(found)


class _Pictures:
    """Pictures for people, so many per second at most."""

    def __init__(self, task: Task, writer: Writer) -> None:
        self._writer = writer
        self._maker = JpegMaker(task.picture_width)
        self._interval = 1 / task.pictures_per_second
        self._due = 0.0

    def send(self, frame: Frame, now: float) -> None:
        if now < self._due:
            return
        picture = (
            frame.picture if isinstance(frame, DecodedFrame) else VideoFrame.from_ndarray(frame.pixels, format="rgb24")
        )
        # From the time it was due, so that 25 frames give 10 pictures and not 8; never more than one behind.
        self._due = max(self._due, now - self._interval) + self._interval
        self._writer.picture(frame.seconds, self._maker(picture))


class _Packets:
    """Compressed packets, and their codec before the first, and whenever it changes."""

    def __init__(self, video: VideoSource, writer: Writer) -> None:
        self._video = video
        self._writer = writer
        self._times = PacketTimes(video.stamps, video.format)
        self._codec: CodecMessage | None = None

    def send(self, packet: Packet[VideoStream]) -> None:
        codec = self._codec_now()
        if codec != self._codec:
            self._codec = codec
            self._writer.codec(codec)
        message = PacketMessage(
            seconds=self._times(packet.pts),
            pts=packet.pts,
            dts=packet.dts,
            duration=packet.duration or 0,
            arrived=time.monotonic(),
            key=packet.is_keyframe,
            data=bytes(packet),
        )
        self._writer.packet(message)

    def _codec_now(self) -> CodecMessage:
        context = self._video.stream.codec_context
        return CodecMessage(
            name=context.name,
            width=context.width,
            height=context.height,
            pixel_format=context.pix_fmt or "",
            time_base=self._video.stamps.time_base,
            extradata=bytes(context.extradata or b""),
        )
