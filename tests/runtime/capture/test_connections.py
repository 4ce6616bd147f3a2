"""A camera's connection: lost, reported once, opened again."""

from __future__ import annotations

import socket
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from captured import QUICK, Captured, capture, reported_at_first_within, reported_within
from chaos_proxy import ChaosProxy
from clips import number_of, numbered, write_clip
from rtsp import RtspServer, clip

from cmsn_runtime.capture.items import (
    CapturedFrame,
    CapturedPacket,
    CapturedPicture,
    SourceBack,
    SourceEnded,
    SourceLost,
)
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.sources.options import SourceOptions


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
    assert captured.outages() == 1
    frames = captured.of(CapturedFrame)
    assert [frame.frame.discontinuity for frame in frames].count(True) == 1
    first, second = next(pair for pair in pairwise(frames) if pair[1].frame.discontinuity)
    assert captured.items.index(back) < captured.items.index(second)
    gap = second.frame.seconds - first.frame.seconds
    assert abs(float(gap) - (second.arrived - first.arrived)) < 1e-5
    assert all(one.frame.seconds < other.frame.seconds for one, other in pairwise(frames))


def test_a_part_is_not_counted_anew_by_another_connection(server: RtspServer, captured: Captured) -> None:
    part = SourceOptions(begin=Fraction(1, 2), length=Fraction(4))
    with capture(server.url("yard"), captured, options=part):
        captured.waited(CapturedFrame, count=10)
        server.restart()
        (ended,) = captured.waited(SourceEnded, seconds=30.0)
    seconds = [item.frame.seconds for item in captured.of(CapturedFrame)]
    assert ended.reason == "" and captured.outages() == 1
    assert Fraction(1, 2) <= seconds[0] < seconds[-1] < seconds[0] + 4  # counted from the first frame of the part


def test_a_server_that_is_away_at_first_is_one_loss_however_often_it_is_tried(captured: Captured) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with capture(f"rtsp://127.0.0.1:{port}/yard", captured, settings=QUICK) as camera:
        (lost,) = captured.waited(SourceLost)
        camera._thread.join(2.0)
    assert "Connection refused" in lost.reason
    assert captured.items == [lost]


def test_a_frozen_server_is_reported_within_the_limit_and_comes_back(server: RtspServer, captured: Captured) -> None:
    with capture(server.url("yard"), captured, settings=QUICK):
        captured.waited(CapturedFrame, count=10)
        server.freeze()
        (lost,) = captured.waited(SourceLost)
        last = captured.of(CapturedFrame)[-1]
        server.thaw()
        captured.waited(SourceBack)
    assert lost.reason == "no frame for 1.5 s"
    assert lost.arrived - last.arrived < reported_within()


def test_a_short_freeze_loses_nothing(server: RtspServer, proxy: ChaosProxy, captured: Captured) -> None:
    with capture(server.url("yard", port=proxy.port), captured) as camera:
        captured.waited(CapturedFrame, count=10)
        proxy.hold()
        camera._thread.join(1.0)
        proxy.heal()
        frames = captured.more_frames(40)
    times = [frame.frame.seconds for frame in frames]
    assert not captured.of(SourceLost)
    assert {float(later - earlier) for earlier, later in pairwise(times)} == {0.04}


@pytest.mark.parametrize("fault", ["hold", "silence", "refuse", "garbage", "halve", "reset"])
def test_every_fault_of_a_network_is_reported_in_time_and_overcome(
    server: RtspServer, proxy: ChaosProxy, captured: Captured, fault: str
) -> None:
    """hold: the cable is out. silence: it answers nobody. halve: half a packet is the last that comes."""
    with capture(server.url("yard", port=proxy.port), captured, settings=QUICK):
        captured.waited(CapturedFrame, count=10)
        proxy.garbage(20_000) if fault == "garbage" else getattr(proxy, fault)()
        (lost,) = captured.waited(SourceLost)
        last = captured.of(CapturedFrame)[-1]
        proxy.heal()
        captured.waited(SourceBack)
        frames = captured.more_frames(10)
    assert lost.arrived - last.arrived < reported_within()
    assert captured.outages()
    assert all(one.frame.seconds < other.frame.seconds for one, other in pairwise(frames))


def test_a_server_that_never_answers_is_reported_within_the_limit(captured: Captured) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/yard"
        with capture(address, captured, settings=QUICK) as camera:
            begun = camera._seen
            (lost,) = captured.waited(SourceLost)
    assert lost.reason == "nothing came within 1.5 s of connecting; check that it is sending"
    assert lost.arrived - begun < reported_at_first_within()


def test_a_name_that_does_not_resolve_is_reported_and_tried_again(captured: Captured) -> None:
    with capture("rtsp://camera.invalid/yard", captured, settings=QUICK) as camera:
        begun = camera._seen
        (lost,) = captured.waited(SourceLost)
    assert lost.arrived - begun < reported_at_first_within()
    assert lost.retry_seconds > 0
    assert not captured.of(SourceEnded)


def test_pictures_that_change_their_size_go_on_at_the_models_size(server: RtspServer, captured: Captured) -> None:
    with capture(server.url("switch"), captured, pictures=True):
        frames = captured.waited(CapturedFrame, count=40)
        pictures = captured.of(CapturedPicture)
    assert {frame.frame.pixels.shape for frame in frames} == {(48, 64, 3)}
    assert {picture.frame.pixels.shape for picture in pictures} == {(240, 320, 3), (120, 160, 3)}
    assert not captured.of(SourceLost)


def test_frames_are_those_of_the_file_and_packets_and_pictures_go_with_them(captured: Captured, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered(20) * 3, options={"g": "20"})
    with RtspServer({"clip": clip(path)}) as server, capture(server.url("clip"), captured, pictures=True, packets=True):
        captured.waited(SourceLost)
    with open_source(path) as source:
        expected = [(frame.seconds, number_of(frame)) for frame in source]
    frames = [item.frame for item in captured.of(CapturedFrame)]
    assert [(frame.seconds, number_of(frame)) for frame in frames] == expected
    packets = captured.of(CapturedPacket)
    assert sorted(packet.seconds for packet in packets if packet.seconds is not None) == [
        seconds for seconds, _ in expected
    ]
    assert [packet.key for packet in packets].count(True) == 3
    assert {(packet.codec.name, packet.codec.width, packet.codec.session) for packet in packets} == {("h264", 64, 1)}
    shown = dict(expected)
    pictures = captured.of(CapturedPicture)
    assert 10 <= len(pictures) <= 14  # five a second, for 2.4 s
    assert all(abs(number_of(item.frame) - shown[item.frame.seconds]) <= 1 for item in pictures)


def test_a_camera_of_which_only_a_part_is_wanted_ends_with_it(server: RtspServer, captured: Captured) -> None:
    options = SourceOptions(begin=Fraction(1), length=Fraction(1))
    with capture(server.url("yard"), captured, options=options):
        (ended,) = captured.waited(SourceEnded)
    times = [item.frame.seconds for item in captured.of(CapturedFrame)]
    assert (times[0], times[-1], ended.reason) == (Fraction(1), Fraction(49, 25), "")
    assert not captured.of(SourceLost)
