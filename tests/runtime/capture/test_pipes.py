"""Named pipes, standard input and raw frames: waited for, reported when silent, and always stoppable."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from captured import QUICK, Captured, capture, closed_within, reported_at_first_within
from clips import numbered, write_clip

from cmsn_runtime.capture.items import CapturedFrame, SourceBack, SourceLost

FAKES = Path(__file__).parents[2] / "fakes"

# Captures standard input, prints what it gets, and ends by SIGTERM's default, or at the end of its source.
READER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from captured import QUICK, Captured, capture, closed_within
from cmsn_runtime.capture.items import SourceEnded, SourceLost, CapturedFrame
captured = Captured()
settings = {"settings": QUICK} if sys.argv[3] == "silent" else {}
with capture(sys.argv[2], captured, **settings) as camera:
    if sys.argv[3] == "silent":
        print(captured.waited(SourceLost)[0].reason)
    else:
        print(repr(captured.waited(SourceEnded)[0].reason), len(captured.of(CapturedFrame)), captured.of(SourceLost))
    begin = time.monotonic()
print("closed", time.monotonic() - begin < closed_within())
"""


def read_stdin(address: str, wanted: str, stdin: int) -> list[str]:
    command = [sys.executable, "-c", READER, str(FAKES), address, wanted]
    done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_silent_standard_input_is_reported_at_the_limit_and_can_be_stopped() -> None:
    read_end, write_end = os.pipe()
    try:
        assert read_stdin("-", "silent", read_end) == [
            "nothing came within 1.5 s of connecting; check that it is sending",
            "closed True",
        ]
    finally:
        os.close(read_end)
        os.close(write_end)


def test_a_video_on_standard_input_is_read_to_its_end(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.ts", numbered(20))
    with path.open("rb") as file:
        feeder = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        assert feeder.stdout is not None
        assert read_stdin("-", "all", feeder.stdout.fileno()) == ["'' 20 []", "closed True"]
        feeder.stdout.close()
        feeder.wait()


def test_raw_frames_on_standard_input_are_read_at_their_rate(tmp_path: Path) -> None:
    path = tmp_path / "frames.rgb"
    path.write_bytes(b"".join(picture.tobytes() for picture in numbered(20)))
    feeder = subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE)
    assert feeder.stdout is not None
    assert read_stdin("raw:64x48@10:-", "all", feeder.stdout.fileno()) == ["'' 20 []", "closed True"]
    feeder.stdout.close()
    feeder.wait()


def test_a_silent_named_pipe_is_reported_at_the_limit_and_goes_on_when_it_is_written_to(
    tmp_path: Path, captured: Captured
) -> None:
    pipe = tmp_path / "frames"
    os.mkfifo(pipe)
    with capture(f"raw:64x48@10:{pipe}", captured, settings=QUICK) as camera:
        begun = camera._seen
        (lost,) = captured.waited(SourceLost)
        assert lost.arrived - begun < reported_at_first_within()
        with pipe.open("wb", buffering=0) as file:
            for picture in numbered(20):
                file.write(picture.tobytes())
            captured.waited(SourceBack)
            frames = captured.waited(CapturedFrame, count=10)
        begin = time.monotonic()
    assert time.monotonic() - begin < closed_within()
    assert [frame.frame.seconds for frame in frames] == [Fraction(n, 10) for n in range(10)]
    assert all(np.array_equal(one.frame.pixels, two) for one, two in zip(frames, numbered(20), strict=False))


def test_a_named_pipe_is_opened_again_when_its_writer_ends(tmp_path: Path, captured: Captured) -> None:
    pipe = tmp_path / "frames"
    os.mkfifo(pipe)
    with capture(f"raw:64x48@10:{pipe}", captured):
        for number in (1, 2):
            with pipe.open("wb", buffering=0) as file:
                for picture in numbered(20):
                    file.write(picture.tobytes())
            captured.waited(SourceLost, count=number)
        frames = captured.of(CapturedFrame)
    assert len(frames) == 40
    assert [frame.frame.discontinuity for frame in frames].count(True) == 1
