"""Frames have the times that are in the file, however it keeps them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from clips import (
    decoded_by_pyav,
    increasing,
    number_of,
    numbered,
    pictures,
    read,
    spoil_packets,
    write_clip,
    write_pictures,
)

from cmsn_runtime.errors import SourceWarning
from cmsn_runtime.sources.opening import open_source

MJPEG: dict[str, Any] = {"codec": "mjpeg", "pixel_format": "yuvj420p"}
WRAP = Fraction(1 << 33, 90_000)  # seconds after which a counter of MPEG-TS begins anew


def test_b_frames_and_variable_rates_keep_their_written_timestamps(tmp_path: Path) -> None:
    times = [Fraction(n, 12800) for n in (0, 512, 900, 4000, 4001, 9000, 20000, 20512, 21024, 30000)]
    clip = write_clip(tmp_path / "a.mp4", pictures(10), times=times, options={"bf": "3", "b-adapt": "0"})
    assert any(frame.pict_type == av.video.frame.PictureType.B for frame in decoded_by_pyav(clip))
    assert [frame.seconds for frame in read(clip)] == times


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts"])
def test_a_late_start_is_kept_and_is_no_fault(tmp_path: Path, name: str) -> None:
    times = [Fraction(3) + Fraction(i, 25) for i in range(5)]
    clip = write_clip(tmp_path / name, pictures(5), times=times)
    stored = [frame.pts * frame.time_base for frame in decoded_by_pyav(clip)]
    assert stored[0] >= 3
    assert [frame.seconds for frame in read(clip)] == stored


@pytest.mark.parametrize(("rate", "options"), [(25, {"bf": "0"}), (25, {"bf": "3", "b-adapt": "0"}), (10, {})])
def test_a_raw_stream_runs_at_the_rate_of_its_headers_with_one_warning(
    tmp_path: Path, rate: int, options: dict[str, str]
) -> None:
    clip = write_clip(tmp_path / "a.h264", numbered(12), rate=rate, options=options)
    with pytest.warns(SourceWarning, match=f"no timestamps; taken as {rate} frames per second.*--fps") as caught:
        frames = read(clip)
    assert [(number_of(frame), frame.seconds) for frame in frames] == [(n, Fraction(n, rate)) for n in range(12)]
    assert len(caught) == 1


@pytest.mark.parametrize("name", ["a.h264", "a.mjpeg", "a.mp4", "a.avi"])
def test_a_given_rate_counts_whatever_the_file_says(tmp_path: Path, name: str) -> None:
    clip = write_clip(tmp_path / name, numbered(8), **(MJPEG if "mjpeg" in name else {}))
    frames = read(clip, fps=Fraction(30000, 1001))
    assert [frame.seconds for frame in frames] == [Fraction(1001 * n, 30000) for n in range(8)]


def test_an_ffmpeg_picture_pattern_runs_at_the_default_rate_with_one_warning(tmp_path: Path) -> None:
    write_pictures(tmp_path, [f"{n:03}.png" for n in range(4)])
    with pytest.warns(SourceWarning, match="taken as 25"):
        assert [frame.seconds for frame in read(tmp_path / "%03d.png")] == [Fraction(n, 25) for n in range(4)]


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"bf": "0"}),
        ("libx264", {"bf": "3", "b-adapt": "0"}),
        ("mpeg4", {"bf": "2", "qmax": "2"}),
        ("mpeg4", {"qmax": "2"}),
        ("mjpeg", {}),
    ],
)
def test_frames_of_an_avi_are_shown_at_their_places_and_none_is_lost(
    tmp_path: Path, codec: str, options: dict[str, str]
) -> None:
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    clip = write_clip(tmp_path / "a.avi", numbered(20), codec=codec, pixel_format=pixel_format, rate=1, options=options)
    assert [(number_of(frame), frame.seconds) for frame in read(clip)] == [(n, Fraction(n)) for n in range(20)]


def test_a_packet_lost_in_an_avi_shifts_nothing_after_the_next_key_frame(tmp_path: Path) -> None:
    options = {"bf": "2", "b-adapt": "0", "g": "10", "sc_threshold": "0", "x264-params": "open-gop=0"}
    clip = write_clip(tmp_path / "a.avi", numbered(20), rate=1, options=options)
    spoil_packets(clip, after=Fraction(3), until=Fraction(5))
    frames = [(number_of(frame), frame.seconds) for frame in read(clip)]
    assert [frame for frame in frames if frame[0] >= 10] == [(n, Fraction(n)) for n in range(10, 20)]


def test_a_source_that_begins_below_zero_is_whole(tmp_path: Path) -> None:
    times = [Fraction(n, 25) - 3 for n in range(100)]
    clip = write_clip(tmp_path / "a.ts", pictures(100), times=times, muxing={"avoid_negative_ts": "disabled"})
    frames = read(clip)
    assert [frame.seconds for frame in frames] == times
    assert not any(frame.discontinuity for frame in frames)


def test_a_source_that_begins_far_above_zero_is_whole(tmp_path: Path) -> None:
    times = [90_000 + Fraction(n, 25) for n in range(50)]
    assert [frame.seconds for frame in read(write_clip(tmp_path / "a.ts", pictures(50), times=times))] == times


def test_a_counter_that_wraps_goes_on(tmp_path: Path) -> None:
    times = [int(WRAP) - 70 + Fraction(70 * n, 49) for n in range(100)]
    clip = write_clip(tmp_path / "a.ts", pictures(100), times=times, options={"bf": "2", "b-adapt": "0"})
    frames = read(clip)
    assert all(abs(frame.seconds - time) < Fraction(1, 10_000) for frame, time in zip(frames, times, strict=True))
    assert not any(frame.discontinuity for frame in frames)


@pytest.mark.parametrize("begin", [20, 4000, 60_000])
def test_a_camera_that_restarts_has_the_times_of_its_clock(tmp_path: Path, begin: int) -> None:
    first = write_clip(tmp_path / "a.ts", pictures(50), times=[begin + Fraction(n, 25) for n in range(50)])
    second = write_clip(tmp_path / "b.ts", pictures(50), times=[1 + Fraction(n, 25) for n in range(50)])
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    frames = read(both)
    assert [frame.seconds for frame in frames[50:]] == [1 + Fraction(n, 25) for n in range(50)]
    assert [index for index, frame in enumerate(frames) if frame.discontinuity] == [50]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_the_last_frame_carries_its_duration(tmp_path: Path, name: str) -> None:
    clip = write_clip(tmp_path / name, pictures(10), last_duration=Fraction(3))
    frames = read(clip)
    assert frames[-1].duration == 3
    assert all(frame.duration is None for frame in frames[:-1])


def test_a_clock_that_is_set_back_is_a_discontinuity(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "a.ts", pictures(50), times=[Fraction(9) + Fraction(i, 25) for i in range(50)])
    second = write_clip(tmp_path / "b.ts", pictures(50))
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    frames = read(both)
    assert [i for i, frame in enumerate(frames) if frame.discontinuity] == [50]
    assert increasing(frame.seconds for frame in frames[:50])
    assert increasing(frame.seconds for frame in frames[50:])


def test_a_file_has_a_duration_and_is_not_live(tmp_path: Path) -> None:
    with open_source(write_clip(tmp_path / "a.mp4", pictures(50))) as source:
        assert source.duration == 2
        assert not source.live
