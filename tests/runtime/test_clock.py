"""Decoder timestamps to seconds: reordering, missing and wrong ones."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from cmsn_runtime.sources.clock import FrameClock

MILLISECONDS = Fraction(1, 1000)


def clock(rate: Fraction | None = Fraction(10)) -> FrameClock:
    return FrameClock(MILLISECONDS, rate)


def test_seconds_are_exact() -> None:
    ntsc = FrameClock(Fraction(1, 30000), None)
    assert [ntsc.time_of(1001 * i, None) for i in range(3)] == [(Fraction(1001 * i, 30000), False) for i in range(3)]


def test_frames_without_timestamps_follow_at_the_average_rate() -> None:
    it = clock()
    assert [it.time_of(pts, None)[0] for pts in (None, None, 500, None)] == [
        0,
        Fraction(1, 10),
        Fraction(1, 2),
        Fraction(6, 10),
    ]
    assert [clock(None).time_of(None, None)[0] for _ in range(1)] == [0]


def test_a_missing_pts_is_taken_from_the_dts() -> None:
    assert clock().time_of(None, 70) == (Fraction(70, 1000), False)


def test_a_frame_that_is_not_later_has_no_place() -> None:
    it = clock()
    assert [it.time_of(pts, None)[0] for pts in (100, 200, 200, 150, 300)] == [
        Fraction(1, 10),
        Fraction(2, 10),
        None,
        None,
        Fraction(3, 10),
    ]


def test_going_back_by_a_second_is_a_jump_and_time_goes_on_from_there() -> None:
    it = clock()
    assert [it.time_of(pts, pts) for pts in (5000, 4000, 4100)] == [
        (Fraction(5), False),
        (Fraction(4), True),
        (Fraction(41, 10), False),
    ]


def test_pts_that_are_wrong_all_along_give_way_to_dts() -> None:
    # What FFmpeg guesses for an AVI with two B-frames: every third frame runs backwards, the DTS are steady.
    it = clock()
    pts = [40 * (i + (0, 1, -1)[i % 3]) for i in range(60)]
    assert sum(later <= earlier for earlier, later in pairwise(pts)) == 20
    times = [it.time_of(stamp, 40 * i)[0] for i, stamp in enumerate(pts)]
    assert times[12:] == [Fraction(40 * i, 1000) for i in range(12, 60)]
    assert sum(time is None for time in times) <= 3


def test_a_few_wrong_pts_in_a_damaged_video_do_not_discredit_the_rest() -> None:
    it = clock()
    times = []
    for i in range(300):
        pts = 40 * i - (60 if i in (100, 200, 250) else 0)
        times.append(it.time_of(pts, 40 * i - 500)[0])
    assert [i for i, time in enumerate(times) if time is None] == [100, 200, 250]
    assert times[251:] == [Fraction(40 * i, 1000) for i in range(251, 300)]
