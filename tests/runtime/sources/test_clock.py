"""Times of frames only go forward, or jump back where the clock was set back."""

from __future__ import annotations

from fractions import Fraction

from cmsn_runtime.sources.clock import FrameClock
from cmsn_runtime.sources.stamps import PresentationStamps

MILLISECONDS = Fraction(1, 1000)


def times(*pts: int) -> list[tuple[Fraction | None, bool]]:
    clock = FrameClock(PresentationStamps(MILLISECONDS, Fraction(10)))
    return [clock.time_of(stamp, key=False) for stamp in pts]


def test_a_frame_that_is_not_later_than_the_last_has_no_time() -> None:
    assert [seconds for seconds, _ in times(100, 200, 200, 150, 300)] == [
        Fraction(1, 10),
        Fraction(2, 10),
        None,
        None,
        Fraction(3, 10),
    ]


def test_going_back_by_a_second_is_a_jump_and_time_goes_on_from_there() -> None:
    assert times(5000, 4000, 4100) == [(Fraction(5), False), (Fraction(4), True), (Fraction(41, 10), False)]


def test_a_frame_without_a_time_yet_leaves_the_clock_alone() -> None:
    clock = FrameClock(PresentationStamps(MILLISECONDS, None, from_first=True))
    assert [clock.time_of(pts, key=False) for pts in (None, None, 5000, None)] == [
        (None, False),
        (None, False),
        (Fraction(5), False),
        (Fraction(504, 100), False),
    ]
