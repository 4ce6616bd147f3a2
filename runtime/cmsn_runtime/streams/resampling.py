"""Frames at the source's own, possibly uneven rate -> frames at the model's rate, by their timestamps."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.timegrid import TimeGrid


@dataclass(frozen=True, slots=True)
class Tick:
    """Frame number `index` of the current segment at the model's rate, at origin + index / fps."""

    frame: Frame
    index: int


@dataclass(frozen=True, slots=True)
class SegmentStart:
    """An unbroken stretch of time begins: ticks count from `origin`, and everything that streams starts anew."""

    origin: Fraction
    reason: str


class Resampler:
    """Shows, at each tick of the model's clock, the newest frame taken until then (sample and hold).

    max_gap: seconds; a longer silence between two frames ends the segment, as do a frame marked as a discontinuity
        and a jump back by more than that. Frames that are not later than the one before them are dropped.
    jitter: seconds; a frame this late is still in time for its tick. The default absorbs containers that round to
        milliseconds (Matroska, FLV): without it, every third frame of 30 a second misses its tick at the same rate.
    dropped: how many frames were.

    A frame is held until its successor comes, so ticks lag by one source frame; the last one lasts as long as the one
    before it did (1 / fps where it is alone). n frames at a steady rate r give ceil(n * fps / r) ticks. All arithmetic
    is exact. One push gives at most max_gap * fps ticks.
    """

    def __init__(self, grid: TimeGrid, *, max_gap: Fraction, jitter: Fraction = Fraction(1, 1000)) -> None:
        if max_gap <= 0 or not 0 <= jitter < 1 / grid.fps:
            raise SettingsError(
                f"gap of {max_gap} s, jitter of {jitter} s: the gap must be above zero, "
                f"the jitter from zero to less than a model frame, {1 / grid.fps} s"
            )
        self.dropped = 0
        self._grid = grid
        self._max_gap = max_gap
        self._jitter = jitter
        self._held: Frame | None = None
        self._begin(Fraction(0))

    def push(self, frame: Frame) -> list[Tick | SegmentStart]:
        """Take one frame -> the ticks that are now known, and a SegmentStart before the first tick of each segment.

        Raises SettingsError where its time is not a Fraction.
        """
        if not isinstance(frame.seconds, Fraction):
            raise SettingsError(
                f"a frame's time is {frame.seconds!r}; it must be a Fraction (PTS times time base): floats drift"
            )
        held = self._held
        reason = "first frame" if held is None else self._break_before(frame, held)
        if reason is not None:
            ticks = self.flush()
            self._begin(frame.seconds)
            self._held = frame
            return [*ticks, SegmentStart(frame.seconds, reason)]
        if held is None or frame.seconds <= held.seconds:
            self.dropped += 1
            return []
        self._interval, self._held = frame.seconds - held.seconds, frame
        return [*self._ticks(held, until=frame.seconds)]

    def flush(self) -> list[Tick]:
        """End of the segment -> the ticks of its last frame."""
        held, self._held = self._held, None
        return [] if held is None else self._ticks(held, until=held.seconds + self._interval)

    def _begin(self, origin: Fraction) -> None:
        self._origin = origin
        self._next = 0
        self._interval = 1 / self._grid.fps

    def _ticks(self, frame: Frame, *, until: Fraction) -> list[Tick]:
        """Ticks not yet given out that a frame at `until` would come too late for."""
        ticks = []
        while self._grid.frame_time(self._next, self._origin) + self._jitter < until:
            ticks.append(Tick(frame, self._next))
            self._next += 1
        return ticks

    def _break_before(self, frame: Frame, held: Frame) -> str | None:
        step = frame.seconds - held.seconds
        if frame.discontinuity:
            return f"the source jumped from {float(held.seconds):.3f} s to {float(frame.seconds):.3f} s"
        if step > self._max_gap:
            return f"no frames for {float(step):.3f} s"
        if step < -self._max_gap:
            return f"time went back by {float(-step):.3f} s"
        return None
