"""Rates and delays of a live camera, counted as they happen."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

_RATE_SECONDS = 5.0
_RATE_MOST = 1000  # arrivals kept: more than 200 frames per second are shown as 200


class RateMeter:
    """How many arrivals per second there were lately."""

    def __init__(self) -> None:
        self._arrivals: deque[float] = deque(maxlen=_RATE_MOST)

    def count(self, now: float) -> None:
        """Something arrived. now: time.monotonic(), as below."""
        self._arrivals.append(now)

    def rate(self, now: float) -> float:
        """Arrivals per second of the last 5 seconds, or since the first one."""
        arrivals = tuple(self._arrivals)  # another thread may be counting
        recent = [each for each in arrivals if now - each <= _RATE_SECONDS]
        if len(recent) < 2:
            return 0.0
        span = min(_RATE_SECONDS, now - arrivals[0])
        return len(recent) / span if span > 0 else 0.0


class Tally:
    """A histogram of times, in seconds. bounds: upper ones, increasing."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.sum = 0.0
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)

    def count(self, seconds: float) -> None:
        """Something took that long."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.sum += seconds

    @property
    def counts(self) -> tuple[int, ...]:
        """How many were within each of the bounds and not within the one before; the last: beyond all of them."""
        return tuple(self._counts)
