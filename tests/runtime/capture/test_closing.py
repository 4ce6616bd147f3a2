"""Closing a capture: at once, in every state, with nothing left behind."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

import pytest
from captured import QUICK, Captured, capture, closed_within
from chaos_proxy import ChaosProxy
from processes import children
from rtsp import RtspServer
from waiting import wait_for

from cmsn_runtime.capture.capture import Capture
from cmsn_runtime.capture.items import CapturedFrame, CaptureItem, SourceLost
from cmsn_runtime.capture.settings import CaptureSettings


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def closed_in(camera: Capture) -> float:
    begin = time.monotonic()
    camera.close()
    passed = time.monotonic() - begin
    wait_for(lambda: not camera._thread.is_alive())
    return passed


@pytest.mark.parametrize("state", ["starting", "opening", "running", "frozen", "backing off"])
def test_it_closes_within_a_second_in_every_state(
    server: RtspServer, proxy: ChaosProxy, captured: Captured, state: str
) -> None:
    settings = CaptureSettings(stall_seconds=60, first_retry_seconds=60, last_retry_seconds=60)
    before = children()
    if state == "opening":
        proxy.silence()
    with capture(server.url("yard", port=proxy.port), captured, settings=settings) as camera:
        if state == "opening":
            time.sleep(1.0)
        elif state != "starting":
            captured.waited(CapturedFrame, count=5)
        if state == "frozen":
            proxy.hold()
            time.sleep(0.3)
        elif state == "backing off":
            proxy.reset()
            captured.waited(SourceLost)
        assert closed_in(camera) < closed_within()
        assert children() <= before
        camera.close()


def test_it_may_be_closed_by_what_it_delivers_to(server: RtspServer) -> None:
    camera: list[Capture] = []
    ready, seen = threading.Event(), Captured()

    def deliver(item: CaptureItem) -> None:
        ready.wait(10)
        camera[0].close()
        seen.deliver(item)

    camera.append(capture(server.url("yard"), seen, deliver=deliver))
    ready.set()
    wait_for(lambda: not camera[0]._thread.is_alive())
    assert len(seen.items) == 1


def test_sessions_leave_no_descriptor_thread_or_process_behind(
    server: RtspServer, proxy: ChaosProxy, captured: Captured
) -> None:
    gc.collect()
    before = (threading.active_count(), children())
    with capture(server.url("yard", port=proxy.port), captured, settings=QUICK):
        captured.waited(CapturedFrame, count=3)
        running = descriptors()
        for number in range(1, 5):
            proxy.reset()
            captured.waited(SourceLost, count=number)
            captured.more_frames(3)
        wait_for(lambda: descriptors() <= running)
    assert (threading.active_count(), children()) == before
