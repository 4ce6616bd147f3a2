"""The times of compressed packets, on the clock of their frames."""

from __future__ import annotations

from fractions import Fraction

from cmsn_runtime.sources import formats
from cmsn_runtime.sources.stamps import WRAP_MARGIN, CountedStamps, Stamps, Unwrapper


class PacketTimes:
    """Seconds of each packet's frame, as far as they are known before it is decoded.

    stamps, format: those of the source. Where frames are counted, packets are as well: the n-th is the n-th frame's.
    """

    def __init__(self, stamps: Stamps, format: str) -> None:
        base = stamps.time_base
        self._time_base = base
        self._unwrap = Unwrapper(formats.counter_period(format, base), int(WRAP_MARGIN / base))
        self._rate = stamps.rate if isinstance(stamps, CountedStamps) else None
        self._count = -1

    def __call__(self, pts: int | None) -> Fraction | None:
        """pts: as the packet carries it into the decoder."""
        self._count += 1
        if self._rate is not None:
            return self._count / self._rate
        return None if pts is None else self._unwrap(pts) * self._time_base
