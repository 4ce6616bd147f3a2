"""Rendered streams: the plot, the files, and that a seed says it all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("PIL")

import av

from cmsn_runtime.annotations import read_annotations
from cmsn_runtime.errors import OutputError, SettingsError
from cmsn_training.rendering import writer
from cmsn_training.rendering.camera import film
from cmsn_training.rendering.pose import pose_at
from cmsn_training.rendering.script import Script, write_script
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import ANNOTATIONS_FILE, render_stream, render_streams

SMALL = RenderSettings(width=64, height=48, seconds=3.0, seed=7)
SECONDS = 60.0


@pytest.fixture(scope="module")
def scripts() -> list[Script]:
    return [write_script(np.random.default_rng(seed), SECONDS) for seed in range(300)]


def test_actions_last_from_1_to_20_seconds_and_use_that_range(scripts: list[Script]) -> None:
    lengths = [action.end - action.start for script in scripts for action in script.actions]
    assert min(lengths) >= 1.0 and max(lengths) <= 20.0
    assert min(lengths) < 1.2 and max(lengths) > 15.0


def test_an_action_is_whole_and_its_parts_are_thirds(scripts: list[Script]) -> None:
    for action in (action for script in scripts for action in script.actions):
        length = action.end - action.start
        around = min(max(length / 2, 0.5), 10.0)
        assert action.approach >= 0 and action.retreat <= SECONDS
        assert action.start - action.approach == pytest.approx(around)
        assert action.retreat - action.end == pytest.approx(around)
        assert abs((action.confirm - action.start) / length - 1 / 3) <= 0.08
        assert abs((action.ending - action.start) / length - 2 / 3) <= 0.08


def test_actions_with_their_surroundings_do_not_touch(scripts: list[Script]) -> None:
    for script in scripts:
        for earlier, later in pairwise(script.actions):
            assert later.approach - earlier.retreat >= 1.0


def test_a_few_streams_have_no_action_but_still_people(scripts: list[Script]) -> None:
    quiet = [script for script in scripts if not script.actions]
    assert 0.02 <= len(quiet) / len(scripts) <= 0.10
    assert all(script.people for script in quiet)


def test_legs_follow_each_other_in_time_and_place(scripts: list[Script]) -> None:
    for person in (person for script in scripts[:50] for person in script.people):
        for earlier, later in pairwise(person.legs):
            assert later.begin == pytest.approx(earlier.end)
            assert later.x0 == pytest.approx(earlier.x1)


def test_the_boundaries_of_an_action_can_be_seen(scripts: list[Script]) -> None:
    """Walking stops and the arms leave the body at the start; they hang, and walking begins, at the end."""
    actors = [person for script in scripts[:50] for person in script.people if person.action]
    for actor in actors:
        action = actor.action
        assert action is not None
        before, first, full, last, after = (
            pose_at(actor, seconds)
            for seconds in (
                action.start - 0.04,
                action.start + 0.04,
                action.ending - 1e-6,
                action.end - 1e-6,
                action.end + 0.04,
            )
        )
        assert before and first and full and last and after
        assert before.x != first.x == full.x == last.x != after.x
        assert min(first.arms) > 0.4 > max(*before.arms, *after.arms)
        assert max(last.arms) < 0.45 < min(full.arms)


def test_only_actions_raise_both_arms(scripts: list[Script]) -> None:
    bystanders = [person for script in scripts[:20] for person in script.people if not person.action]
    poses = [pose_at(person, seconds) for person in bystanders for seconds in np.arange(0, SECONDS, 0.2)]
    assert all(min(pose.arms) < 0.4 for pose in poses if pose)
    glances = [person for person in bystanders if person.glance is not None]
    assert glances
    for person in glances:
        assert person.glance is not None
        raised = [
            pose is not None and max(pose.arms) > 2 for pose in (pose_at(person, person.glance + t) for t in (0.1, 0.4))
        ]
        assert raised == [True, False]


def test_frames_follow_from_the_seed() -> None:
    first, again, other = (_filmed(seed) for seed in (1, 1, 2))
    assert first.shape == (SMALL.frames, SMALL.height, SMALL.width, 3)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 5


def test_files_are_the_same_whatever_the_workers(tmp_path: Path) -> None:
    names: list[str] = []
    render_streams(tmp_path / "one", SMALL, streams=3, done=names.append)
    render_streams(tmp_path / "two", SMALL, streams=3, workers=2)
    assert names == ["render-7-0000", "render-7-0001", "render-7-0002"]
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / part).iterdir()} for part in ("one", "two"))
    assert one == two
    assert sorted(one) == [ANNOTATIONS_FILE, *(f"{name}.mp4" for name in names)]
    assert len({one[f"{name}.mp4"] for name in names}) == 3


def test_a_stream_does_not_depend_on_how_many_are_rendered(tmp_path: Path) -> None:
    render_streams(tmp_path / "set", SMALL, streams=2)
    name, _ = render_stream(tmp_path, SMALL, 1)
    assert (tmp_path / f"{name}.mp4").read_bytes() == (tmp_path / "set" / f"{name}.mp4").read_bytes()


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
def test_a_file_has_every_frame_at_its_time(tmp_path: Path, fps: Fraction) -> None:
    settings = RenderSettings(width=64, height=48, seconds=2.0, fps=fps)
    name, _ = render_stream(tmp_path, settings, 0)
    with av.open(str(tmp_path / f"{name}.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (64, 48, fps)
        stamps = [(frame.pts, frame.time_base) for frame in container.decode(stream)]
    times = [pts * base for pts, base in stamps if pts is not None and base is not None]
    assert times == [index / fps for index in range(settings.frames)]


def test_annotations_are_readable_and_match_the_plot(tmp_path: Path) -> None:
    settings = RenderSettings(width=32, height=32, fps=Fraction(1), seconds=SECONDS, seed=1)
    found = read_annotations(render_streams(tmp_path, settings, streams=2))
    assert list(found) == ["render-1-0000", "render-1-0001"]
    for index, video in enumerate(found.values()):
        plot, _ = np.random.SeedSequence((settings.seed, index)).spawn(2)
        actions = write_script(np.random.default_rng(plot), SECONDS).actions
        assert video.duration == SECONDS
        assert [(a.start, a.end, a.label) for a in video.annotations] == [
            (round(a.start, 3), round(a.end, 3), a.variant) for a in actions
        ]
    assert any(video.annotations for video in found.values())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_rendering_that_breaks_leaves_only_whole_files(tmp_path: Path, workers: int) -> None:
    """The second of three streams cannot be put in place: a folder of its name is in the way."""
    (tmp_path / "render-7-0001.mp4").mkdir()
    (tmp_path / ANNOTATIONS_FILE).write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError):
        render_streams(tmp_path, SMALL, streams=3, workers=workers)
    left = {path.name for path in tmp_path.iterdir()}
    assert "render-7-0000.mp4" in left
    assert left <= {"render-7-0000.mp4", "render-7-0001.mp4", "render-7-0002.mp4"}


def test_a_break_between_two_frames_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*arguments: Any) -> Iterator[npt.NDArray[np.uint8]]:
        yield next(film(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "film", breaks)
    with pytest.raises(KeyboardInterrupt):
        render_streams(tmp_path, SMALL, streams=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [{"width": 33}, {"height": 30}, {"fps": Fraction(0)}, {"seconds": 0.5}, {"seconds": float("nan")}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_impossible_render_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="at least"):
        RenderSettings(**wrong)


def test_the_command_renders_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from cmsn_training.commands.render import render\n"
        f"render([{str(tmp_path)!r}, '--seconds', '1', '--size', '64x48'], standalone_mode=False)"
    )
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / ANNOTATIONS_FILE) in done.stdout.replace("\n", "")
    assert (tmp_path / "render-0-0000.mp4").is_file()


def _filmed(seed: int) -> npt.NDArray[np.uint8]:
    script = write_script(np.random.default_rng(0), SMALL.seconds)
    return np.stack(list(film(script, SMALL, np.random.default_rng(seed))))
