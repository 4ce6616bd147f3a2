"""The life of a capture process: bound to whoever started it, and deaf to what is meant for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from captured import Captured, capture
from clips import pictures
from mjpeg_server import jpegs, serving_mjpeg
from processes import capturing
from rtsp import RtspServer
from waiting import wait_for

from cmsn_runtime.capture.items import CapturedFrame, SourceLost
from cmsn_runtime.capture.protocol import FrameMessage, Message
from cmsn_runtime.capture.receiving import Receiver
from cmsn_runtime.capture.stalling import StallWatch

FAKES = Path(__file__).parents[2] / "fakes"

# Captures a camera, prints the process that does, and waits for its own end.
PARENT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from captured import Captured, capture
from processes import capturing
from cmsn_runtime.capture.items import CapturedFrame
captured = Captured()
camera = capture(sys.argv[2], captured)
captured.waited(CapturedFrame)
print(*capturing(), flush=True)
time.sleep(60)
"""


def child() -> int:
    """The process that captures."""
    (found,) = capturing()
    return int(found)


def test_it_ends_with_a_parent_that_is_killed(server: RtspServer) -> None:
    command = [sys.executable, "-c", PARENT, str(FAKES), server.url("yard")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        process = Path("/proc", parent.stdout.readline().split()[0])
        assert process.exists()
        parent.kill()
    wait_for(lambda: not process.exists())


def test_signals_that_end_programs_are_left_to_the_parent(server: RtspServer, captured: Captured) -> None:
    with capture(server.url("yard"), captured):
        captured.waited(CapturedFrame)
        process = child()
        assert os.getpgid(process) != os.getpgid(0)  # a terminal's Ctrl-C does not reach it
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # nor does a service manager end it
            os.kill(process, number)
        captured.more_frames(10)
    assert not captured.of(SourceLost)


def test_a_process_that_crashes_is_a_loss_and_is_started_again(server: RtspServer, captured: Captured) -> None:
    with capture(server.url("yard"), captured):
        captured.waited(CapturedFrame)
        os.kill(child(), signal.SIGSEGV)
        (lost,) = captured.waited(SourceLost)
        captured.more_frames(5)
    assert lost.reason.endswith("its process ended with signal 11")
    assert captured.outages() == 1


def test_what_cannot_be_processed_is_a_loss_and_the_camera_is_opened_again(
    captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, failing = Receiver.take, [True]

    def once(self: Receiver, message: Message, watch: StallWatch) -> None:
        if isinstance(message, FrameMessage) and failing and failing.pop():
            raise MemoryError("no memory for a frame")
        take(self, message, watch)

    monkeypatch.setattr(Receiver, "take", once)
    with serving_mjpeg(jpegs(pictures(30)), fps=25) as address, capture(address, captured):
        captured.waited(CapturedFrame)
    assert [lost.reason for lost in captured.of(SourceLost)] == ["MemoryError: no memory for a frame"]
    assert captured.outages() == 1
