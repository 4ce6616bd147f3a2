"""The search for the most live cameras, what a load counts as, and the film that is played."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import av
import bench_reports
import pytest

from cmsn_benchmarks.device import decoding, live_cameras
from cmsn_benchmarks.device.decoding import measure_decoding
from cmsn_benchmarks.device.figures import Decoding, Sustained
from cmsn_benchmarks.device.film import described, made_film
from cmsn_benchmarks.device.fleet_load import Load, lag_within
from cmsn_benchmarks.device.live_cameras import Search, camera_load, ending, most_cameras
from cmsn_benchmarks.device.searching import Found, search_most
from cmsn_benchmarks.device.table import print_report
from cmsn_runtime.errors import SourceError
from cmsn_runtime.live.status import LAG_BOUNDS
from cmsn_runtime.pictures.settings import FlowSettings, Preprocessing


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


def _tried(most: int, *tried: tuple[int, bool], exact: bool = False) -> Sustained:
    loads = tuple(replace(bench_reports.loads(1)[0], cameras=count, fits=fits) for count, fits in tried)
    return Sustained(most=most, exact=exact, rate=25.0, limit=500.0, picture="640x480 H.264", loads=loads)


SEARCH = Search(limit=500.0, first=8, budget=25.0, each=3.0)


def _table(capsys: pytest.CaptureFixture[str], **figures: object) -> str:
    print_report(bench_reports.report(replace(bench_reports.backend(), **figures)))  # type: ignore[arg-type]  # by name
    return capsys.readouterr().out


def test_a_search_that_time_ended_says_between_which_numbers_and_how_it_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = _tried(19, (11, True), (22, False), (19, True))
    assert ending(found, SEARCH) == (
        "the search for live cameras ended between 19 and 22, after 25 s; --search-seconds 50 takes it further"
    )
    assert "19 to 21" in _table(capsys, sustained=found)


def test_a_search_in_which_all_kept_up_says_how_far_it_went(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _tried(16, (8, True), (16, True))
    assert "16 or more" in _table(capsys, sustained=found)
    ended = ending(found, SEARCH)
    assert ended is not None
    assert "ended at 16, which keep up, after 25 s" in ended
    monkeypatch.setattr(live_cameras, "most_cameras", lambda: 16)
    assert ending(found, SEARCH) == (
        "the search for live cameras ended at 16, which keep up, since memory holds no more"
    )


def test_a_search_that_ended_by_itself_needs_no_note(capsys: pytest.CaptureFixture[str]) -> None:
    found = _tried(8, (8, True), (9, False), exact=True)
    assert ending(found, SEARCH) is None
    assert "8 to" not in _table(capsys, sustained=found)


def test_cameras_that_got_no_processor_are_too_many_by_their_frame_rate(capsys: pytest.CaptureFixture[str]) -> None:
    (fitted, *_) = bench_reports.loads(1)
    slow = replace(fitted, cameras=2, fits=False, left_out=0, frames_per_second=23.4, frame_to_event={"p99": 200.0})
    found = replace(_tried(1, (1, True), exact=True), loads=(fitted, slow))
    assert "2: 23.4 fps each" in _table(capsys, sustained=found)


@pytest.mark.parametrize(
    ("content", "most"),
    [("MemAvailable:  3000000 kB\n", 20), ("MemAvailable: 1 kB", 1), ("MemAvailable: x kB", 4096), ("", 4096)],
)
def test_no_more_cameras_are_tried_than_memory_holds(content: str, most: int, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(f"MemTotal: 9 kB\n{content}")
    assert most_cameras(tmp_path) == most


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


def test_decoding_and_converting_are_timed_frame_by_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = made_film((96, 64), tmp_path)
    monkeypatch.setattr(decoding, "_SECONDS", 0.0)
    found = measure_decoding(film, Preprocessing((48, 64), (48, 64)))
    assert found.decode.count == found.convert.count == 50
    assert 0 < found.decode.least <= found.decode.p50 <= found.decode.p99 <= found.decode.most
    assert 0 < found.convert.least <= found.convert.p99
    assert (found.rate, found.picture, found.flow) == (25.0, "96x64 H.264", None)


def test_flow_is_timed_where_the_bundle_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cv2")
    film = made_film((96, 64), tmp_path)
    monkeypatch.setattr(decoding, "_SECONDS", 0.0)
    found = measure_decoding(film, Preprocessing((48, 64), (32, 48), flow=FlowSettings()))
    assert found.flow is not None
    assert found.flow.count == found.convert.count
    assert found.flow.least > 0
    assert re.search(r"optical flow, in the stream +[0-9.]+ +[0-9.]+ ms", _table(capsys, decoding=found))


def test_a_film_of_one_frame_has_figures_and_one_that_is_gone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        picture = av.VideoFrame(64, 64, "yuv420p")
        picture.pts = 0
        container.mux([*stream.encode(picture), *stream.encode(None)])
    film = described(path)
    assert measure_decoding(film, Preprocessing((32, 32), (32, 32))).decode.count == 1
    path.unlink()
    with pytest.raises(SourceError):
        measure_decoding(film, Preprocessing((32, 32), (32, 32)))


def test_the_table_has_what_a_frame_costs_before_a_hop(capsys: pytest.CaptureFixture[str]) -> None:
    decode, convert = (bench_reports.latency([each] * 50) for each in (2.0, 0.5))
    film = Decoding(decode=decode, convert=convert, rate=25.0, picture="640x480 H.264")
    shown = _table(capsys, decoding=film)
    assert "Before a hop, per frame of 640x480 H.264" in shown
    assert re.search(r"decode +2.00 +2.00 ms +5 %", shown)
    assert re.search(r"convert to the bundle's size +0.50 +0.50 ms +1 %", shown)
