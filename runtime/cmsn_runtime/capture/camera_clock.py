"""The clock of a camera: it goes on when its connection is opened again, or when its own clock jumps."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from cmsn_runtime.events import WallClock

# So much sooner than any frame before it, by its time, only a frame can come whose clock was set. One that comes later
# was held back by the network.
_JUMP_SECONDS = Fraction(10)
_LEAST_STEP = Fraction(1, 1000)
_MICROSECOND = 1_000_000
# A camera's quartz drifts by up to 9 s a day. What arrived soonest within this time was delayed least.
_LOOKED_AT_SECONDS = 60.0
_DRIFT_SECONDS = Fraction(1, 10)


def _monotonic_begin() -> float:
    return time.time() - time.monotonic()


class Moment(NamedTuple):
    """Seconds on the camera's clock; whether they do not continue those before; the time of day of that clock."""

    seconds: Fraction
    discontinuity: bool
    clock: WallClock


class CameraClock:
    """Times of frames of one session after another -> times on one clock that only increases.

    The first session's times are kept as they are. Later ones are joined to it by arrival, as are times that jump back,
    or forward by far more than arrival. file: times are never changed within a session.
    monotonic_begin: POSIX time at which time.monotonic() was 0; a machine's clock may be set while it runs.
    """

    def __init__(self, *, file: bool = False, monotonic_begin: Callable[[], float] = _monotonic_begin) -> None:
        self._file = file
        self._offset = Fraction(0)  # camera's clock - the session's
        self._joined = False  # this session has its offset
        self._last: Fraction | None = None  # of the session's clock
        self._soonest: Fraction | None = None  # least arrival - session's clock: that of a frame without delay
        self._last_seconds: Fraction | None = None  # of the camera's
        self._last_arrived = 0.0
        self._rtcp: Fraction | None = None  # POSIX time of the session's second 0
        self._arrival = _ArrivalOffset(monotonic_begin)

    def new_session(self) -> None:
        """What follows comes from a new connection."""
        self._joined = False
        self._rtcp = None

    def reported(self, offset: Fraction) -> None:
        """The source reported its time of day: POSIX seconds of second 0 of the session's clock."""
        self._rtcp = offset

    def packet(self, seconds: Fraction | None) -> Fraction | None:
        """The camera's time of a packet of this session; None before its first frame, whose time joins them."""
        return seconds + self._offset if seconds is not None and self._joined else None

    def frame(self, seconds: Fraction, *, arrived: float, jumped: bool) -> Moment:
        """seconds: of a frame on the session's clock. arrived: monotonic. jumped: the session's clock was set."""
        again = self._last_seconds is not None and (not self._joined or self._is_jump(seconds, arrived, jumped))
        if again:
            self._join(seconds, arrived)
        late = _exact(arrived) - seconds
        self._soonest = late if again or self._soonest is None else min(self._soonest, late)
        self._joined = True
        self._last, self._last_arrived = seconds, arrived
        self._last_seconds = seconds + self._offset
        return Moment(self._last_seconds, again or jumped, self._clock(self._last_seconds, arrived))

    def _is_jump(self, seconds: Fraction, arrived: float, jumped: bool) -> bool:
        if self._file or self._last is None or self._soonest is None:
            return False
        return jumped or seconds <= self._last or self._soonest - (_exact(arrived) - seconds) > _JUMP_SECONDS

    def _join(self, seconds: Fraction, arrived: float) -> None:
        assert self._last_seconds is not None
        gap = max(_LEAST_STEP, _exact(arrived - self._last_arrived))
        self._offset = self._last_seconds + gap - seconds

    def _clock(self, seconds: Fraction, arrived: float) -> WallClock:
        by_arrival = self._arrival(seconds, arrived)
        if self._rtcp is not None:
            return WallClock(self._rtcp - self._offset, "rtcp")
        return WallClock(by_arrival, "arrival")


class _ArrivalOffset:
    """POSIX seconds of second 0 of a clock, by the arrival of its frames: those that were delayed least decide."""

    def __init__(self, monotonic_begin: Callable[[], float]) -> None:
        self._monotonic_begin = monotonic_begin
        self._offset: Fraction | None = None
        self._soonest: Fraction | None = None  # since `_since`
        self._since = 0.0

    def __call__(self, seconds: Fraction, arrived: float) -> Fraction:
        found = _exact(self._monotonic_begin() + arrived) - seconds
        if self._soonest is None or arrived - self._since > _LOOKED_AT_SECONDS:
            if self._soonest is not None and self._offset is not None and self._soonest > self._offset + _DRIFT_SECONDS:
                self._offset = self._soonest
            self._soonest, self._since = found, arrived
        self._soonest = min(self._soonest, found)
        if self._offset is None or found < self._offset - _DRIFT_SECONDS:
            self._offset = found
        return self._offset


def _exact(seconds: float) -> Fraction:
    return Fraction(round(seconds * _MICROSECOND), _MICROSECOND)
