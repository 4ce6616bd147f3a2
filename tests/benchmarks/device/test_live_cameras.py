"""The search for the most live cameras, what a load counts as, and the film that is played."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import pytest

from cmsn_benchmarks.device.film import described, made_film
from cmsn_benchmarks.device.fleet_load import Load, lag_within
from cmsn_benchmarks.device.live_cameras import camera_load
from cmsn_benchmarks.device.searching import Found, search_most
from cmsn_runtime.errors import SourceError
from cmsn_runtime.live.status import LAG_BOUNDS


@pytest.mark.parametrize("most", [0, 1, 5, 12, 13, 40])
@pytest.mark.parametrize("first", [1, 6, 30])
def test_the_search_finds_the_largest_that_fits(most: int, first: int) -> None:
    tried: list[int] = []

    def fits(count: int) -> bool:
        tried.append(count)
        return count <= most

    assert search_most(fits, first=first, most=100, go_on=lambda: True) == Found(most, exact=True)
    assert len(tried) == len(set(tried)) <= 12


def test_a_search_without_time_reports_what_fitted_so_far() -> None:
    assert search_most(lambda count: count <= 9, first=4, most=100, go_on=lambda: False) == Found(4, exact=False)
    assert search_most(lambda count: False, first=4, most=100, go_on=lambda: False) == Found(0, exact=False)


def test_a_search_that_ends_at_its_bound_is_not_exact() -> None:
    assert search_most(lambda count: True, first=3, most=10, go_on=lambda: True) == Found(10, exact=False)


LOAD = Load(4, 25.0, 0, 0, 0.02, 0.1, 0.5, 0.3, 200.0, 30.0)


def test_a_load_fits_where_all_frames_come_in_time_and_none_is_left_out() -> None:
    found = camera_load(LOAD, rate=25.0, limit=500.0)
    assert found.fits
    assert found.frame_to_event == {"p50": 20.0, "p99": 100.0}
    assert found.megabytes == 320.0
    for change in ({"left_out": 1}, {"frames_per_second": 23.0}, {"lag_p99": 1.0}, {"lag_p99": float("inf")}):
        assert not camera_load(replace(LOAD, **change), rate=25.0, limit=500.0).fits
    assert "p99" not in camera_load(replace(LOAD, lag_p99=float("inf")), rate=25.0, limit=500.0).frame_to_event


def test_a_percentile_of_lags_is_the_bound_that_holds_it() -> None:
    counts = [98, 1, 0, 1, *[0] * (len(LAG_BOUNDS) - 3)]
    assert lag_within(counts, 0.5) == LAG_BOUNDS[0]
    assert lag_within(counts, 0.99) == LAG_BOUNDS[1]
    assert lag_within(counts, 1.0) == LAG_BOUNDS[3]
    assert lag_within([*[0] * len(LAG_BOUNDS), 1], 0.5) == float("inf")


def test_the_film_repeats_a_group_of_pictures_without_a_jump_in_time(tmp_path: Path) -> None:
    film = made_film((96, 64), tmp_path)
    assert (film.rate, film.picture) == (25.0, "96x64 H.264")
    with av.open(str(film.path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    times = [float((packet.pts or 0) * packet.time_base) for packet in packets]
    assert times == [pytest.approx(number / 25) for number in range(4000)]
    with av.open(str(film.path)) as container:
        decoded = [frame.time for number, frame in zip(range(250), container.decode(video=0), strict=False)]
    assert decoded == [pytest.approx(number / 25) for number in range(250)]
    before = film.path.stat().st_mtime_ns
    made_film((96, 64), tmp_path)
    assert film.path.stat().st_mtime_ns == before


def test_a_file_that_is_no_film_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_text("nothing")
    with pytest.raises(SourceError, match="is no video that can be played"):
        described(tmp_path / "x.mp4")
