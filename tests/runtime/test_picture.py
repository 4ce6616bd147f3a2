"""Pictures are made without losing a Ctrl-C."""

from __future__ import annotations

import signal

import av

from cmsn_runtime.pictures.upright import PictureMaker


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

    before = signal.signal(signal.SIGVTALRM, interrupt)  # SIGALRM is that of pytest-timeout
    try:
        while raised < 200:
            wanted = raised + 1
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0.001)
                while raised < wanted:
                    make(frame)
            except Interruption:
                caught += 1
    finally:
        signal.signal(signal.SIGVTALRM, before)
    assert caught == raised
