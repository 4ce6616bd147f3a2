"""From the timestamps of a decoder to seconds that only go forward."""

from __future__ import annotations

from fractions import Fraction

# Further back than any decoder reorders: the clock itself was set back (a loop, a restarted recorder).
_RESTART_SECONDS = Fraction(1)

# PTS that run backwards once or twice come from damage; more than that, in one frame of ten, from a wrong container.
_WRONG_PTS_AT_LEAST = 3
_WRONG_PTS_SHARE = 10

_USUAL_RATE = Fraction(25)


class FrameClock:
    """Gives each decoded frame its time, exactly: PTS times `time_base`.

    - A frame that is not after the one before it has no place in time. Going back by a second or more is a jump, and
      its frame is kept.
    - Frames leave a decoder in the order they are shown. Where PTS say otherwise all along (an AVI has none, and
      demuxers guess them), the DTS that came out with each frame are used instead, as in libavcodec's
      best_effort_timestamp.
    - Without any timestamp a frame follows the last one by 1 / `rate` seconds (the stream's average rate; 25 if unset).
    """

    def __init__(self, time_base: Fraction, rate: Fraction | None) -> None:
        self._time_base = time_base
        self._interval = 1 / (rate or _USUAL_RATE)
        self._last: Fraction | None = None
        self._last_pts: int | None = None
        self._frames = 0
        self._wrong_pts = 0

    def time_of(self, pts: int | None, dts: int | None) -> tuple[Fraction | None, bool]:
        """Seconds of the next frame (None: it has no place in time) and whether the clock was set back before it."""
        self._judge(pts)
        seconds = self._seconds(pts, dts)
        step = None if self._last is None else seconds - self._last
        jumped = step is not None and step <= -_RESTART_SECONDS
        if step is not None and step <= 0 and not jumped:
            return None, False
        self._last = seconds
        return seconds, jumped

    def _judge(self, pts: int | None) -> None:
        self._frames += 1
        if pts is None:
            return
        if self._last_pts is not None:
            back = (self._last_pts - pts) * self._time_base
            self._wrong_pts += 0 <= back < _RESTART_SECONDS
        self._last_pts = pts

    def _seconds(self, pts: int | None, dts: int | None) -> Fraction:
        wrong = self._wrong_pts >= max(_WRONG_PTS_AT_LEAST, self._frames / _WRONG_PTS_SHARE)
        first, second = (dts, pts) if wrong else (pts, dts)
        stamp = second if first is None else first
        if stamp is not None:
            return stamp * self._time_base
        return Fraction(0) if self._last is None else self._last + self._interval
