"""`cmsn run` and `cmsn inspect` from the outside: what is written where, and with which exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest


def cmsn(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cmsn_runtime", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def clip(path: Path, colours: Sequence[tuple[int, int, int]]) -> Path:
    """A video at 30000/1001 fps, the tiny bundle's rate, one colour a frame."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for colour in colours:
            picture = np.full((48, 64, 3), colour, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Red, green, blue, red: one action for the tiny bundle, from 64 to 128 frames."""
    colours = [(255, 0, 0)] * 64 + [(0, 255, 0)] * 32 + [(0, 0, 255)] * 32 + [(255, 0, 0)] * 96
    return clip(tmp_path / "action.mp4", colours)


def best(lines: str) -> dict[str, Any]:
    events = [json.loads(line) for line in lines.splitlines()]
    found: dict[str, Any] = next(event for event in events if event["kind"] == "final" and event["rank"] == 1)
    return found


def test_json_lines_are_the_default_of_a_pipe(video: Path, tiny_bundle: Path) -> None:
    done = cmsn("run", video, "--bundle", tiny_bundle)
    assert done.returncode == 0, done.stderr
    assert best(done.stdout)["start"] == pytest.approx(64 * 1001 / 30000, abs=1e-6)
    assert best(done.stdout)["end"] == pytest.approx(128 * 1001 / 30000, abs=1e-6)
    assert done.stderr == ""


def test_every_output_is_written(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / f"out.{name}" for name in ("json", "csv", "results")}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    done = cmsn("run", video, "--bundle", tiny_bundle, *options)
    assert (done.returncode, done.stdout) == (0, "")
    assert best(files["json"].read_text())["kind"] == "final"
    assert files["csv"].read_text().startswith("source,action,rank")
    assert json.loads(files["results"].read_text())["results"]["action"]


@pytest.mark.parametrize("chunk", ["16", "40", "768"])
def test_chunks_change_nothing_that_is_final(video: Path, tiny_bundle: Path, chunk: str) -> None:
    plain = cmsn("run", video, "--bundle", tiny_bundle, "--events", "final")
    chunked = cmsn("run", video, "--bundle", tiny_bundle, "--events", "final", "--chunk-frames", chunk)
    keys = ("action", "rank", "start", "end")
    ours, theirs = (
        [{key: json.loads(line)[key] for key in keys} for line in done.stdout.splitlines()] for done in (plain, chunked)
    )
    assert ours == theirs != []


def test_a_broken_source_does_not_stop_the_others(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    done = cmsn("run", tmp_path / "nothing.mp4", video, "--bundle", tiny_bundle)
    assert done.returncode == 1
    assert best(done.stdout)["source"] == str(video)
    (line,) = done.stderr.splitlines()
    assert line.startswith("cmsn: error: ") and "nothing.mp4" in line


def test_a_video_that_breaks_halfway_keeps_its_proposals(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    """The index is at the front, so the file plays until its data ends."""
    whole = tmp_path / "whole.mp4"
    with av.open(str(video)) as source, av.open(str(whole), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    raw = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(raw[: len(raw) * 9 // 10])
    done = cmsn("run", cut, "--bundle", tiny_bundle)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert "broke at" in line and "of 7.4" in line and "kept" in line
    assert best(done.stdout)["start"] == pytest.approx(64 * 1001 / 30000, abs=1e-6)


def test_wrong_bundles_and_truths_are_one_line(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    truth.write_text('{"database": {"other": {"annotations": []}}}')
    wrong: list[list[str | Path]] = [["--bundle", tmp_path / "no.cmsn"], ["--bundle", tiny_bundle, "--truth", truth]]
    for arguments in wrong:
        done = cmsn("run", video, *arguments)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
    assert cmsn("run", "--nonsense").returncode == 2


def test_sources_of_one_name_are_refused_where_names_matter(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    done = cmsn("run", video, video, "--bundle", tiny_bundle, "--results", tmp_path / "r.json")
    assert done.returncode == 1
    assert "several sources are called action" in done.stderr


def test_inspect_says_what_is_in_it_and_notices_damage(tiny_bundle: Path) -> None:
    done = cmsn("inspect", tiny_bundle)
    assert done.returncode == 0
    assert "extractor.onnx" in done.stdout
    assert json.loads(cmsn("inspect", tiny_bundle, "--json").stdout)["format_version"] == 1
    graph = tiny_bundle / "stages.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    damaged = cmsn("inspect", tiny_bundle)
    assert damaged.returncode == 1
    assert "stages.onnx" in damaged.stderr
