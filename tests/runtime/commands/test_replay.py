"""`cmsn replay` from the outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import ACTION, clip, cmsn
from live_camera import Session, play

from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.clips.sink import ClipSettings, ClipSink


@pytest.fixture
def bundle(tiny_bundle: Path) -> Iterator[Bundle]:
    with open_bundle(tiny_bundle, threads=1) as opened:
        yield opened


@pytest.fixture
def saved(bundle: Bundle, tmp_path: Path) -> list[Path]:
    """Two clips."""
    sink = ClipSink(ClipSettings(folder="clips"), tmp_path / "clips", site="mill")
    with bundle.stream() as stream:
        play(stream, sink, Session(clip(tmp_path / "video.mp4", ACTION * 2)))
    return sorted((tmp_path / "clips").glob("*.mp4"))


def altered(saved: list[Path], score: float) -> None:
    sidecar = saved[1].with_suffix(".json")
    content = json.loads(sidecar.read_text())
    content["proposal"]["score"] = score
    sidecar.write_text(json.dumps(content))


def test_equal_events_are_listed_and_the_exit_status_is_0(saved: list[Path], bundle: Bundle) -> None:
    done = cmsn("replay", *saved, "--bundle", bundle.path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [[str(path), "equal"] for path in saved]
    assert "start 2.13546667, end 4.27093333, score 1" in lines[0]


def test_a_score_that_differs_in_its_last_digit_is_shown_and_the_exit_status_is_1(
    saved: list[Path], bundle: Bundle
) -> None:
    score = json.loads(saved[1].with_suffix(".json").read_text())["proposal"]["score"]
    altered(saved, score - 2**-53)
    done = cmsn("replay", *saved, "--bundle", bundle.path)
    assert done.returncode == 1
    assert f"score {score - 2**-53:.17g} recorded, {score:.17g} reproduced" in done.stdout.splitlines()[1]


def test_json_has_both_and_the_reasons(saved: list[Path], bundle: Bundle) -> None:
    altered(saved, 0.25)
    done = cmsn("replay", saved[1].with_suffix(".json"), "--bundle", bundle.path, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1 and found["equal"] is False and found["id"].endswith("/1/2/1")
    assert found["recorded"]["score"] == 0.25 != found["reproduced"]["score"]
    assert found["recorded"]["start"] == found["reproduced"]["start"]


def test_another_model_is_reported(saved: list[Path]) -> None:
    done = cmsn("replay", saved[0], "--bundle", "demo")
    assert done.returncode == 1 and "another model: " in done.stdout and "this only informs" in done.stdout


def test_a_model_that_is_not_here_names_the_option(saved: list[Path]) -> None:
    done = cmsn("replay", saved[0])
    assert done.returncode == 1 and "--bundle gives its path" in done.stderr and done.stderr.count("\n") == 1


def test_what_is_no_clip_is_reported_and_the_others_are_replayed(
    saved: list[Path], bundle: Bundle, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.clip.json"
    broken.write_text("{")
    done = cmsn("replay", tmp_path / "none.mp4", saved[0], tmp_path, broken, "--bundle", bundle.path)
    assert done.returncode == 1 and ": equal: " in done.stdout
    missing, folder, damaged = done.stderr.splitlines()
    assert "none.mp4: is not a saved clip, or lacks its sidecar, none.clip.json" in missing
    assert "is a folder; give the clips in it" in folder and "is not the sidecar of a clip" in damaged
