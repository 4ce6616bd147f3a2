"""Pictures are made without losing a Ctrl-C or holding their frames."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys

import av

from cmsn_runtime.pictures.upright import PictureMaker

# Sends a signal within a millisecond of each byte. Another process: its signals come at any moment, which a timer's do
# only at the ticks of the CPU clock.
SENDER = """
import os, random, signal, sys, time
while sys.stdin.buffer.read(1):
    time.sleep(random.uniform(0, 0.001))
    os.kill(os.getppid(), signal.SIGUSR1)
"""


class Interruption(BaseException):
    """What the handler of a signal raises, as KeyboardInterrupt is that of Ctrl-C."""


def test_no_interrupt_is_lost_while_a_picture_is_made() -> None:
    frame = av.VideoFrame(64, 48, "yuv420p")
    make = PictureMaker((16, 16))
    raised = caught = 0

    def interrupt(number: int, frame: object) -> None:
        nonlocal raised
        raised += 1
        raise Interruption

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with subprocess.Popen([sys.executable, "-S", "-c", SENDER], stdin=subprocess.PIPE, bufsize=0) as sender:
            assert sender.stdin is not None
            while raised < 1500:
                wanted = raised + 1
                try:
                    sender.stdin.write(b".")
                    while raised < wanted:
                        make(frame)
                except Interruption:
                    caught += 1
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert caught == raised


def test_a_picture_is_released_as_soon_as_nobody_has_it() -> None:
    make = PictureMaker((16, 16))
    gc.collect()
    gc.disable()  # which would release circles too, but only later
    try:
        before = living_frames()
        for _ in range(5):
            make(av.VideoFrame(64, 48, "yuv420p"))
        assert living_frames() == before
    finally:
        gc.enable()


def living_frames() -> int:
    return sum(type(item) is av.VideoFrame for item in gc.get_objects())  # isinstance asks dead proxies, which raise
