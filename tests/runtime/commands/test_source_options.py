"""How `cmsn run` reads its sources: a part, a rate, a stream, options for FFmpeg, standard input."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from clips import pictures, write_clip, write_pictures
from command_line import cmsn, command

from cmsn_runtime.commands.options.sources import SourceChoice
from cmsn_runtime.errors import SettingsError

RATE = 30000 / 1001  # of the clip `video`


def test_a_part_of_a_video(video: Path, tiny_bundle: Path) -> None:
    whole = cmsn("run", video, "--bundle", tiny_bundle)
    part = cmsn("run", video, "--bundle", tiny_bundle, "--from", "1.5", "--for", "2")
    assert (whole.returncode, part.returncode, part.stderr) == (0, 0, "")
    times = [json.loads(line) for line in part.stdout.splitlines()]
    assert times and all(event["start"] >= 1.5 and event["end"] <= 3.5 + 1 / RATE for event in times)


def test_a_rate_stretches_time(video: Path, tiny_bundle: Path) -> None:
    """The newest final, at half the rate of the clip."""
    newest = []
    for options in ([], ["--fps", "15000/1001"]):
        done = cmsn("run", video, "--bundle", tiny_bundle, "--events", "final", *options)
        assert (done.returncode, done.stderr) == (0, "")
        newest.append(max(json.loads(line)["end"] for line in done.stdout.splitlines()))
    assert newest[1] > 1.5 * newest[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--fps", "0"], "0 frames per second: it must be above zero"),
        (["--for", "-1"], "it must be above zero"),
        (["--video-stream", "3"], "has no video stream 3; it has 0:"),
        (["--from", "1000"], "nothing at 1000 s or later"),
    ],
)
def test_impossible_source_options_are_one_line(video: Path, tiny_bundle: Path, options: list[str], says: str) -> None:
    done = cmsn("run", video, "--bundle", tiny_bundle, *options)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert says in line


@pytest.mark.parametrize("options", [["--fps", "fast"], ["--fps", "1/0"], ["--option", "noequals"], ["--from", "1:30"]])
def test_unreadable_source_options_are_a_usage_error(video: Path, tiny_bundle: Path, options: list[str]) -> None:
    done = cmsn("run", video, "--bundle", tiny_bundle, *options)
    assert done.returncode == 2
    assert options[1] in done.stderr


def test_an_assumed_rate_is_one_warning_and_no_error(tiny_bundle: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path, [f"{number}.png" for number in range(30)])
    done = cmsn("run", tmp_path, "--bundle", tiny_bundle, "--quiet")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("cmsn: warning: ") and "taken as 25 frames per second" in line


def test_standard_input_to_standard_output(tiny_bundle: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.ts", pictures(100))
    with subprocess.Popen(["cat", str(clip)], stdout=subprocess.PIPE) as sender:
        done = subprocess.run(
            command("run", "-", "--bundle", tiny_bundle, "--csv", "-"),
            stdin=sender.stdout,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("source,action,rank")


def test_options_of_videos_are_refused_for_features() -> None:
    with pytest.raises(SettingsError, match="are for videos; this model takes rows of features"):
        SourceChoice(("rows.npy",), fps=Fraction(5)).are_cameras(features=True)
    assert not SourceChoice(("rows.npy",)).are_cameras(features=True)
