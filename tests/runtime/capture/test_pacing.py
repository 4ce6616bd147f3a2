"""A file at its own speed, and times of its packets."""

from __future__ import annotations

from fractions import Fraction

from cmsn_runtime.capture.pacing import Pace
from cmsn_runtime.capture.packet_times import PacketTimes
from cmsn_runtime.sources.stamps import CountedStamps, PresentationStamps


class Clock:
    """A clock that only sleeping moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_each_frame_is_waited_for_and_what_is_late_delays_nothing() -> None:
    clock = Clock()
    pace = Pace(clock, clock.sleep)
    due = []
    for seconds in (4000, 4001, 4002):
        pace.wait(Fraction(seconds), jumped=False)
        due.append(clock.now)
    clock.now += 1.5  # the receiver was slow
    pace.wait(Fraction(4003), jumped=False)
    due.append(clock.now)
    pace.wait(Fraction(4004), jumped=False)
    due.append(clock.now)
    assert due == [100, 101, 102, 103.5, 104]


def test_a_frame_after_a_jump_is_due_at_once() -> None:
    clock = Clock()
    pace = Pace(clock, clock.sleep)
    for seconds, jumped in ((0, False), (1, False), (9000, True), (9001, False)):
        pace.wait(Fraction(seconds), jumped=jumped)
    assert clock.now == 102


def test_packets_of_a_counter_that_wraps_go_on() -> None:
    times = PacketTimes(PresentationStamps(Fraction(1, 90000), None, period=1 << 33), "mpegts")
    assert times((1 << 33) - 90000) == -1
    assert times(90000) == 1


def test_packets_of_frames_that_are_counted_are_counted() -> None:
    times = PacketTimes(CountedStamps(Fraction(10), Fraction(1, 90000)), "h264")
    assert [times(None), times(77)] == [0, Fraction(1, 10)]
