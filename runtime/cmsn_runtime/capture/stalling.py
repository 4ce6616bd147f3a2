"""When a session counts as stalled."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import PurePosixPath

from cmsn_runtime.sources.addresses import scheme_of

_START_SECONDS = 30.0  # for a process to start, on a machine that is busy
_FIRST_FRAME_SECONDS = 30.0  # a stream that is sent may have its key frames this far apart
# Frames of HLS come a segment at a time, of 2 to 10 s, and its playlist may be one behind.
_SEGMENTED_TIMES = 6


def is_segmented(address: str) -> bool:
    """Whether an address is that of a playlist (HLS), as far as it shows."""
    path = PurePosixPath(address.partition("?")[0])
    return scheme_of(address) in ("http", "https") and path.suffix.lower() in (".m3u8", ".m3u")


class StallWatch:
    """The moment until which something must come of a session: its start, its opening, its next frame.

    limit: seconds without a frame, and for opening; longer where the source is `segmented`, or turns out to be.
    now: the clock.
    """

    def __init__(self, limit: float, *, segmented: bool, now: Callable[[], float] = time.monotonic) -> None:
        self._segmented_limit = limit * _SEGMENTED_TIMES
        self._limit = self._segmented_limit if segmented else limit
        self._now = now
        self._state = "start"
        self._latest = float("inf")  # for the first frame, whatever else comes
        self.deadline = now() + _START_SECONDS

    def started(self) -> None:
        """The process begins to open its source."""
        self._state = "open"
        self._extend()

    def opened(self, *, segmented: bool) -> None:
        """The source is open. segmented: by its format."""
        self._state = "first"
        self._latest = self._now() + max(_FIRST_FRAME_SECONDS, self._limit)
        if segmented:
            self._limit = self._segmented_limit
        self._extend()

    def alive(self) -> None:
        """Data came, but no frame yet."""
        if self._state == "first":
            self._extend()

    def frame(self) -> None:
        """A frame came."""
        self._state = "frames"
        self._latest = float("inf")
        self._extend()

    def wait_on(self) -> None:
        """The stall was reported, and the session goes on: it can only be waited for."""
        self.deadline = float("inf")

    def reason(self) -> str:
        """Why the session counts as stalled, once its deadline has passed."""
        return {
            "start": f"the capture process did not start within {_START_SECONDS:g} s; the machine may be overloaded",
            "open": f"nothing came within {self._limit:g} s of connecting; check that it is sending",
            "first": "data comes, but not one frame can be decoded; check its key frame interval and its codec",
            "frames": f"no frame for {self._limit:g} s",
        }[self._state]

    def _extend(self) -> None:
        self.deadline = min(self._latest, self._now() + self._limit)
