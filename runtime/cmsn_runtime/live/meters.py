"""Rates and delays of a live camera, counted as they happen."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

from cmsn_runtime.live.status import LAG_BOUNDS

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


class LagMeter:
    """How long frames waited until they were processed, by LAG_BOUNDS."""

    def __init__(self) -> None:
        self._counts = [0] * (len(LAG_BOUNDS) + 1)
        self.sum = 0.0

    def count(self, seconds: float) -> None:
        """A frame was processed that long after its arrival."""
        self._counts[bisect_left(LAG_BOUNDS, seconds)] += 1
        self.sum += seconds

    @property
    def counts(self) -> tuple[int, ...]:
        """As in CameraStatus.lags."""
        return tuple(self._counts)
