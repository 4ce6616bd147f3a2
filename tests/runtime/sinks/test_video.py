"""The output `video`: what is drawn where, and the files that hold it."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import read
from command_line import cmsn

from cmsn_runtime.errors import MissingExtraError, OutputError, SettingsError
from cmsn_runtime.events import Event, EventKind, Proposal, StagePreview, StageStep, Stamp, WallClock
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sinks.base import Ending
from cmsn_runtime.sinks.kinds import SinkContext, find_sink
from cmsn_runtime.sinks.overlay import Overlay
from cmsn_runtime.sinks.scene import Scene, SceneKeeper
from cmsn_runtime.sinks.video import VIDEO, VideoSink
from cmsn_runtime.sinks.video_file import VideoFile
from cmsn_runtime.stages import Stage

pytest.importorskip("PIL", reason="annotated videos need Pillow")

STEP = Fraction(8, 25)
CONTEXT = SinkContext(STEP, ["yard.mp4"], site="mill")
ORANGE, BLUE = (255, 176, 0), (77, 163, 240)


def event(kind: EventKind, start: float, end: float, *, action: int = 1, at: float = 20.0, rank: int = 1) -> Event:
    return Event(kind, action, rank, Proposal(Fraction(start), Fraction(end), 0.75), Fraction(at))


def step(seconds: Fraction, stage: Stage) -> StageStep:
    return StageStep(seconds, stage, np.zeros(6, np.float32))


def scene_of(*events: Event, steps: Sequence[StageStep] = (), now: float = 60.0) -> Scene:
    keeper = SceneKeeper("yard", seconds=60.0, step_seconds=STEP)
    for each in events:
        keeper.event(each)
    for settled in steps:
        keeper.step(settled)
    return keeper.scene(Fraction(now), "12:00:00")


def drawn(scene: Scene, width: int = 640, height: int = 480) -> np.ndarray:
    return Overlay()(np.full((height, width, 3), 128, np.uint8), scene)


def seconds_of(picture: np.ndarray, colour: tuple[int, int, int], *, rows: slice) -> tuple[float, float]:
    """The begin and end of a colour in the timeline of 60 s, whose right edge is now."""
    frame, margin = 3, 9
    inside = picture[rows, frame:-frame].astype(int)
    found = np.flatnonzero((np.abs(inside - colour) < 40).all(axis=2).any(axis=0))
    begin, end = (found[[0, -1]] + frame - margin) / (picture.shape[1] - 2 * margin) * 60
    return float(begin), float(end)


def test_a_live_proposal_frames_the_picture_and_stands_where_it_belongs() -> None:
    picture = drawn(scene_of(event("provisional", 30, 45)))
    assert tuple(picture[0, 300]) == tuple(picture[240, 0]) == ORANGE
    assert seconds_of(picture, ORANGE, rows=slice(440, 452)) == pytest.approx((30, 45), abs=0.5)


def test_a_final_takes_its_place_and_the_frame_goes() -> None:
    picture = drawn(scene_of(event("provisional", 30, 45), event("final", 30, 48)))
    assert tuple(picture[240, 0]) == (128, 128, 128)
    assert seconds_of(picture, BLUE, rows=slice(440, 452)) == pytest.approx((30, 48), abs=0.5)


def test_a_withdrawn_action_leaves_nothing() -> None:
    plain = drawn(scene_of())
    assert np.array_equal(drawn(scene_of(event("provisional", 30, 45), event("withdrawn", 30, 45))), plain)


def test_alternatives_are_not_drawn() -> None:
    assert scene_of(event("final", 1, 2, rank=2)).finals == ()


def test_settled_stages_lie_at_their_own_time_and_the_rest_is_open() -> None:
    steps = [step(index * STEP, Stage.CONFIRM if 40 <= index < 60 else Stage.BACKGROUND) for index in range(100)]
    picture = drawn(scene_of(steps=steps))
    confirm = (213, 94, 0)  # D55E00
    assert seconds_of(picture, confirm, rows=slice(460, 468)) == pytest.approx((12.8, 19.2), abs=0.5)
    at = {seconds: tuple(picture[464, 9 + round((640 - 18) * seconds / 60)]) for seconds in (5, 31, 33, 55)}
    assert at[5] == at[31] != at[33] == at[55]


def test_stages_that_may_still_change_are_half_as_high_and_replaced() -> None:
    keeper = SceneKeeper("yard", seconds=60.0, step_seconds=STEP)
    for index in range(100):
        keeper.step(step(index * STEP, Stage.BACKGROUND))
    for stage in (Stage.READY, Stage.CONFIRM):
        keeper.preview(StagePreview(80 * STEP, np.full(48, stage, np.uint8)))
    picture = drawn(keeper.scene(Fraction(60), ""))
    confirm = (213, 94, 0)
    assert seconds_of(picture, confirm, rows=slice(466, 469)) == pytest.approx((32, 40.96), abs=0.5)
    assert not (np.abs(picture[458:463].astype(int) - confirm) < 40).all(axis=2).any()


def test_what_left_the_timeline_is_forgotten() -> None:
    keeper = SceneKeeper("yard", seconds=60.0, step_seconds=STEP)
    for number in range(1000):
        keeper.event(event("final", number, number + 1, action=number, at=number + 4.0))
        keeper.step(step(number * STEP, Stage(number % 6)))
        scene = keeper.scene(Fraction(number + 4), "")
    assert len(scene.finals) <= 60 and len(scene.runs) <= 60 / STEP


@pytest.mark.parametrize("size", [(320, 240), (320, 90), (1920, 1080), (322, 1000)])
def test_every_size_is_drawn_on_and_changed_only_at_its_edges(size: tuple[int, int]) -> None:
    width, height = size
    picture = drawn(scene_of(event("final", 30, 45)), width, height)
    assert picture.shape == (height, width, 3)
    assert (picture[height // 2, width // 2 :] == 128).all()


def test_a_long_or_hostile_name_is_cut_and_printable() -> None:
    scene = Scene("\x1b[31m" + "n" * 500, "12:00:00", 60.0, 0.0, (), (), (), ())
    assert drawn(scene, 320, 240).shape == (240, 320, 3)


def test_a_run_writes_every_picture_at_its_time(tiny_bundle: Path, video: Path, tmp_path: Path) -> None:
    target = tmp_path / "annotated.mp4"
    done = cmsn("run", video, "--bundle", tiny_bundle, "--quiet", "--sink", f"video={target}")
    assert (done.returncode, done.stderr) == (0, "")
    before, after = read(video), read(target)
    assert len(after) == len(before) == 224
    times = [float(frame.seconds - before[0].seconds) for frame in before]
    assert [float(frame.seconds) for frame in after] == pytest.approx(times, abs=1e-4)
    assert after[0].pixels.shape == (240, 320, 3)  # 64 x 48, enlarged until text is legible
    live = [index for index, frame in enumerate(after) if np.abs(frame.pixels[120, 0].astype(int) - ORANGE).max() < 60]
    assert live and live == list(range(live[0], live[-1] + 1)) and live[0] > 64


def test_several_sources_get_files_of_their_own(tiny_bundle: Path, video: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(video.read_bytes())
    target = tmp_path / "annotated.mp4"
    done = cmsn("run", video, other, "--bundle", tiny_bundle, "--quiet", "--sink", f"video={target}")
    assert done.returncode == 0 and not target.exists()
    assert [len(read(tmp_path / f"annotated-{name}.mp4")) for name in ("action", "other")] == [224, 224]


def test_a_source_is_not_overwritten_by_its_own_annotation(tiny_bundle: Path, video: Path) -> None:
    before = video.read_bytes()
    done = cmsn("run", video, "--bundle", tiny_bundle, "--quiet", "--sink", f"video={video}")
    assert done.returncode == 1 and "would overwrite" in done.stderr and video.read_bytes() == before


def play(sink: VideoSink, times: Sequence[float], *, size: tuple[int, int] = (48, 64), end: bool = True) -> None:
    sink.begin("yard", None)
    for seconds in times:
        sink.picture("yard", Frame(np.full((*size, 3), 90, np.uint8), Fraction(seconds).limit_denominator(1000)))
    if end:
        sink.end("yard", Ending(None))
    sink.close()


def opened(table: dict[str, object], folder: Path) -> VideoSink:
    assert VIDEO.open_table is not None
    sink = VIDEO.open_table(table, SinkContext(STEP, site="mill", folder=folder, live=True))
    assert isinstance(sink, VideoSink)
    return sink


def test_a_live_camera_is_recorded_in_files_of_limited_length(tmp_path: Path) -> None:
    sink = opened({"folder": "recordings", "rotate_seconds": 10}, tmp_path)
    clock = WallClock(Fraction(1_800_000_000), "arrival")
    sink.begin("yard", None)
    sink.event("yard", replace(event("final", 0, 1), stamp=Stamp("", 1, "", clock)))
    for number in range(125):
        sink.picture("yard", Frame(np.full((48, 64, 3), 90, np.uint8), Fraction(number, 5)))
    sink.end("yard", Ending(None))
    files = sorted((tmp_path / "recordings").iterdir())
    begins = [re.fullmatch(r"mill_yard_20270115T0800(\d\d)000000Z\.video\.mp4", path.name) for path in files]
    assert [begin and begin[1] for begin in begins] == ["00", "10", "20"]
    assert [len(read(path)) for path in files] == [50, 50, 25]


def test_the_oldest_recordings_go(tmp_path: Path) -> None:
    sink = opened({"folder": "recordings", "rotate_seconds": 2, "max_bytes": 30_000}, tmp_path)
    play(sink, [number / 5 for number in range(100)])
    files = list((tmp_path / "recordings").iterdir())
    assert 0 < len(files) < 10 and sum(path.stat().st_size for path in files) <= 30_000


def test_a_disk_that_is_full_for_a_while_costs_a_minute_of_a_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add, calls = VideoFile.add, 0

    def failing(file: VideoFile, pixels: np.ndarray, seconds: Fraction) -> None:
        nonlocal calls
        calls += 1
        if 10 < calls <= 12:
            raise OutputError("recordings: cannot be written (No space left on device)")
        add(file, pixels, seconds)

    monkeypatch.setattr(VideoFile, "add", failing)
    play(opened({"folder": "recordings"}, tmp_path), range(180))
    (recording,) = (tmp_path / "recordings").iterdir()
    assert len(read(recording)) == 180 - 10 - 2 * 61
    assert capsys.readouterr().err.count("No space left on device); recording is tried again in 60 s") == 2


def test_a_clock_that_goes_back_begins_another_file(tmp_path: Path) -> None:
    sink = opened({"folder": "recordings"}, tmp_path)
    play(sink, [5, 6, 7, 1, 2])
    assert sorted(len(read(path)) for path in (tmp_path / "recordings").iterdir()) == [2, 3]


def test_a_file_of_a_source_without_an_end_is_discarded(tmp_path: Path) -> None:
    sink = VIDEO.open(str(tmp_path / "annotated.mp4"), CONTEXT)
    assert isinstance(sink, VideoSink)
    play(sink, [0, 1], end=False)
    assert list(tmp_path.iterdir()) == []


def test_a_source_without_a_picture_leaves_no_file(tmp_path: Path) -> None:
    sink = VIDEO.open(str(tmp_path / "annotated.mp4"), CONTEXT)
    assert isinstance(sink, VideoSink)
    play(sink, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "stored"), [((51, 33), (510, 330)), ((241, 321), (240, 320)), ((720, 1280), (720, 1280))]
)
def test_sides_are_even_and_times_that_stand_still_are_left_out(
    tmp_path: Path, size: tuple[int, int], stored: tuple[int, int]
) -> None:
    sink = VIDEO.open(str(tmp_path / "annotated.mp4"), CONTEXT)
    assert isinstance(sink, VideoSink)
    play(sink, [0, 1, 1, 2], size=size)
    frames = read(tmp_path / "annotated.mp4")
    assert len(frames) == 3 and frames[0].pixels.shape[:2] == stored


def test_without_x264_it_is_mpeg4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    sink = VIDEO.open(str(tmp_path / "annotated.mp4"), CONTEXT)
    assert isinstance(sink, VideoSink)
    play(sink, [0, 1, 2])
    with av.open(str(tmp_path / "annotated.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"


def test_the_entry_point_and_its_tables() -> None:
    assert find_sink("video") is VIDEO and VIDEO.check_table is not None
    assert VIDEO.paths("a.mp4", ["one.mp4"]) == [Path("a.mp4")] and VIDEO.paths("folder", ["one.mp4"]) == []
    with pytest.raises(SettingsError, match="rotate_seconds is 0"):
        VIDEO.check_table({"folder": "a", "rotate_seconds": 0}, CONTEXT)
    with pytest.raises(SettingsError, match="cannot be written to a pipe"):
        VIDEO.paths("/dev/stdout", ["one.mp4"])


def test_a_folder_that_does_not_exist_is_reported_at_once(tmp_path: Path) -> None:
    sink = VIDEO.open(str(tmp_path / "none" / "annotated.mp4"), CONTEXT)
    with pytest.raises(OutputError, match="cannot be written"):
        sink.begin("yard", None)


def test_without_pillow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'cmsn[video]'")):
        VIDEO.open(str(tmp_path / "annotated.mp4"), CONTEXT)
