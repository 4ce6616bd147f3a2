"""Cameras without timestamps: their time is that of arrival."""

from __future__ import annotations

from captured import Captured, capture
from clips import pictures
from mjpeg_server import jpegs, serving_mjpeg

from cmsn_runtime.capture.items import CapturedFrame, SourceBack, SourceLost


def test_mjpeg_at_ten_frames_per_second_takes_the_time_of_the_wall_clock(captured: Captured) -> None:
    with serving_mjpeg(jpegs(pictures(30, 480, 640)), fps=10) as address, capture(address, captured):
        frames = captured.waited(CapturedFrame, count=40)
    first, last = frames[0], frames[-1]
    passed = last.arrived - first.arrived
    assert abs(float(last.frame.seconds - first.frame.seconds) / passed - 1) < 0.02
    assert passed > 3
    assert last.clock.origin == "arrival"


def test_mjpeg_that_ends_is_a_loss_and_comes_back(captured: Captured) -> None:
    """FFmpeg reports the end of it as no error at all."""
    with serving_mjpeg(jpegs(pictures(30, 480, 640)), fps=25, count=30) as address, capture(address, captured):
        captured.waited(SourceLost, count=2)
    assert captured.of(SourceBack)
