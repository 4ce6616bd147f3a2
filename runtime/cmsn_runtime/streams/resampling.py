"""Resamples moments from the source's own, possibly uneven rate to the model's rate, by their timestamps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.exact import beyond, is_before
from cmsn_runtime.timegrid import TimeGrid


class Timed(Protocol):
    """A frame or a feature row with its time.

    seconds: on the source's own clock, exact. discontinuity: it does not follow the one before it.
    duration: seconds for which it lasts, where the source knows (neither None nor 0); used only for the last one.
    """

    @property
    def seconds(self) -> Fraction: ...
    @property
    def discontinuity(self) -> bool: ...
    @property
    def duration(self) -> Fraction | None: ...


Item = TypeVar("Item", bound=Timed)


@dataclass(frozen=True, slots=True)
class Tick(Generic[Item]):
    """Moment number `index` of the current segment at the model's rate, at origin + index / fps."""

    moment: Item
    index: int


@dataclass(frozen=True, slots=True)
class SegmentStart:
    """An unbroken stretch of time begins: ticks count from `origin`, and all state of the stream restarts.

    lone: whether the previous stretch had only one moment. apart: seconds since the last moment of that stretch.
    """

    origin: Fraction
    reason: str
    lone: bool = False
    apart: Fraction | None = None


class Resampler(Generic[Item]):
    """Shows, at each tick of the model's clock, the newest moment until then (sample and hold).

    max_gap: seconds; a longer silence between two moments ends the segment, as do one marked as a discontinuity
        and a jump back by more than that. Moments that are not later than the one before them are dropped.
    jitter: seconds; a moment this late is still in time for its tick. The default absorbs containers that round to
        milliseconds (Matroska, FLV): without it, every third frame of 30 per second misses its tick at the same rate.
    dropped: number of dropped moments.

    A moment is held until its successor comes, so ticks lag by one; the last one lasts for its own duration, or
    for that of the one before it (1 / fps where it is alone). n moments at a steady rate r give ceil(n * fps / r)
    ticks. All arithmetic is exact. One push gives at most max_gap * fps ticks.
    """

    def __init__(self, grid: TimeGrid, *, max_gap: Fraction, jitter: Fraction = Fraction(1, 1000)) -> None:
        if max_gap <= 0 or not 0 <= jitter < 1 / grid.fps:
            raise SettingsError(
                f"a gap of {max_gap} s and a jitter of {jitter} s were given; the gap must be above zero, "
                f"the jitter at least zero and less than a model frame, {1 / grid.fps} s"
            )
        self.dropped = 0
        self.max_gap = max_gap
        self._grid = grid
        self._jitter = jitter
        self._held: Item | None = None
        self._before: Fraction | None = None  # time of the moment before it
        self._silent_since: Fraction | None = None  # time at which `idle` ended the segment
        self._resumed: tuple[Fraction, int] | None = None
        self._begin(Fraction(0))

    def resume(self, origin: Fraction, tick: int) -> None:
        """Let the next segment begin as one that has begun at `origin`, with this tick as its first."""
        self._resumed = origin, tick

    def push(self, moment: Item) -> list[Tick[Item] | SegmentStart]:
        """Take one moment -> the ticks that are now known, and a SegmentStart before the first tick of each segment.

        Raises SettingsError where its times cannot be used, and changes nothing then.
        """
        require_times(moment)
        held = self._held
        since = held.seconds if held is not None else self._silent_since
        reason = self._break_before(moment, since)
        if reason is not None:
            lone = since is not None and self._moments == 1
            apart = None if since is None else abs(moment.seconds - since)
            ticks = self.flush()
            origin, tick = self._resumed or (moment.seconds, 0)
            self._resumed = None
            self._begin(origin, tick)
            self._held = moment
            return [*ticks, SegmentStart(origin, reason, lone, apart)]
        if held is None or not is_before(held.seconds, moment.seconds):
            self.dropped += 1
            return []
        self._moments += 1
        self._before, self._held = held.seconds, moment
        return list(self._ticks(held, until=moment.seconds))

    def idle(self, until: Fraction) -> list[Tick[Item]] | None:
        """No moment came until then -> the segment's last ticks, if the silence has ended it; otherwise None.

        Raises SettingsError where the time is not a Fraction.
        """
        require_exact(until)
        if self._held is None or beyond(self._held.seconds, until, self.max_gap) <= 0:
            return None
        self._silent_since = self._held.seconds
        return self._last_ticks()

    def flush(self) -> list[Tick[Item]]:
        """End of the segment -> the ticks of its last moment."""
        self._silent_since = None
        return self._last_ticks()

    def _last_ticks(self) -> list[Tick[Item]]:
        held, self._held = self._held, None
        if held is None:
            return []
        interval = 1 / self._grid.fps if self._before is None else held.seconds - self._before
        stands = min(held.duration or interval, self.max_gap)
        return self._ticks(held, until=held.seconds + stands)

    def _begin(self, origin: Fraction, tick: int = 0) -> None:
        self._next = tick
        self._moments = 1
        self._silent_since = None
        self._before = None
        # The time at which tick n is over: (first + n * step) / unit, in integers.
        first, step = origin + self._jitter, 1 / self._grid.fps
        self._unit = math.lcm(first.denominator, step.denominator)
        self._first, self._step = (time.numerator * (self._unit // time.denominator) for time in (first, step))

    def _ticks(self, moment: Item, *, until: Fraction) -> list[Tick[Item]]:
        """Ticks not yet returned for which a moment at `until` would come too late."""
        ticks = []
        numerator, denominator = until.numerator * self._unit, until.denominator
        while (self._first + self._next * self._step) * denominator < numerator:
            ticks.append(Tick(moment, self._next))
            self._next += 1
        return ticks

    def _break_before(self, moment: Item, since: Fraction | None) -> str | None:
        """Why a segment begins with this moment, in words; None where none begins. since: time of the previous one."""
        if since is None:
            return "first frame"
        if moment.discontinuity:
            return f"the source jumped from {float(since):.3f} s to {float(moment.seconds):.3f} s"
        if beyond(since, moment.seconds, self.max_gap) > 0:
            return f"no frames for {float(moment.seconds - since):.3f} s"
        if beyond(moment.seconds, since, self.max_gap) > 0:
            return f"time went back by {float(since - moment.seconds):.3f} s"
        return "frames again after a silence" if self._held is None and is_before(since, moment.seconds) else None


def require_times(moment: Timed) -> None:
    """Raise SettingsError for a moment whose time or duration cannot be used."""
    require_exact(moment.seconds)
    if moment.duration is not None:
        require_exact(moment.duration, what="a duration")
        if moment.duration < 0:
            raise SettingsError(f"a duration is {moment.duration} s; it must not be negative; None where it is unknown")


def require_exact(seconds: object, *, what: str = "a time") -> None:
    """Raise SettingsError for a time that is not a Fraction of Python's own integers."""
    if not isinstance(seconds, Fraction):
        raise SettingsError(f"{what} is {seconds!r}; it must be a Fraction (PTS times time base): floats drift")
    if type(seconds.numerator) is not int or type(seconds.denominator) is not int:
        raise SettingsError(
            f"{what} is a Fraction of {type(seconds.numerator).__name__} and {type(seconds.denominator).__name__}; it "
            "must be one of two int: NumPy's integers overflow; pass Fraction(int(pts), ...)"
        )
