"""Frames at the source's own, possibly uneven rate -> frames at the model's rate, by their timestamps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from cmsn_runtime.frames import Frame
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
    dropped: how many such frames there were.

    A frame is held until its successor comes, so ticks lag by one source frame. All arithmetic is exact.
    """

    def __init__(self, grid: TimeGrid, *, max_gap: Fraction) -> None:
        self.dropped = 0
        self._grid = grid
        self._max_gap = max_gap
        self._forget()

    def push(self, frame: Frame) -> Iterator[Tick | SegmentStart]:
        """Take one frame -> the ticks that are now known, and a SegmentStart before the first tick of each segment."""
        held = self._held
        reason = "first frame" if held is None else self._break_before(frame, held)
        if held is not None and reason is None and frame.seconds <= held.seconds:
            self.dropped += 1
            return
        if reason is not None:
            yield from self.flush()
            yield SegmentStart(frame.seconds, reason)
            self._origin, self._held = frame.seconds, frame
        elif held is not None:
            yield from self._ticks(held, until=frame.seconds)
            self._interval, self._held = frame.seconds - held.seconds, frame

    def flush(self) -> Iterator[Tick]:
        """End of the segment: the last frame lasts as long as the one before it did, and one tick at least."""
        held = self._held
        if held is not None:
            yield from self._ticks(held, until=held.seconds + self._interval)
        self._forget()

    def _ticks(self, frame: Frame, *, until: Fraction) -> Iterator[Tick]:
        while self._grid.frame_time(self._next, self._origin) < until:
            yield Tick(frame, self._next)
            self._next += 1

    def _break_before(self, frame: Frame, held: Frame) -> str | None:
        step = frame.seconds - held.seconds
        if frame.discontinuity:
            return f"the source jumped from {float(held.seconds):.3f} s to {float(frame.seconds):.3f} s"
        if step > self._max_gap:
            return f"no frames for {float(step):.3f} s"
        if step < -self._max_gap:
            return f"time went back by {float(-step):.3f} s"
        return None

    def _forget(self) -> None:
        self._held: Frame | None = None
        self._origin = Fraction(0)
        self._next = 0
        self._interval = 1 / self._grid.fps
