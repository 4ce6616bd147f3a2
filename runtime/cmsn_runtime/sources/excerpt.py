"""The requested part of a source."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from cmsn_runtime.sources.options import SourceOptions


class Excerpt:
    """Says of each frame, in order, whether it lies before, in or after the part that `options` ask for.

    A part that was begun continues when the clock is set back: its length counts on.
    """

    def __init__(self, options: SourceOptions) -> None:
        self._begin = options.begin
        self._length = options.length
        self._end: Fraction | None = None
        self._last: Fraction | None = None  # of the frames inside

    @property
    def begun(self) -> bool:
        """Whether a frame lay inside."""
        return self._last is not None

    def place(self, seconds: Fraction, *, jumped: bool) -> Literal["before", "inside", "after"]:
        """seconds: the frame's time. jumped: the clock was set back before it."""
        if self._last is None:
            if self._begin is not None and seconds < self._begin:
                return "before"
            first = seconds if self._begin is None else max(seconds, self._begin)
            self._end = None if self._length is None else first + self._length
        elif jumped and self._end is not None:
            self._end += seconds - self._last
        if self._end is not None and seconds >= self._end:
            return "after"
        self._last = seconds
        return "inside"

    def duration(self, start: Fraction, whole: Fraction | None) -> Fraction | None:
        """Seconds the part lasts in a source that begins at `start` and lasts `whole`; None where that is not known."""
        left = None if whole is None else whole - max(Fraction(0), (self._begin or start) - start)
        known = [seconds for seconds in (left, self._length) if seconds is not None]
        return max(Fraction(0), min(known)) if known else None
