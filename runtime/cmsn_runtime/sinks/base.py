"""What every sink offers."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from cmsn_runtime.closing import Closing
from cmsn_runtime.events import Reset, StageStep, StreamEvent

EventChoice = Literal["all", "final"]


class Sink(Closing):
    """Takes what is said of one or more sources, and writes it as it comes. All hooks do nothing by themselves.

    `source` is the source's name throughout. Between `begin` and `end` of a source come its frames, steps and events.
    Several sources may be open at once. Raises OutputError where its output cannot be written.
    """

    def begin(self, source: str, duration: Fraction | None) -> None:
        """A source was opened. duration: seconds, where it is known beforehand."""

    def advance(self, source: str, seconds: Fraction) -> None:
        """A frame of that time was taken."""

    def step(self, source: str, step: StageStep) -> None:
        """The stage of one more feature step is settled."""

    def event(self, source: str, event: StreamEvent) -> None:
        """An event occurred."""

    def end(self, source: str) -> None:
        """Nothing more will come of this source."""

    def close(self) -> None:
        """Nothing more will come at all."""


def is_chosen(event: StreamEvent, choice: EventChoice) -> bool:
    """`final` leaves out what may still change; a reset is always reported."""
    return choice == "all" or isinstance(event, Reset) or event.kind == "final"
