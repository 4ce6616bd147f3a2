"""The messages of a capture process: the one module that writes and reads them.

It imports the standard library alone: GStreamer's capture script loads it by its path, in whatever Python (3.10 or
later) has GStreamer's bindings.

A message is a head (mark, kind, length) and its body. Numbers are little-endian; times are fractions of two 64-bit
numbers, and of no denominator where there is none.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import BinaryIO, NamedTuple, TypeAlias

_MARK = 0x4E534D43  # "CMSN"
_HEAD = struct.Struct("<IBI")
_FRAME = struct.Struct("<qQqQdBHH")
_PICTURE = struct.Struct("<qQ")
_PACKET = struct.Struct("<qQqqqdB")
_CODEC = struct.Struct("<I")
_LARGEST = 1 << 28  # bytes of a body; a frame of 8K has 100 MB

_STARTED, _OPENED, _ALIVE, _FRAMES, _PICTURES, _PACKETS, _CODECS, _CLOCKS, _WARNED, _ENDED = range(1, 11)
_DISCONTINUITY, _PLANAR = 1, 2
_KEY, _WITHOUT_PTS, _WITHOUT_DTS = 1, 2, 4


class ProtocolError(ValueError):
    """Bytes that are no message: from a process that crashed while it wrote, or that is something else."""


class Started(NamedTuple):
    """The process has imported what it needs and begins to open its source."""


class Opened(NamedTuple):
    """The source is open. format: FFmpeg's name of it, or "gstreamer"."""

    format: str


class Alive(NamedTuple):
    """Data comes, though no frame yet: a stream that was joined between two key frames."""


class FrameMessage(NamedTuple):
    """A frame. arrived: time.monotonic().

    pixels: uint8 [height, width, 3], contiguous, at the model's size; where `planar`, of the source's own size in the
    three planes of I420 as GStreamer lays them out (see planes.py).
    """

    seconds: Fraction
    duration: Fraction | None
    discontinuity: bool
    arrived: float
    height: int
    width: int
    planar: bool
    pixels: memoryview


class PictureMessage(NamedTuple):
    """A picture for people. jpeg: its file."""

    seconds: Fraction
    jpeg: bytes


class PacketMessage(NamedTuple):
    """A compressed frame; see items.CapturedPacket."""

    seconds: Fraction | None
    pts: int | None
    dts: int | None
    duration: int
    arrived: float
    key: bool
    data: bytes


class CodecMessage(NamedTuple):
    """The codec of the packets that follow; see items.Codec."""

    name: str
    width: int
    height: int
    pixel_format: str
    time_base: Fraction
    extradata: bytes


class ClockMessage(NamedTuple):
    """POSIX seconds of second 0 on the source's clock, as the source itself reported it (RTCP)."""

    offset: Fraction


class Warned(NamedTuple):
    """What a user should know about how the source is read."""

    text: str


class Ended(NamedTuple):
    """Nothing follows. reason: of a fault, or empty. hopeless: opening it again cannot help."""

    reason: str
    hopeless: bool


Message: TypeAlias = (
    Started
    | Opened
    | Alive
    | FrameMessage
    | PictureMessage
    | PacketMessage
    | CodecMessage
    | ClockMessage
    | Warned
    | Ended
)


_EMPTY: Mapping[int, Message] = {_STARTED: Started(), _ALIVE: Alive()}


class Writer:
    """Writes messages to a file that is not buffered. Each is whole when a method returns. Raises OSError."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def started(self) -> None:
        self._write(_STARTED)

    def opened(self, format: str) -> None:
        self._write(_OPENED, format.encode())

    def alive(self) -> None:
        self._write(_ALIVE)

    def frame(
        self,
        seconds: Fraction,
        pixels: bytes | memoryview,
        *,
        size: tuple[int, int],
        arrived: float,
        duration: Fraction | None = None,
        discontinuity: bool = False,
        planar: bool = False,
    ) -> None:
        """size: (height, width)."""
        flags = _DISCONTINUITY * discontinuity | _PLANAR * planar
        head = _FRAME.pack(*_parts(seconds), *_parts(duration), arrived, flags, *size)
        self._write(_FRAMES, head, pixels)

    def picture(self, seconds: Fraction, jpeg: bytes) -> None:
        self._write(_PICTURES, _PICTURE.pack(*_parts(seconds)), jpeg)

    def packet(self, message: PacketMessage) -> None:
        flags = _KEY * message.key | _WITHOUT_PTS * (message.pts is None) | _WITHOUT_DTS * (message.dts is None)
        pts, dts = message.pts or 0, message.dts or 0
        head = _PACKET.pack(*_parts(message.seconds), pts, dts, message.duration, message.arrived, flags)
        self._write(_PACKETS, head, message.data)

    def codec(self, message: CodecMessage) -> None:
        facts = {**message._asdict(), "time_base": str(message.time_base), "extradata": None}
        text = json.dumps(facts).encode()
        self._write(_CODECS, _CODEC.pack(len(text)), text, message.extradata)

    def clock(self, offset: Fraction) -> None:
        self._write(_CLOCKS, str(offset).encode())

    def warned(self, text: str) -> None:
        self._write(_WARNED, text.encode())

    def ended(self, reason: str, hopeless: bool) -> None:
        self._write(_ENDED, json.dumps({"reason": reason, "hopeless": hopeless}).encode())

    def _write(self, kind: int, *parts: bytes | memoryview) -> None:
        length = sum(len(part) for part in parts)
        small = b"".join([_HEAD.pack(_MARK, kind, length), *parts[:-1]])
        for part in (small, *parts[-1:]):
            view = memoryview(part)
            while view:  # an unbuffered file may take less than it is given
                view = view[self._file.write(view) :]


class Reader:
    """Turns bytes, in whatever pieces they come, into messages; a body is read to where it stays, without a copy.

    `room` is where the next bytes go, and `filled` gets their number.
    """

    def __init__(self) -> None:
        self._head = bytearray(_HEAD.size)
        self._body: bytearray | None = None
        self._kind = 0
        self._count = 0  # bytes of the head, or of the body, so far

    def room(self) -> memoryview:
        """Where the next bytes go: never empty, and never more than belong to this message."""
        return memoryview(self._head if self._body is None else self._body)[self._count :]

    def filled(self, count: int) -> Message | None:
        """So many bytes came, at least one -> the message, if it is whole.

        Raises ProtocolError for bytes that are none; nothing can follow then.
        """
        self._count += count
        if self._body is None:
            if self._count < _HEAD.size:
                return None
            mark, self._kind, length = _HEAD.unpack(self._head)
            if mark != _MARK or length > _LARGEST:
                raise ProtocolError("what came is no message of a capture process")
            self._body, self._count = bytearray(length), 0
        if self._count < len(self._body):
            return None
        body, self._body, self._count = self._body, None, 0
        return _read(self._kind, memoryview(body))

    def end(self) -> None:
        """No more bytes will come. Raises ProtocolError where the last message is cut short."""
        if self._count or self._body is not None:
            raise ProtocolError("the last message of a capture process is cut short")


def _parts(seconds: Fraction | None) -> tuple[int, int]:
    return (0, 0) if seconds is None else (seconds.numerator, seconds.denominator)


def _fraction(numerator: int, denominator: int) -> Fraction | None:
    return Fraction(numerator, denominator) if denominator else None


def _exact(numerator: int, denominator: int) -> Fraction:
    if not denominator:
        raise ProtocolError("a frame of a capture process has no time")
    return Fraction(numerator, denominator)


def _read(kind: int, body: memoryview) -> Message:
    try:
        if kind == _FRAMES:
            return _frame(body)
        if kind == _PICTURES:
            return PictureMessage(_exact(*_PICTURE.unpack_from(body)), bytes(body[_PICTURE.size :]))
        if kind == _PACKETS:
            return _packet(body)
        if kind == _CODECS:
            return _codec(body)
        if kind == _CLOCKS:
            return ClockMessage(Fraction(str(body, "utf-8")))
        if kind == _ENDED:
            facts: Mapping[str, object] = json.loads(bytes(body))
            return Ended(str(facts["reason"]), bool(facts["hopeless"]))
        if kind == _WARNED:
            return Warned(str(body, "utf-8"))
        if kind == _OPENED:
            return Opened(str(body, "utf-8"))
        if kind in _EMPTY:
            return _EMPTY[kind]
    except ProtocolError:
        raise
    except (struct.error, ValueError, KeyError, TypeError, ZeroDivisionError):
        raise ProtocolError("the body of a message of a capture process is damaged") from None
    raise ProtocolError("a message of a capture process is of an unknown kind")


def _frame(body: memoryview) -> FrameMessage:
    *times, arrived, flags, height, width = _FRAME.unpack_from(body)
    pixels, planar = body[_FRAME.size :], bool(flags & _PLANAR)
    if not planar and len(pixels) != height * width * 3:
        raise ProtocolError("a frame of a capture process is not of the size it states")
    seconds, duration, jumped = _exact(*times[:2]), _fraction(*times[2:]), bool(flags & _DISCONTINUITY)
    return FrameMessage(seconds, duration, jumped, arrived, height, width, planar, pixels)


def _packet(body: memoryview) -> PacketMessage:
    numerator, denominator, pts, dts, duration, arrived, flags = _PACKET.unpack_from(body)
    seconds, key, data = _fraction(numerator, denominator), bool(flags & _KEY), bytes(body[_PACKET.size :])
    pts, dts = (None if flags & _WITHOUT_PTS else pts), (None if flags & _WITHOUT_DTS else dts)
    return PacketMessage(seconds, pts, dts, duration, arrived, key, data)


def _codec(body: memoryview) -> CodecMessage:
    (length,) = _CODEC.unpack_from(body)
    facts = json.loads(bytes(body[_CODEC.size : _CODEC.size + length]))
    facts.update(time_base=Fraction(facts["time_base"]), extradata=bytes(body[_CODEC.size + length :]))
    return CodecMessage(**facts)
