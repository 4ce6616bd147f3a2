"""What a stream lost, and whether it can find anything at all."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cmsn_runtime.streams.resampling import SegmentStart

_ENOUGH = 3  # consecutive segments of one moment each, before this is reported


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """Losses of a stream. dropped: moments not later than their predecessor. resets: segments ended by a gap or jump.

    apart: seconds between moments where all are too far apart to find anything; otherwise None.
    longest: maximum seconds between moments.
    """

    dropped: int
    resets: int
    apart: Fraction | None
    longest: Fraction

    @property
    def complaint(self) -> str | None:
        """One line where nothing can be found; None otherwise."""
        if self.apart is None:
            return None
        return (
            f"frames come {float(self.apart):.3g} s apart, and this model needs at least one in "
            f"{float(self.longest):.3g} s: nothing can be found; give a source of a higher rate, or the rate that "
            "it was recorded at"
        )


class StreamWatch:
    """Counts the segments of a stream. longest: maximum seconds between moments."""

    def __init__(self, longest: Fraction) -> None:
        self._longest = longest
        self._resets = 0
        self._lone = 0  # consecutive segments that a gap ended after their first moment
        self._apart: Fraction | None = None

    def broke(self, start: SegmentStart) -> None:
        """A segment ended and another one begins."""
        self._resets += 1
        self._lone = self._lone + 1 if start.lone else 0
        self._apart = start.apart

    def health(self, *, dropped: int) -> StreamHealth:
        """What is known so far."""
        apart = self._apart if self._lone >= _ENOUGH else None
        return StreamHealth(dropped, self._resets, apart, self._longest)
