"""The end of many cameras at once, within a bounded time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from cmsn_runtime.live.member import Member
from cmsn_runtime.live.turns import Turns

_WAITING_SECONDS = 0.5  # for what waits, from the beginning
_NETWORK_SECONDS = 1.0  # for that and the last hops; what has not ended then is settled as it was last seen
_CLOSING_SECONDS = 1.0  # for captures, from the beginning


def settle_all(members: Sequence[Member], turns: Turns) -> None:
    """End the streams and captures of cameras: what waits, then the last hop; where time runs out, as last seen."""
    begin = time.monotonic()
    closing = [member.end_capture() for member in members]
    until = begin + _NETWORK_SECONDS
    cameras = [member.camera for member in members]
    while time.monotonic() < begin + _WAITING_SECONDS and any(len(camera.line) for camera in cameras):
        turns.take(cameras)
    turns.finish_all(until=until)
    for camera in cameras:
        if not turns.is_busy(camera) and not camera.ended:
            turns.run_ending(camera)
    turns.finish_all(until=until)
    for camera in cameras:
        if turns.is_busy(camera):
            camera.settle()
            turns.forget(camera)
        camera.close()
    for thread in closing:
        if thread is not None:
            thread.join(max(0.0, begin + _CLOSING_SECONDS - time.monotonic()))
