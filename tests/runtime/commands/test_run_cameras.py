"""`cmsn run` of cameras, and of files played as such."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ACTION, clip, cmsn, command, finals, start
from mjpeg_server import jpegs, serving_mjpeg
from waiting import text_so_far, wait_for

from cmsn_runtime.commands.options.sources import SourceChoice

RUN_ONLY = ("wall", "id", "key", "start_wall", "end_wall", "clock")  # of a run, not of what it found


def found(lines: str) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in json.loads(line).items() if key not in RUN_ONLY} for line in lines.splitlines()
    ]


def test_a_file_played_as_a_camera_gives_the_same_events(tiny_bundle: Path, tmp_path: Path) -> None:
    video = clip(tmp_path / "action.mp4", ACTION[32:160])
    plain = cmsn("run", video, "--bundle", tiny_bundle)
    live = cmsn("run", "--live", video, "--bundle", tiny_bundle, "--csv", tmp_path / "found.csv")
    assert (live.returncode, live.stderr) == (0, "")
    assert found(live.stdout) == found(plain.stdout)
    assert finals(live.stdout)
    assert len((tmp_path / "found.csv").read_text().splitlines()) == 1 + len(finals(live.stdout))
    assert all(json.loads(line)["clock"] == "arrival" for line in live.stdout.splitlines())


def test_a_signal_settles_what_is_under_way_in_every_camera(long_video: Path, tiny_bundle: Path) -> None:
    process = start("run", "--live", long_video, long_video, "--bundle", tiny_bundle, start_new_session=True)
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM" in errors
    assert {event["source"] for event in finals(out)} <= {str(long_video), f"{long_video} (2)"}
    assert finals(out)


def test_files_among_cameras_are_refused(video: Path, tiny_bundle: Path) -> None:
    done = cmsn("run", "rtsp://127.0.0.1:1/a", video, "--bundle", tiny_bundle)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "rtsp://127.0.0.1:1/a has no end of its own" in line
    assert "--live" in line


def test_a_camera_that_can_not_be_reached_is_reported_and_waited_for(tiny_bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    process = start("run", f"rtsp://127.0.0.1:{port}/a", "--bundle", tiny_bundle, kind="source_lost")
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=20)
    assert process.returncode == 130
    lost, _ = messages.splitlines()
    assert lost.startswith(f"cmsn: warning: rtsp://127.0.0.1:{port}/a: source_lost: cannot be opened: ")


def test_what_the_last_run_wrote_of_a_camera_is_continued(tiny_bundle: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    lines, table = tmp_path / "found.jsonl", tmp_path / "found.csv"
    address = f"rtsp://127.0.0.1:{port}/a"
    for count in (1, 2):
        process = subprocess.Popen(
            command("run", address, "--bundle", tiny_bundle, "--csv", table, "--json", lines), stderr=subprocess.PIPE
        )
        wait_for(lambda count=count: text_so_far(lines).count("\n") == count)  # type: ignore[misc]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert [event["kind"] for event in found(lines.read_text())] == ["source_lost"] * count
        assert len(table.read_text().splitlines()) == 1


def test_a_file_that_does_not_exist_ends_the_run(tiny_bundle: Path, tmp_path: Path) -> None:
    done = cmsn("run", "--live", tmp_path / "none.mp4", "--bundle", tiny_bundle)
    assert done.returncode == 1
    assert "none.mp4" in done.stderr


def test_two_cameras_of_one_address_have_different_names() -> None:
    cameras = SourceChoice(("rtsp://a/b", "rtsp://u:p@a/b", "x.mp4"), live=True).cameras(
        ("rtsp://a/b", "rtsp://a/b", "x.mp4")
    )
    assert [camera.name for camera in cameras] == ["rtsp://a/b", "rtsp://a/b (2)", "x.mp4"]
    assert [camera.paced for camera in cameras] == [False, False, True]


def test_rows_of_features_are_not_played(tiny_bundle: Path) -> None:
    from cmsn_runtime.errors import SettingsError

    with pytest.raises(SettingsError, match="--live"):
        SourceChoice(("rows.npy",), live=True).are_cameras(features=True)


def test_a_camera_over_http_is_recognised_when_it_is_opened_and_connected_again(tiny_bundle: Path) -> None:
    red = jpegs([np.full((48, 64, 3), (255, 0, 0), np.uint8)] * 8)
    with serving_mjpeg(red, fps=20, count=30) as address:
        process = start("run", address, "--bundle", tiny_bundle, kind="source_lost")
        assert process.stdout is not None
        kinds = [json.loads(process.stdout.readline())["kind"] for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert kinds == ["source_back", "gap", "source_lost"]
    assert process.returncode == 128 + signal.SIGTERM
