"""Resampling by timestamps: exact counts, the right frame on every tick, segments."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.streams.resampling import Resampler, SegmentStart, Tick
from cmsn_runtime.timegrid import TimeGrid

PIXELS = np.zeros((1, 1, 3), dtype=np.uint8)
GRID = TimeGrid(Fraction(25))
NTSC = Fraction(30000, 1001)


def frames_at(times: Iterable[Fraction]) -> list[Frame]:
    return [Frame(PIXELS, time) for time in times]


def run(resampler: Resampler[Frame], frames: Iterable[Frame]) -> list[Tick[Frame] | SegmentStart]:
    items = [item for frame in frames for item in resampler.push(frame)]
    return [*items, *resampler.flush()]


def ticks_of(items: Iterable[Tick[Frame] | SegmentStart]) -> list[Tick[Frame]]:
    return [item for item in items if isinstance(item, Tick)]


def strict(fps: Fraction, *, max_gap: Fraction = Fraction(10)) -> Resampler[Frame]:
    return Resampler(TimeGrid(fps), max_gap=max_gap, jitter=Fraction(0))


def shown(fps: Fraction, times: list[Fraction]) -> list[Fraction]:
    return [tick.moment.seconds for tick in ticks_of(run(strict(fps), frames_at(times)))]


rates = st.sampled_from([Fraction(r) for r in (5, 10, 24, 25, 30, 50, 60)] + [NTSC, Fraction(24000, 1001)])


@given(source=rates, model=rates, count=st.integers(1, 200), origin=st.fractions(-50, 50, max_denominator=1000))
def test_steady_rates_give_the_exact_number_of_ticks(
    source: Fraction, model: Fraction, count: int, origin: Fraction
) -> None:
    ticks = ticks_of(run(strict(model), frames_at(origin + i / source for i in range(count))))
    # A frame that is alone has shown no rate of its own and lasts one model frame.
    expected = 1 if count == 1 else -(-count * model // source)
    assert [tick.index for tick in ticks] == list(range(expected))


@given(
    model=rates,
    gaps=st.lists(st.fractions(Fraction(1, 500), 2, max_denominator=90_000), max_size=60),
    origin=st.fractions(0, 10_000, max_denominator=90_000),
)
def test_each_tick_shows_the_newest_frame_that_is_not_later(
    model: Fraction, gaps: list[Fraction], origin: Fraction
) -> None:
    times = [origin]
    for gap in gaps:
        times.append(times[-1] + gap)
    items = run(strict(model), frames_at(times))
    assert items[0] == SegmentStart(origin, "first frame")
    ticks = ticks_of(items)
    assert len(items) == len(ticks) + 1
    assert [tick.index for tick in ticks] == list(range(len(ticks)))
    for tick in ticks:
        moment = origin + tick.index / model
        assert tick.moment.seconds == max(time for time in times if time <= moment)
    # The ticks reach the last frame and do not go on beyond its own length.
    length = gaps[-1] if gaps else 1 / model
    assert origin + len(ticks) / model >= times[-1] + length
    assert origin + (len(ticks) - 1) / model < times[-1] + length


def test_an_hour_of_ntsc_does_not_drift() -> None:
    resampler: Resampler[Frame] = Resampler(GRID, max_gap=Fraction(10))
    count = 3600 * 30
    last = None
    for i in range(count):
        for item in resampler.push(Frame(PIXELS, i / NTSC)):
            last = item
    assert isinstance(last, Tick)
    assert last.index == (count - 1) * 25 * 1001 // 30000
    assert abs(last.moment.seconds - Fraction(last.index, 25)) < 1 / NTSC


def test_twice_the_rate_takes_every_second_frame_and_half_the_rate_shows_each_twice() -> None:
    fast = [Fraction(i, 50) for i in range(8)]
    assert shown(Fraction(25), fast) == fast[::2]
    slow = [Fraction(i) * 2 / 25 for i in range(3)]
    assert shown(Fraction(25), slow) == [time for time in slow for _ in range(2)]


def test_times_rounded_to_milliseconds_keep_their_ticks() -> None:
    times = [Fraction(round(i * 1000 / 30), 1000) for i in range(300)]
    ticks = ticks_of(run(Resampler(TimeGrid(Fraction(30)), max_gap=Fraction(1)), frames_at(times)))
    assert [tick.moment.seconds for tick in ticks] == times
    assert len(set(shown(Fraction(30), times))) < len(times)  # what the tolerance is for


def test_a_long_gap_begins_a_new_segment_at_the_next_frame() -> None:
    before, after = [Fraction(i, 25) for i in range(3)], [Fraction(5) + Fraction(i, 25) for i in range(2)]
    items = run(Resampler(GRID, max_gap=Fraction(2)), frames_at(before + after))
    assert [item.index if isinstance(item, Tick) else item.origin for item in items] == [0, 0, 1, 2, 5, 0, 1]
    assert isinstance(items[4], SegmentStart)
    assert "4.920 s" in items[4].reason


def test_a_gap_as_long_as_allowed_is_held_over() -> None:
    items = run(strict(Fraction(25), max_gap=Fraction(2)), frames_at([Fraction(0), Fraction(2)]))
    assert [tick.moment.seconds for tick in ticks_of(items)] == [0] * 50 + [2] * 50


def test_a_discontinuity_begins_a_new_segment_even_without_a_gap() -> None:
    items = run(
        Resampler(GRID, max_gap=Fraction(2)),
        [Frame(PIXELS, Fraction(0)), Frame(PIXELS, Fraction(1, 25), discontinuity=True)],
    )
    assert [type(item) for item in items] == [SegmentStart, Tick, SegmentStart, Tick]


def test_the_length_of_a_last_frame_is_not_taken_from_another_segment() -> None:
    times = [Fraction(0), Fraction(1), Fraction(100)]
    ticks = ticks_of(run(Resampler(GRID, max_gap=Fraction(2)), frames_at(times)))
    assert sum(tick.moment.seconds == 100 for tick in ticks) == 1


def test_a_long_way_back_begins_a_new_segment_and_a_short_one_drops_the_frame() -> None:
    resampler: Resampler[Frame] = Resampler(GRID, max_gap=Fraction(2))
    items = run(resampler, frames_at([Fraction(10), Fraction(11), Fraction(21, 2), Fraction(11), Fraction(3)]))
    assert [item.origin for item in items if isinstance(item, SegmentStart)] == [10, 3]
    assert {tick.moment.seconds for tick in ticks_of(items)} == {10, 11, 3}
    assert resampler.dropped == 2


def test_after_flush_everything_begins_anew() -> None:
    resampler: Resampler[Frame] = Resampler(GRID, max_gap=Fraction(2))
    frames = frames_at(Fraction(7) + Fraction(i, 30) for i in range(20))
    assert run(resampler, frames) == run(resampler, frames)
    assert list(resampler.flush()) == []


def test_times_that_are_not_exact_are_refused() -> None:
    with pytest.raises(SettingsError, match="Fraction"):
        Resampler(GRID, max_gap=Fraction(1)).push(Frame(PIXELS, 0.04))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gap", "jitter"), [(Fraction(0), Fraction(0)), (Fraction(1), Fraction(-1)), (Fraction(1), Fraction(1, 25))]
)
def test_senseless_settings_are_refused(gap: Fraction, jitter: Fraction) -> None:
    with pytest.raises(SettingsError, match="must be"):
        Resampler(GRID, max_gap=gap, jitter=jitter)
