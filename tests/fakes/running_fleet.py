"""A fleet that runs in a thread from its first camera on, over cameras that a test plays."""

from __future__ import annotations

import threading
from fractions import Fraction

from fake_capture import FakeCapture, FakeCaptures
from waiting import wait_for

from cmsn_runtime.bundle import Bundle
from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.events import Event, StagePreview, StreamEvent
from cmsn_runtime.live.fleet import Fleet
from cmsn_runtime.live.settings import CameraSettings, FleetSettings
from cmsn_runtime.secrets import Secret
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.sinks.outlets import Outlets


class Notes(Sink):
    """Keeps everything, per camera."""

    wants_previews = True

    def __init__(self) -> None:
        self.previews: list[StagePreview] = []
        self.found: dict[str, list[StreamEvent]] = {}
        self.endings: dict[str, Ending] = {}

    def begin(self, source: str, duration: Fraction | None) -> None:
        self.found.setdefault(source, [])

    def event(self, source: str, event: StreamEvent) -> None:
        self.found[source].append(event)

    def preview(self, source: str, preview: StagePreview) -> None:
        self.previews.append(preview)

    def end(self, source: str, ending: Ending) -> None:
        self.endings[source] = ending

    def kinds(self, source: str) -> list[str]:
        """Kinds of the events of a camera."""
        return [event.kind for event in self.found.get(source, [])]


class Running:
    """A fleet in a thread of its own. error: what ended it."""

    def __init__(self, bundle: Bundle, settings: FleetSettings | None = None, *, until_ended: bool = False) -> None:
        self.captures = FakeCaptures()
        self.notes = Notes()
        self.failures: list[tuple[str, Exception]] = []
        self.error: BaseException | None = None
        self.fleet = Fleet(
            bundle,
            Outlets([self.notes]),
            settings,
            site="north",
            run="R",
            on_failure=lambda name, error: self.failures.append((name, error)),
            capture=self.captures,
        )
        self._thread = threading.Thread(target=self._run, args=(until_ended,), daemon=True)

    def add(self, name: str, *, stall_seconds: float = 5.0, **streaming: object) -> FakeCapture:
        """Add a camera -> its capture, which has begun."""
        before = len(self.captures.opened)
        capture = CaptureSettings(stall_seconds=stall_seconds)
        self.fleet.add(
            CameraSettings(name=name, address=Secret(f"fake://{name}"), capture=capture, streaming=streaming)
        )
        if not self._thread.ident:  # not before its first camera: without any, a run has ended
            self._thread.start()
        wait_for(lambda: len(self.captures.opened) > before)
        return self.captures.opened[-1]

    def processed(self, name: str) -> int:
        """Frames of a camera that were processed."""
        return sum(status.frames for status in self.fleet.statuses() if status.name == name)

    def wait_until_processed(self, capture: FakeCapture, *, frames: int | None = None) -> None:
        """Wait until all frames of a camera, or so many, were processed."""
        wanted = capture.next if frames is None else frames
        wait_for(lambda: self.processed(capture.name) >= wanted)

    def stop(self) -> None:
        """End it as a user does."""
        self.fleet.stop()
        self.join()

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _run(self, until_ended: bool) -> None:
        try:
            self.fleet.run(until_ended=until_ended)
        except BaseException as error:
            self.error = error


def content(events: list[StreamEvent]) -> list[tuple[object, ...]]:
    """All of the events but when they were reported."""
    return [(event.kind, event.seconds, event.segment, event.stamp, *_own(event)) for event in events]


def _own(event: StreamEvent) -> tuple[object, ...]:
    if isinstance(event, Event):
        return event.action, event.rank, event.proposal.start, event.proposal.end, event.proposal.score
    return (event.reason,)
