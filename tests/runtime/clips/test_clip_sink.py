"""The output `clips`: what it saves, and what happens where it cannot."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from live_camera import Session, play

from cmsn_runtime.bundle import Bundle
from cmsn_runtime.clips.saving import clip_stem, save_clip
from cmsn_runtime.clips.sink import CLIPS, ClipSettings, ClipSink
from cmsn_runtime.errors import OutputError, SettingsError
from cmsn_runtime.events import Event, StreamEvent
from cmsn_runtime.secrets import remember
from cmsn_runtime.sinks.base import Ending
from cmsn_runtime.sinks.kinds import SinkContext, find_sink

CONTEXT = SinkContext(Fraction(8, 25), site="mill")


def run(bundle: Bundle, sink: ClipSink, video: Path) -> None:
    with bundle.stream() as stream:
        play(stream, sink, Session(video))


def clip_sink(folder: Path, **settings: Any) -> ClipSink:
    return ClipSink(ClipSettings(folder="unused", **settings), folder, site="mill")


def test_the_entry_point_opens_it_from_a_value_and_from_a_table(tmp_path: Path) -> None:
    assert find_sink("clips") is CLIPS
    with CLIPS.open(str(tmp_path / "one"), CONTEXT) as sink:
        assert sink.wants_packets and not sink.wants_pictures
    assert CLIPS.open_table is not None
    context = SinkContext(Fraction(8, 25), folder=tmp_path)
    with CLIPS.open_table({"folder": "two", "max_bytes": 1000, "min_score": 0.5}, context):
        assert (tmp_path / "two").is_dir()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "folder is missing"),
        ({"folder": "a", "max_bytes": 0}, "max_bytes is 0; it must be at least 1"),
        ({"folder": "a", "min_score": 2.0}, "min_score is 2.0; it must be from 0 to 1"),
        ({"folder": "a", "older": 1}, "'older', which is unknown"),
    ],
)
def test_a_table_that_will_not_do_is_refused(table: dict[str, object], message: str) -> None:
    assert CLIPS.check_table is not None
    with pytest.raises(SettingsError, match=message):
        CLIPS.check_table(table, CONTEXT)


@pytest.mark.parametrize(("score", "saved"), [(0.69, 0), (0.71, 1)])
def test_finals_below_the_score_leave_no_clip(
    bundle: Bundle, tmp_path: Path, video: Path, score: float, saved: int
) -> None:
    sink = _Scored(ClipSettings(folder="unused", min_score=0.7), tmp_path / "saved", site="mill")
    sink.score = score
    run(bundle, sink, video)
    assert len(list((tmp_path / "saved").iterdir())) == 2 * saved and sink.counts["saved"] == saved


class _Scored(ClipSink):
    """Its events have this score."""

    score = 0.0

    def event(self, source: str, event: StreamEvent) -> None:
        if isinstance(event, Event):
            event = replace(event, proposal=replace(event.proposal, score=self.score))
        super().event(source, event)


def test_the_newest_clips_stay_within_the_bytes(bundle: Bundle, tmp_path: Path, long_video: Path) -> None:
    limit = 250_000
    sink = clip_sink(tmp_path / "saved", max_bytes=limit)
    run(bundle, sink, long_video)
    files = list((tmp_path / "saved").iterdir())
    assert sink.counts["saved"] == 30 and sink.removed == 30 - len(files) // 2 > 0
    assert sum(path.stat().st_size for path in files) <= limit
    assert any("_1_30_1.clip" in path.name for path in files)


def test_a_clip_larger_than_all_bytes_is_counted_and_reported_once(
    bundle: Bundle, tmp_path: Path, long_video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = clip_sink(tmp_path / "saved", max_bytes=1000)
    run(bundle, sink, long_video)
    assert sink.counts == {"oversized": 30}
    assert capsys.readouterr().err.count("a clip is larger than max_bytes, 1000") == 1


def test_a_disk_that_is_full_for_a_while_costs_only_its_clips(
    bundle: Bundle,
    tmp_path: Path,
    long_video: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = 0

    def failing(*arguments: Any, **options: Any) -> tuple[Path, Path]:
        nonlocal calls
        calls += 1
        if 5 < calls <= 10:
            raise OutputError("clips: cannot be written (No space left on device)")
        return save_clip(*arguments, **options)

    monkeypatch.setattr("cmsn_runtime.clips.sink.save_clip", failing)
    sink = clip_sink(tmp_path / "saved")
    run(bundle, sink, long_video)
    assert sink.counts == {"saved": 25, "failed": 5, "inexact": 0}
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_a_video_file_has_no_packets_and_says_how_to_play_it(
    bundle: Bundle, tmp_path: Path, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = clip_sink(tmp_path / "saved")
    with bundle.stream() as stream:
        packets = [frame for _, frames in Session(video).packets() for frame in frames]
        sink.begin("yard", None)
        for event in [event for frame in packets for event in stream.push(frame)] + stream.flush():
            sink.event("yard", event)
        sink.end("yard", Ending(None))
    assert sink.counts == {"missing": 1}
    assert "clips are of live cameras that FFmpeg opens, and of --live FILE" in capsys.readouterr().err


def test_names_of_files_are_valid_and_hold_no_secret() -> None:
    remember("hunter22-canary")
    stem = clip_stem("mill/yard hunter22-canary:1/20260101T000000Z-0000/1/2/1")
    assert "hunter22" not in stem and "/" not in stem and ":" not in stem and "*" not in stem
