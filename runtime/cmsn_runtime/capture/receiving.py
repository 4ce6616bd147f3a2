"""Turns the messages of a camera's processes into items on the camera's clock."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from cmsn_runtime.capture.camera_clock import CameraClock
from cmsn_runtime.capture.items import CapturedFrame, CapturedPacket, CapturedPicture, Codec, Deliver
from cmsn_runtime.capture.planes import picture_of
from cmsn_runtime.capture.protocol import (
    Alive,
    ClockMessage,
    CodecMessage,
    FrameMessage,
    Message,
    Opened,
    PacketMessage,
    PictureMessage,
    ProtocolError,
    Started,
)
from cmsn_runtime.capture.stalling import StallWatch
from cmsn_runtime.pictures.compressed import CompressedFrame
from cmsn_runtime.pictures.decoded import DecodedFrame
from cmsn_runtime.pictures.fitting import Scaler
from cmsn_runtime.pictures.frame import Frame

_SEGMENTED_FORMATS = frozenset({"hls"})
_PLAYLIST_SECONDS = 60  # a playlist that is joined again begins with what was played within this time
_MOST_HELD = 2000  # packets before a session's first frame, which joins their times


class Receiver:
    """Delivers frames, pictures and packets of one session after another. size: (height, width) of frames.

    file: see CameraClock. Raises ProtocolError for messages that contradict the task.
    """

    def __init__(self, size: tuple[int, int], deliver: Deliver, *, file: bool) -> None:
        self._size = size
        self._deliver = deliver
        self._clock = CameraClock(file=file)
        self._session = 0
        self._codec: Codec | None = None
        self._scale = Scaler(size)
        self._held: deque[PacketMessage] = deque(maxlen=_MOST_HELD)
        self._began = False
        self._segmented = False
        self._last: Fraction | None = None  # newest frame, on its session's clock

    def new_session(self) -> None:
        """What follows comes from a new connection."""
        self._session += 1
        self._clock.new_session()
        self._codec = None
        self._held.clear()
        self._began = False

    def take(self, message: Message, watch: StallWatch) -> None:
        """Deliver what a message holds, and report its coming to `watch`."""
        if isinstance(message, FrameMessage):
            if self._is_repeated(message):
                watch.alive()
                return
            watch.frame()
            self._frame(message)
        elif isinstance(message, PacketMessage):
            if self._began:
                self._packet(message)
            else:
                self._hold(message)
        elif isinstance(message, PictureMessage):
            self._picture(message)
        elif isinstance(message, CodecMessage):
            self._codec = Codec(**message._asdict(), session=self._session)
        elif isinstance(message, ClockMessage):
            self._clock.reported(message.offset)
        elif isinstance(message, Opened):
            self._segmented = message.format in _SEGMENTED_FORMATS
            watch.opened(segmented=self._segmented)
        elif isinstance(message, Alive):
            watch.alive()
        elif isinstance(message, Started):
            watch.started()

    def _frame(self, message: FrameMessage) -> None:
        pixels, self._last = self._pixels(message), message.seconds
        moment = self._clock.frame(message.seconds, arrived=message.arrived, jumped=message.discontinuity)
        frame = Frame(pixels, moment.seconds, moment.discontinuity, message.duration)
        if not self._began:
            self._began = True
            while self._held:
                self._packet(self._held.popleft())
        self._deliver(CapturedFrame(frame, message.arrived, moment.clock))

    def _is_repeated(self, message: FrameMessage) -> bool:
        """Whether a playlist that was joined again shows what it has shown before.

        A server keeps it when its encoder has gone: played again, it would be taken for the camera's return.
        """
        if self._began or not self._segmented or self._last is None:
            return False
        return self._last - _PLAYLIST_SECONDS < message.seconds <= self._last

    def _hold(self, message: PacketMessage) -> None:
        """Keep a packet until the first frame. Of what a playlist repeats, only what that frame needs."""
        if self._segmented and message.key:
            self._held.clear()
        self._held.append(message)

    def _pixels(self, message: FrameMessage) -> npt.NDArray[np.uint8]:
        if message.planar:
            return self._scale(DecodedFrame(picture_of(message), message.seconds))
        if (message.height, message.width) != self._size:
            raise ProtocolError(f"a frame of {message.width}x{message.height} came, not of the model's size")
        return np.frombuffer(message.pixels, np.uint8).reshape(*self._size, 3)

    def _picture(self, message: PictureMessage) -> None:
        seconds = self._clock.packet(message.seconds)
        if seconds is not None:
            self._deliver(CapturedPicture(CompressedFrame(message.jpeg, seconds)))

    def _packet(self, message: PacketMessage) -> None:
        if self._codec is None:
            raise ProtocolError("a packet came before its codec")
        packet = CapturedPacket(
            data=message.data,
            pts=message.pts,
            dts=message.dts,
            duration=message.duration,
            key=message.key,
            seconds=self._clock.packet(message.seconds),
            codec=self._codec,
            arrived=message.arrived,
        )
        self._deliver(packet)
