"""Files played as cameras, and sources that can never work."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from captured import QUICK, Captured, capture
from clips import increasing, number_of, numbered, spoil_packets, write_clip, write_pictures

from cmsn_runtime.capture.items import CapturedFrame, CapturedPacket, SourceEnded, SourceLost
from cmsn_runtime.errors import SourceWarning
from cmsn_runtime.pictures.fitting import Scaler
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.sources.options import SourceOptions


def test_a_file_is_played_at_its_own_speed_with_its_own_times_and_pixels(tmp_path: Path, captured: Captured) -> None:
    path = write_clip(tmp_path / "a.mp4", numbered(20), times=[Fraction(10 + n, 12) for n in range(20)])
    with capture(str(path), captured, paced=True, packets=True):
        (ended,) = captured.waited(SourceEnded)
    frames = captured.of(CapturedFrame)
    with open_source(path) as source:
        expected = list(source)
    scale = Scaler((48, 64))
    assert [frame.frame.seconds for frame in frames] == [frame.seconds for frame in expected]
    assert all(np.array_equal(one.frame.pixels, scale(other)) for one, other in zip(frames, expected, strict=True))
    assert frames[-1].arrived - frames[0].arrived > 1.5  # 19 twelfths of a second
    assert len(captured.of(CapturedPacket)) == 20
    assert ended.reason == ""
    assert captured.items[-1] is ended


def test_a_file_may_be_played_again_and_again_with_a_clock_that_goes_on(tmp_path: Path, captured: Captured) -> None:
    path = write_clip(tmp_path / "a.mp4", numbered(10))
    with capture(str(path), captured, paced=True, settings=replace(QUICK, loop=True)):
        frames = captured.waited(CapturedFrame, count=25)
    assert [number_of(item.frame) for item in frames] == [*range(10), *range(10), *range(5)]
    assert [index for index, item in enumerate(frames) if item.frame.discontinuity] == [10, 20]
    assert increasing(item.frame.seconds for item in frames)
    assert not captured.of(SourceLost)


def test_a_folder_of_pictures_is_played_too(tmp_path: Path, captured: Captured) -> None:
    write_pictures(tmp_path, [f"{number}.png" for number in range(8)])
    with capture(str(tmp_path), captured, paced=True, pictures=True, options=SourceOptions(fps=Fraction(20))):
        captured.waited(SourceEnded)
    assert [frame.frame.seconds for frame in captured.of(CapturedFrame)] == [Fraction(n, 20) for n in range(8)]


def test_what_a_user_should_know_of_a_source_is_a_warning_here(tmp_path: Path, captured: Captured) -> None:
    path = write_clip(tmp_path / "a.h264", numbered(5))
    warned = pytest.warns(SourceWarning, match="taken as 25 frames per second")
    with warned, capture(str(path), captured, paced=True):
        captured.waited(SourceEnded)
    assert len(captured.of(CapturedFrame)) == 5


def test_a_file_that_is_damaged_ends_with_the_reason(tmp_path: Path, captured: Captured) -> None:
    path = write_clip(tmp_path / "a.mkv", numbered(20) * 3, options={"g": "20"})
    spoil_packets(path, after=Fraction(1))
    with capture(str(path), captured, paced=True):
        (ended,) = captured.waited(SourceEnded)
    assert len(captured.of(CapturedFrame)) >= 20
    assert "broke at" in ended.reason


@pytest.mark.parametrize(
    ("address", "changes", "reason"),
    [
        ("no-such-file.mp4", {"paced": True}, "check the path"),
        ("nonsense://camera/yard", {}, "check the part before '://'"),
        ("raw:640x:-", {}, "raw frames are raw:WIDTHxHEIGHT"),
    ],
)
def test_what_can_never_work_ends_at_once_with_the_reason(
    captured: Captured, address: str, changes: dict[str, bool], reason: str
) -> None:
    with capture(address, captured, **changes):
        (ended,) = captured.waited(SourceEnded)
    assert reason in ended.reason
    assert captured.items == [ended]


def test_a_device_that_is_not_there_is_tried_again(captured: Captured) -> None:
    """A USB camera may be plugged in again."""
    with capture("/dev/video99", captured, settings=QUICK):
        (lost,) = captured.waited(SourceLost)
    assert "No such file" in lost.reason
    assert captured.items == [lost]
