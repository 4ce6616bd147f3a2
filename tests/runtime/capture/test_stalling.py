"""When a session counts as stalled."""

from __future__ import annotations

import pytest

from cmsn_runtime.capture.stalling import StallWatch, is_segmented


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_opening_and_each_frame_have_the_limit(clock: Clock) -> None:
    watch = StallWatch(5.0, segmented=False, now=clock)
    clock.now = 2
    watch.started()
    assert watch.deadline == 7
    assert "within 5 s of connecting" in watch.reason()
    watch.opened(segmented=False)
    clock.now = 4
    watch.frame()
    assert watch.deadline == 9
    assert watch.reason() == "no frame for 5 s"


def test_a_process_has_longer_to_start(clock: Clock) -> None:
    assert StallWatch(0.5, segmented=False, now=clock).deadline == 30


def test_data_before_the_first_frame_extends_it_but_not_for_ever(clock: Clock) -> None:
    """A stream that is joined between two key frames gives no frame until the next, which may be 20 s away."""
    watch = StallWatch(5.0, segmented=False, now=clock)
    watch.started()
    watch.opened(segmented=False)
    for clock.now in (4, 8, 12):
        watch.alive()
        assert watch.deadline == clock.now + 5
    for clock.now in range(13, 100):
        watch.alive()
    assert watch.deadline == 30
    assert "key frame" in watch.reason()


def test_data_after_the_first_frame_extends_nothing(clock: Clock) -> None:
    watch = StallWatch(5.0, segmented=False, now=clock)
    watch.started()
    watch.opened(segmented=False)
    watch.frame()
    clock.now = 3
    watch.alive()
    assert watch.deadline == 5


@pytest.mark.parametrize("by_address", [True, False])
def test_hls_has_six_times_the_limit(clock: Clock, by_address: bool) -> None:
    watch = StallWatch(5.0, segmented=by_address, now=clock)
    watch.started()
    assert watch.deadline == (30 if by_address else 5)
    watch.opened(segmented=True)
    watch.frame()
    assert watch.deadline == 30


def test_a_playlist_shows_in_its_address() -> None:
    assert is_segmented("https://user:word@camera/live/index.m3u8?token=1")
    assert not is_segmented("http://camera/video.mjpg")
    assert not is_segmented("/recordings/index.m3u8")
