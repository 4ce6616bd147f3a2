"""A camera's connection: lost, told once, opened again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from captured import QUICK, Captured, capture
from clips import pictures, write_clip
from external import require_gstreamer
from rtsp import RtspServer, endless

from cmsn_runtime.capture.items import CapturedFrame, SourceBack, SourceLost


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    require_gstreamer()
    path = write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures(50), options={"g": "25"})
    with RtspServer({"yard": endless(path)}) as serving:
        yield serving


@pytest.fixture
def captured() -> Captured:
    return Captured()


def test_a_killed_server_is_one_loss_and_one_return_and_time_goes_on(server: RtspServer, captured: Captured) -> None:
    with capture(server.url("yard"), captured):
        before = captured.waited(CapturedFrame, count=10)
        server.restart()
        (lost,) = captured.waited(SourceLost)
        (back,) = captured.waited(SourceBack)
        captured.more_frames(10)
    assert before[0].frame.seconds == 0
    assert "closed" in lost.reason
    assert 0 < lost.retry_seconds <= QUICK.first_retry_seconds
    assert len(captured.of(SourceLost)) == len(captured.of(SourceBack)) == 1
    frames = captured.of(CapturedFrame)
    assert [frame.frame.discontinuity for frame in frames].count(True) == 1
    first, second = next(pair for pair in pairwise(frames) if pair[1].frame.discontinuity)
    assert captured.items.index(back) < captured.items.index(second)
    gap = second.frame.seconds - first.frame.seconds
    assert abs(float(gap) - (second.arrived - first.arrived)) < 1e-5
    assert all(one.frame.seconds < other.frame.seconds for one, other in pairwise(frames))


def test_a_frozen_server_is_told_within_the_stall_limit_and_comes_back(server: RtspServer, captured: Captured) -> None:
    with capture(server.url("yard"), captured):
        captured.waited(CapturedFrame, count=10)
        server.freeze()
        (lost,) = captured.waited(SourceLost, seconds=QUICK.stall_seconds + 3)
        last = captured.of(CapturedFrame)[-1]
        server.thaw()
        captured.waited(SourceBack)
    assert lost.reason == "no frame for 2 s"
    assert lost.arrived - last.arrived < QUICK.stall_seconds + 1
