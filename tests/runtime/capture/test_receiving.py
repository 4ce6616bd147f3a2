"""Messages of a camera's sessions -> items on one clock."""

from __future__ import annotations

from fractions import Fraction

import pytest
from captured import Captured

from cmsn_runtime.capture.items import CapturedFrame, CapturedPacket
from cmsn_runtime.capture.protocol import CodecMessage, FrameMessage, Opened, PacketMessage, ProtocolError
from cmsn_runtime.capture.receiving import Receiver
from cmsn_runtime.capture.stalling import StallWatch

CODEC = CodecMessage("h264", 4, 2, "yuv420p", Fraction(1, 90000), b"")


def frame(seconds: int, arrived: float, *, size: tuple[int, int] = (2, 4)) -> FrameMessage:
    pixels = memoryview(bytes(size[0] * size[1] * 3))
    return FrameMessage(Fraction(seconds), None, False, arrived, *size, False, pixels)


def packet(seconds: int, *, key: bool) -> PacketMessage:
    return PacketMessage(Fraction(seconds), seconds * 90000, None, 0, 0.0, key, b"data")


class Sessions:
    """A receiver and what it delivers. name: FFmpeg's of the format."""

    def __init__(self, captured: Captured, name: str) -> None:
        self.receiver = Receiver((2, 4), captured.deliver, file=False)
        self.captured = captured
        self.name = name
        self.watch = StallWatch(5.0, segmented=False)

    def begin(self) -> None:
        self.receiver.new_session()
        self.watch = StallWatch(5.0, segmented=False)
        self.receiver.take(Opened(self.name), self.watch)
        self.receiver.take(CODEC, self.watch)

    def frames(self, *seconds: int, arrived: float) -> list[float]:
        """Take frames that arrive together -> the times of all that were delivered so far."""
        for second in seconds:
            self.receiver.take(frame(second, arrived), self.watch)
        return [float(item.frame.seconds) for item in self.captured.of(CapturedFrame)]


def test_what_a_playlist_repeats_when_it_is_joined_again_is_left_out(captured: Captured) -> None:
    sessions = Sessions(captured, "hls")
    sessions.begin()
    sessions.frames(100, 101, 102, arrived=10.0)
    sessions.begin()
    assert sessions.frames(100, 101, 102, arrived=50.0) == [100, 101, 102]
    assert sessions.frames(103, 104, arrived=60.0) == [100, 101, 102, 152, 153]


def test_an_encoder_that_begins_anew_is_shown_from_its_beginning(captured: Captured) -> None:
    sessions = Sessions(captured, "hls")
    sessions.begin()
    sessions.frames(1000, 1001, arrived=10.0)
    sessions.begin()
    assert sessions.frames(1, 2, arrived=50.0)[2:] == [1041, 1042]


def test_other_cameras_may_begin_at_the_same_times_again(captured: Captured) -> None:
    sessions = Sessions(captured, "rtsp")
    sessions.begin()
    sessions.frames(0, 1, arrived=10.0)
    sessions.begin()
    assert sessions.frames(0, 1, arrived=20.0) == [0, 1, 11, 12]


def test_packets_before_a_sessions_first_frame_have_its_clock_and_its_codec(captured: Captured) -> None:
    sessions = Sessions(captured, "rtsp")
    for number, arrived in ((1, 10.0), (2, 20.0)):
        sessions.begin()
        for second in (7, 8):
            sessions.receiver.take(packet(second, key=second == 7), sessions.watch)
        assert len(captured.of(CapturedPacket)) == 2 * (number - 1)
        sessions.frames(7, arrived=arrived)
    packets = captured.of(CapturedPacket)
    assert [item.seconds for item in packets] == [Fraction(n) for n in (7, 8, 17, 18)]
    assert [item.codec.session for item in packets] == [1, 1, 2, 2]


def test_a_frame_of_another_size_than_was_asked_for_is_refused(captured: Captured) -> None:
    sessions = Sessions(captured, "rtsp")
    sessions.begin()
    with pytest.raises(ProtocolError, match="not of the model's size"):
        sessions.receiver.take(frame(0, 0.0, size=(3, 3)), sessions.watch)


def test_a_packet_without_a_codec_is_refused(captured: Captured) -> None:
    sessions = Sessions(captured, "rtsp")
    sessions.receiver.new_session()
    sessions.receiver.take(packet(0, key=True), sessions.watch)
    with pytest.raises(ProtocolError, match="before its codec"):
        sessions.frames(0, arrived=0.0)
