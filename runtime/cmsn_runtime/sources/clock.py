"""Converts timestamps of a decoder to seconds that only increase."""

from __future__ import annotations

from fractions import Fraction

from cmsn_runtime.exact import beyond, is_before
from cmsn_runtime.sources.stamps import Stamps

# Further back than any decoder reorders: the clock itself was set back (a loop, a restarted recorder).
_RESTART_SECONDS = Fraction(1)


class FrameClock:
    """Gives each decoded frame its time, exactly, from what `stamps` make of its packet (see stamps.py).

    A frame that is not after the one before it has no place in time. Going back by a second or more is a jump, and its
    frame is kept.
    """

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        self._last: Fraction | None = None

    def sent(self, pts: int | None, dts: int | None) -> int | None:
        """A packet goes to the decoder -> the PTS it must carry there."""
        return self._stamps.sent(pts, dts)

    def lost(self) -> None:
        """The decoder refused the packet that was sent last."""
        self._stamps.lost()

    def time_of(self, carried: int | None, *, key: bool) -> tuple[Fraction | None, bool]:
        """Seconds of the next frame (None: it has no place in time) and whether the clock was set back before it.

        carried: the PTS that came out with the frame. key: whether it is a key frame.
        """
        seconds = self._stamps.seconds(carried, key=key)
        if seconds is None:
            return None, False
        last = self._last
        forward = last is None or is_before(last, seconds)
        jumped = not forward and last is not None and beyond(seconds, last, _RESTART_SECONDS) >= 0
        if not forward and not jumped:
            return None, False
        self._last = seconds
        return seconds, jumped
