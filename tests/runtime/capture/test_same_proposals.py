"""A camera's proposals are those of the same clip as a file."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import pytest
from captured import Captured, capture
from external import require_gstreamer
from rtsp import RtspServer, clip

from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.capture.items import CapturedFrame, SourceLost
from cmsn_runtime.events import Event, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sources.opening import open_source

RTP_TICK = Fraction(1, 90_000)


def events(bundle: Path, frames: Iterable[Frame]) -> list[StreamEvent]:
    with open_bundle(bundle) as opened, opened.stream() as stream:
        return [*(event for frame in frames for event in stream.push(frame)), *stream.flush()]


def of_file(bundle: Path, video: Path) -> list[StreamEvent]:
    with open_source(video) as source:
        return events(bundle, source)


def captured_frames(address: str) -> list[Frame]:
    captured = Captured()
    with capture(address, captured):
        (lost,) = captured.waited(SourceLost, seconds=60)
    return [item.frame for item in captured.of(CapturedFrame) if item.arrived <= lost.arrived]


def content(event: StreamEvent) -> tuple[object, ...]:
    """All of an event but the time at which it was reported."""
    assert isinstance(event, Event)
    return event.kind, event.action, event.rank, event.proposal, event.segment


@pytest.fixture
def server(video: Path) -> RtspServer:
    require_gstreamer()
    return RtspServer({"clip": clip(video)})


def test_over_rtsp_they_are_equal(tiny_bundle: Path, video: Path, server: RtspServer) -> None:
    with server:
        frames = captured_frames(server.url("clip"))
    expected = of_file(tiny_bundle, video)
    found = events(tiny_bundle, frames)
    assert any(event.kind == "final" for event in expected)
    assert [content(event) for event in found] == [content(event) for event in expected]
    # RTP counts in ticks, to which the server rounds the frames of 30000/1001 a second.
    assert all(abs(one.seconds - other.seconds) <= RTP_TICK for one, other in zip(found, expected, strict=True))


def test_by_gstreamer_they_are_within_a_frame_and_a_hundredth(tiny_bundle: Path, video: Path) -> None:
    require_gstreamer()
    frames = captured_frames(f"gst:filesrc location={video} ! qtdemux ! h264parse ! openh264dec")
    found = [event for event in events(tiny_bundle, frames) if isinstance(event, Event) and event.kind == "final"]
    expected = [event for event in of_file(tiny_bundle, video) if isinstance(event, Event) and event.kind == "final"]
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert abs(float(one.proposal.start - other.proposal.start)) < 0.034
        assert abs(float(one.proposal.end - other.proposal.end)) < 0.034
        assert abs(one.proposal.score - other.proposal.score) < 0.01
