"""The protocol of all sinks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from cmsn_runtime.closing import Closing
from cmsn_runtime.events import Notice, StagePreview, StageStep, StreamEvent
from cmsn_runtime.pictures.frame import Frame

if TYPE_CHECKING:
    from cmsn_runtime.capture.items import CapturedPacket

EventChoice = Literal["all", "final"]

Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a source ended.

    seconds: time of the last frame that was looked at, none where there was none. reason: why that was not the end of
    the source; empty where it was.
    """

    seconds: Fraction | None
    reason: str = ""


class Sink(Closing):
    """Takes what is found in one or more sources, and writes it as it comes. All hooks do nothing by themselves.

    `source` is the source's name throughout. Between `begin` and `end` of a source come its frames, steps and events.
    Several sources may be open at once; those of one name are taken for one. A sink that raises, in whatever hook, is
    closed, and the other sinks continue (see Outlets). Raises OutputError where its output cannot be written.

    wants_pictures, wants_packets, wants_previews: whether it takes these; those that nobody takes are not made.
    name: for messages. passive: it only shows progress, so a run does not continue for it alone. one_each: each
    source has an output of its own, so that one that fails does not concern the next.
    """

    passive: bool = False
    one_each: bool = False
    wants_pictures: bool = False
    wants_packets: bool = False
    wants_previews: bool = False

    @property
    def name(self) -> str:
        return type(self).__name__

    def begin(self, source: str, duration: Fraction | None) -> None:
        """A source was opened. duration: seconds, where it is known beforehand."""

    def advance(self, source: str, seconds: Fraction) -> None:
        """A frame of that time was processed."""

    def picture(self, source: str, frame: Frame) -> None:
        """A frame to be shown: its pixels are converted, or decompressed, when they are accessed.

        Live cameras deliver fewer than they have frames, and smaller ones (see capture.settings).
        """

    def packet(self, source: str, packet: CapturedPacket) -> None:
        """A compressed frame arrived from a live camera; it is processed later than this, if at all."""

    def step(self, source: str, step: StageStep) -> None:
        """The stage of one more feature step is settled."""

    def preview(self, source: str, preview: StagePreview) -> None:
        """The stages of the newest steps, before they are settled. Live cameras only."""

    def event(self, source: str, event: StreamEvent) -> None:
        """An event occurred."""

    def end(self, source: str, ending: Ending) -> None:
        """The source has ended."""

    def finish(self) -> None:
        """The run has ended: begin to write what waits, without waiting for it. `close` follows, after this hook of all
        other sinks.
        """

    def close(self) -> None:
        """The run has ended."""


class OpenSources(Generic[Kept]):
    """What a sink keeps of each open source; sources of one name share it until the last of them ends."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._open: dict[str, int] = {}

    def begin(self, source: str, make: Callable[[], Kept]) -> Kept:
        """Count a source that begins -> what is kept of it, made if there is none of its name."""
        if source not in self._kept:
            self._kept[source] = make()
        self._open[source] = self._open.get(source, 0) + 1
        return self._kept[source]

    def end(self, source: str) -> Kept | None:
        """Count a source that ends -> what was kept of it; none while another of its name is open."""
        self._open[source] -= 1
        if self._open[source]:
            return None
        del self._open[source]
        return self._kept.pop(source)

    def __getitem__(self, source: str) -> Kept:
        return self._kept[source]

    def values(self) -> list[Kept]:
        """What is kept of every open source."""
        return list(self._kept.values())


def is_chosen(event: StreamEvent, choice: EventChoice) -> bool:
    """`final` omits events that may still change; a notice is always reported."""
    return choice == "all" or isinstance(event, Notice) or event.kind == "final"
