"""Notices a source whose frames are too far apart for the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from cmsn_runtime.events import Reset, StreamEvent
from cmsn_runtime.sinks.base import Ending, OpenSources, Sink
from cmsn_runtime.text import printable


@dataclass(slots=True)
class _Count:
    first: Fraction | None = None
    last: Fraction = Fraction(0)
    frames: int = 0
    resets: int = 0


class GapSink(Sink):
    """Reports, at the end of a source, that most of its frames began anew: nothing can be found in a time lapse.

    most: seconds between frames that the model bears. report: gets the line.
    """

    passive = True

    def __init__(self, most: Fraction, report: Callable[[str], None]) -> None:
        self._most = most
        self._report = report
        self._counts: OpenSources[_Count] = OpenSources()

    def begin(self, source: str, duration: Fraction | None) -> None:
        """Count from zero."""
        self._counts.begin(source, _Count)

    def advance(self, source: str, seconds: Fraction) -> None:
        """Count a frame."""
        count = self._counts[source]
        count.first = seconds if count.first is None else count.first
        count.last = seconds
        count.frames += 1

    def event(self, source: str, event: StreamEvent) -> None:
        """Count a reset."""
        self._counts[source].resets += isinstance(event, Reset)

    def end(self, source: str, ending: Ending) -> None:
        """Report where more than half of the frames were of no use."""
        count = self._counts.end(source)
        if count is None or count.first is None or count.resets * 2 <= count.frames - 1 or not count.resets:
            return
        apart = float((count.last - count.first) / (count.frames - 1))
        self._report(
            f"{printable(source)}: its frames come {apart:.2g} s apart, this model needs at least one in "
            f"{float(self._most):.2g} s; it began anew at {count.resets} of {count.frames} frames and can find nothing"
        )
