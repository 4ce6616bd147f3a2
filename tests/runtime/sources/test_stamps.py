"""Seconds from decoder timestamps of every quality: exact, missing, wrong, wrapped, in decoding order, or none."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest

from cmsn_runtime.sources.stamps import (
    ArrivalStamps,
    CountedStamps,
    DecodingStamps,
    PresentationStamps,
    Stamps,
    Unwrapper,
)

MILLISECONDS = Fraction(1, 1000)
TICKS = 1 << 33
SECOND = 90_000


def stamps(rate: Fraction | None = Fraction(10)) -> PresentationStamps:
    return PresentationStamps(MILLISECONDS, rate)


def seconds(it: Stamps, packets: Sequence[tuple[int | None, int | None]]) -> list[Fraction | None]:
    """Of frames that leave the decoder as soon as they enter it."""
    return [it.seconds(it.sent(pts, dts), key=False) for pts, dts in packets]


def test_seconds_are_exact_fractions_of_the_time_base() -> None:
    ntsc = PresentationStamps(Fraction(1, 30000), None)
    assert seconds(ntsc, [(1001 * n, None) for n in range(3)]) == [Fraction(1001 * n, 30000) for n in range(3)]


def test_frames_without_timestamps_follow_at_the_average_rate() -> None:
    expected = [0, Fraction(1, 10), Fraction(1, 2), Fraction(6, 10)]
    assert seconds(stamps(), [(None, None), (None, None), (500, None), (None, None)]) == expected
    assert seconds(stamps(None), [(None, None), (None, None)]) == [0, Fraction(1, 25)]


def test_a_missing_pts_is_taken_from_the_dts() -> None:
    assert seconds(stamps(), [(None, 70)]) == [Fraction(70, 1000)]


def test_dts_replace_pts_that_are_wrong_throughout() -> None:
    # What FFmpeg guesses for a container with two B-frames and no PTS: every third frame runs backwards.
    pts = [40 * (n + (0, 1, -1)[n % 3]) for n in range(60)]
    assert sum(later <= earlier for earlier, later in pairwise(pts)) == 20
    found = seconds(stamps(), [(stamp, 40 * n) for n, stamp in enumerate(pts)])
    assert found[12:] == [Fraction(40 * n, 1000) for n in range(12, 60)]


def test_a_few_wrong_pts_in_a_damaged_video_do_not_discredit_the_rest() -> None:
    pts = [40 * n - (60 if n in (100, 200, 250) else 0) for n in range(300)]
    found = seconds(stamps(), [(stamp, 40 * n - 500) for n, stamp in enumerate(pts)])
    assert found == [Fraction(stamp, 1000) for stamp in pts]


def test_frames_in_decoding_order_get_the_dts_in_order() -> None:
    """Sent I0 P3 B1 B2 I4, shown 0 1 2 3 4: the n-th frame at the n-th DTS."""
    it = DecodingStamps(MILLISECONDS)
    sent = [it.sent(999, dts) for dts in (0, 100, 200, 300, 400)]
    assert sent == [0, 100, 200, 300, 400]  # not the PTS that FFmpeg guesses
    shown = [(0, True), (200, False), (300, False), (100, False), (400, True)]
    assert [it.seconds(carried, key=key) for carried, key in shown] == [Fraction(n, 10) for n in range(5)]


@pytest.mark.parametrize("refused", [True, False])
def test_packets_that_give_no_frame_shift_nothing_after_the_next_key_frame(refused: bool) -> None:
    it = DecodingStamps(MILLISECONDS)
    for dts in range(0, 500, 100):
        it.sent(None, dts)
        if refused and dts in (100, 200):
            it.lost()
    assert it.seconds(0, key=True) == 0
    assert it.seconds(300, key=True) == Fraction(3, 10)
    assert it.seconds(400, key=False) == Fraction(4, 10)


def test_a_decoder_that_never_gives_a_frame_takes_no_memory() -> None:
    it = DecodingStamps(MILLISECONDS)
    for dts in range(1000):
        it.sent(None, dts)
    assert it.seconds(999, key=True) == Fraction(999, 1000)


def test_live_frames_without_timestamps_are_timed_by_arrival() -> None:
    clock = iter([5_000_000_000, 5_900_000_000, 6_250_000_000])  # opened, and after a model was warmed up
    it = ArrivalStamps(now=lambda: next(clock))
    assert seconds(it, [(0, 0), (1, 1), (2, 2)]) == [0, Fraction(9, 10), Fraction(5, 4)]


def test_packets_that_a_decoder_refused_are_counted_in_the_times_of_later_frames() -> None:
    it = CountedStamps(Fraction(10), MILLISECONDS)
    it.seconds(None, key=True)
    it.lost()
    assert it.seconds(None, key=False) == Fraction(2, 10)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ([100, 90_000_000, 200], [100, 90_000_000, 200]),  # a camera that restarts
        ([TICKS - 90 * SECOND, TICKS - SECOND, SECOND], [TICKS - 90 * SECOND, TICKS - SECOND, TICKS + SECOND]),
        # Reordered over the wrap, and FFmpeg's own correction of single stamps at the wrap.
        (
            [TICKS - 90 * SECOND, TICKS - 1, 3, TICKS - 2, 5],
            [TICKS - 90 * SECOND, TICKS - 1, TICKS + 3, TICKS - 2, TICKS + 5],
        ),
        ([TICKS - 90 * SECOND, TICKS - 1, TICKS + 3, 5], [TICKS - 90 * SECOND, TICKS - 1, TICKS + 3, TICKS + 5]),
        ([TICKS - SECOND, TICKS - 1, 1], [-SECOND, -1, 1]),  # begins below zero
        # A restart after a wrap, and a long silence after a wrap.
        (
            [TICKS - 90 * SECOND, TICKS - 1, 1, 4000 * SECOND, SECOND],
            [TICKS - 90 * SECOND, TICKS - 1, TICKS + 1, TICKS + 4000 * SECOND, SECOND],
        ),
        ([TICKS - 20_000 * SECOND, SECOND], [TICKS - 20_000 * SECOND, SECOND]),  # far from the end: no wrap
    ],
)
def test_only_a_step_over_the_end_of_the_counter_is_a_wrap(raw: list[int], expected: list[int]) -> None:
    unwrap = Unwrapper(TICKS, 60 * SECOND)
    assert [unwrap(stamp) for stamp in raw] == expected


def test_a_counter_without_an_end_is_left_alone() -> None:
    unwrap = Unwrapper(None, 60 * SECOND)
    assert [unwrap(stamp) for stamp in (TICKS, 5, TICKS)] == [TICKS, 5, TICKS]


def test_the_first_packet_of_rtp_whose_pts_its_parser_loses_is_at_zero() -> None:
    """FFmpeg counts the PTS of RTP from the first packet."""
    stamps = PresentationStamps(Fraction(1, 90000), None, from_first=True)
    carried = [stamps.sent(pts, None) for pts in (None, 3600, None)]
    assert carried == [0, 3600, None]
    assert [stamps.seconds(pts, key=False) for pts in carried[:2]] == [0, Fraction(1, 25)]
