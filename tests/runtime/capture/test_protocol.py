"""Messages of a capture process: whole in whatever pieces they come, and nothing else is taken for one."""

from __future__ import annotations

import io
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from external import SYSTEM_PYTHON, require_program
from hypothesis import example, given
from hypothesis import strategies as some

from cmsn_runtime.capture import protocol
from cmsn_runtime.capture.planes import picture_of, plane_sizes
from cmsn_runtime.capture.protocol import (
    Alive,
    ClockMessage,
    CodecMessage,
    Ended,
    FrameMessage,
    Message,
    Opened,
    PacketMessage,
    PictureMessage,
    ProtocolError,
    Reader,
    Started,
    Warned,
    Writer,
)

PACKET = PacketMessage(Fraction(-7, 90000), -630, None, 3600, 12.5, True, b"packet")
CODEC = CodecMessage("h264", 64, 48, "yuv420p", Fraction(1, 90000), b"\x00\x01")


class Trickle(io.BytesIO):
    """A file that takes three bytes at a time, as a pipe that is nearly full."""

    def write(self, data: Any) -> int:
        return super().write(bytes(memoryview(data)[:3]))


def fed(reader: Reader, data: bytes) -> list[Message]:
    """What comes of bytes that arrive together."""
    found = []
    while data:
        room = reader.room()
        count = min(len(room), len(data))
        room[:count] = data[:count]
        data, message = data[count:], reader.filled(count)
        if message is not None:
            found.append(message)
    return found


def every_message() -> tuple[bytes, list[Message]]:
    file = Trickle()
    writer = Writer(file)
    writer.started()
    writer.opened("rtsp")
    writer.alive()
    writer.clock(Fraction(1795758156738577, 1000000))
    writer.codec(CODEC)
    writer.packet(PACKET)
    writer.packet(PACKET._replace(seconds=None, pts=None, dts=-(1 << 40), key=False))
    writer.frame(Fraction(1001, 30000), bytes(range(18)), size=(2, 3), arrived=3.25, discontinuity=True)
    planes = bytes(sum(rows * row for rows, row in plane_sizes(3, 5)))
    writer.frame(Fraction(1), planes, size=(3, 5), arrived=4.0, duration=Fraction(1, 25), planar=True)
    writer.picture(Fraction(2), b"jpeg")
    writer.warned("25 frames per second, maybe")
    writer.ended("gone: é", hopeless=True)
    return file.getvalue(), [
        Started(),
        Opened("rtsp"),
        Alive(),
        ClockMessage(Fraction(1795758156738577, 1000000)),
        CODEC,
        PACKET,
        PACKET._replace(seconds=None, pts=None, dts=-(1 << 40), key=False),
        FrameMessage(Fraction(1001, 30000), None, True, 3.25, 2, 3, False, memoryview(bytes(range(18)))),
        FrameMessage(Fraction(1), Fraction(1, 25), False, 4.0, 3, 5, True, memoryview(planes)),
        PictureMessage(Fraction(2), b"jpeg"),
        Warned("25 frames per second, maybe"),
        Ended("gone: é", True),
    ]


@given(some.lists(some.integers(1, 200), min_size=1))
def test_every_message_comes_out_as_it_went_in_whatever_the_pieces(sizes: list[int]) -> None:
    data, sent = every_message()
    reader, got, begin = Reader(), list[Message](), 0
    for size in sizes:
        got += fed(reader, data[begin : begin + size])
        begin += size
    got += fed(reader, data[begin:])
    reader.end()
    assert got == sent


def test_a_stream_that_is_cut_within_a_message_is_told() -> None:
    data, sent = every_message()
    reader = Reader()
    assert fed(reader, data[:-1]) == sent[:-1]
    with pytest.raises(ProtocolError, match="cut short"):
        reader.end()


@given(some.binary(min_size=9, max_size=60))
def test_garbage_is_no_message(garbage: bytes) -> None:
    if garbage.startswith(b"CMSN"):
        return
    with pytest.raises(ProtocolError):
        fed(Reader(), garbage)


@given(some.integers(0, 10_000), some.integers(1, 255))
@example(57, 1)  # the denominator of a time of day becomes 0
def test_an_altered_byte_gives_other_messages_or_a_protocol_error_and_nothing_worse(place: int, change: int) -> None:
    data = bytearray(every_message()[0])
    data[place % len(data)] ^= change
    reader = Reader()
    try:
        fed(reader, bytes(data))
        reader.end()
    except ProtocolError:
        pass


def test_a_frame_of_another_size_than_it_states_is_refused() -> None:
    file = io.BytesIO()
    Writer(file).frame(Fraction(0), b"abc", size=(2, 2), arrived=0.0)
    with pytest.raises(ProtocolError, match="size"):
        fed(Reader(), file.getvalue())


def test_planes_of_another_size_than_they_state_are_refused() -> None:
    message = FrameMessage(Fraction(0), None, False, 0.0, 4, 4, True, memoryview(b"abc"))
    with pytest.raises(ProtocolError, match="size"):
        picture_of(message)


def test_the_system_python_loads_it_by_its_path_with_nothing_else_of_ours() -> None:
    require_program(SYSTEM_PYTHON)
    folder = Path(protocol.__file__).parent
    check = (
        "import sys; sys.path.insert(0, sys.argv[1]); import protocol, process_setup, gstreamer_child;"
        "assert not [name for name in sys.modules if name.startswith(('cmsn', 'numpy', 'av'))]"
    )
    subprocess.run([SYSTEM_PYTHON, "-E", "-c", check, str(folder)], check=True)
