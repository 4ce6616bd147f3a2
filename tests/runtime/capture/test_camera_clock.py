"""One clock for all sessions of a camera."""

from __future__ import annotations

from fractions import Fraction

from cmsn_runtime.capture.camera_clock import CameraClock, Moment

BOOTED = 1_000_000.0  # POSIX time at which the monotonic clock was 0


def clock(*, file: bool = False) -> CameraClock:
    return CameraClock(file=file, monotonic_begin=lambda: BOOTED)


def frame(camera: CameraClock, seconds: Fraction | int, arrived: float, *, jumped: bool = False) -> Moment:
    return camera.frame(Fraction(seconds), arrived=arrived, jumped=jumped)


def test_times_of_the_first_session_are_kept_as_they_are() -> None:
    camera = clock()
    found = [frame(camera, Fraction(3003 * n, 90000), 10 + n / 30) for n in range(4)]
    assert [moment.seconds for moment in found] == [Fraction(3003 * n, 90000) for n in range(4)]
    assert not any(moment.discontinuity for moment in found)


def test_a_later_session_is_joined_by_arrival_exactly() -> None:
    camera = clock()
    frame(camera, 40, 100.0)
    camera.new_session()
    assert frame(camera, Fraction(1, 3), 107.5)[:2] == (Fraction(475, 10), True)
    assert frame(camera, Fraction(2, 3), 107.8)[:2] == (Fraction(475, 10) + Fraction(1, 3), False)


def test_time_goes_on_even_where_no_time_has_passed() -> None:
    camera = clock()
    frame(camera, 40, 100.0)
    camera.new_session()
    assert frame(camera, 0, 100.0).seconds > 40


def test_times_that_were_set_back_are_joined_anew() -> None:
    camera = clock()
    frame(camera, 500, 100.0)
    assert frame(camera, 3, 100.04, jumped=True)[:2] == (500 + Fraction(4, 100), True)


def test_times_that_jump_ahead_of_arrival_are_joined_anew_and_a_silence_is_not() -> None:
    camera = clock()
    frame(camera, 0, 100.0)
    assert frame(camera, 3600, 100.04)[:2] == (Fraction(4, 100), True)
    assert frame(camera, 3660, 160.04)[:2] == (60 + Fraction(4, 100), False)


def test_frames_that_were_held_back_and_come_in_a_burst_keep_their_times() -> None:
    camera = clock()
    frame(camera, 0, 100.0)
    assert [frame(camera, n, 120.0)[:2] for n in (1, 2, 3)] == [(Fraction(n), False) for n in (1, 2, 3)]
    assert frame(camera, 20, 120.0)[:2] == (Fraction(20), False)


def test_a_file_keeps_its_own_times_wherever_they_jump() -> None:
    camera = clock(file=True)
    frame(camera, 500, 100.0)
    assert frame(camera, 3, 100.04, jumped=True)[:2] == (Fraction(3), True)
    assert frame(camera, 4000, 100.08)[:2] == (Fraction(4000), False)


def test_the_time_of_day_is_that_of_arrival_and_goes_on_over_sessions() -> None:
    camera = clock()
    first = frame(camera, 40, 100.0)
    camera.new_session()
    second = frame(camera, 0, 110.0)
    assert first.clock.origin == "arrival"
    assert first.clock.at(first.seconds) == BOOTED + 100
    assert second.clock.at(second.seconds) == BOOTED + 110


def test_a_frame_that_came_sooner_corrects_the_time_of_day() -> None:
    """After a burst of frames that were held back, as RTMP begins."""
    camera = clock()
    frame(camera, 0, 105.0)
    later = frame(camera, 6, 106.0)
    assert later.clock.at(later.seconds) == BOOTED + 106


def test_a_drifting_clock_is_followed_within_minutes() -> None:
    camera, moment = clock(), None
    for second in range(4000):
        moment = frame(camera, second, 100 + second * 1.001)
    assert moment is not None
    assert abs(moment.clock.at(moment.seconds) - (BOOTED + 100 + 3999 * 1.001)) < 0.3


def test_the_cameras_own_time_of_day_is_used_once_it_reports_it_and_until_its_session_ends() -> None:
    camera = clock()
    frame(camera, 0, 100.0)
    camera.new_session()
    camera.reported(Fraction(5_000_000))
    moment = frame(camera, 2, 110.0)
    assert (moment.clock.origin, moment.clock.at(moment.seconds)) == ("rtcp", 5_000_002.0)
    camera.new_session()
    assert frame(camera, 0, 120.0).clock.origin == "arrival"


def test_packets_have_the_times_of_their_frames() -> None:
    camera = clock()
    assert camera.packet(Fraction(1)) is None
    frame(camera, 40, 100.0)
    camera.new_session()
    assert camera.packet(Fraction(1)) is None
    frame(camera, 1, 105.0)
    assert (camera.packet(Fraction(1)), camera.packet(None)) == (Fraction(45), None)
