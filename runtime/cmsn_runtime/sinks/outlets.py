"""Several sinks as one; a failure of one does not affect the others."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import CmsnError, OutputError
from cmsn_runtime.events import StagePreview, StageStep, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.stopping import Steps
from cmsn_runtime.text import printable

if TYPE_CHECKING:
    from cmsn_runtime.capture.items import CapturedPacket


class Outlets(Closing):
    """Passes everything to every sink, in order. One that fails is closed and reported, and the others continue.

    on_failure: gets the error of a sink; a reader that exits is not an error. By default errors are kept in `failures`.

    failures: the errors so far, except those of passive sinks. deserted: there were sinks, and only passive ones
    are left. Sinks are added and removed from any thread, between two hooks.
    """

    def __init__(self, sinks: Sequence[Sink], *, on_failure: Callable[[CmsnError], None] | None = None) -> None:
        self.failures: list[CmsnError] = []
        self.deserted = False
        self._sinks = list(sinks)
        self._muted: set[tuple[Sink, str]] = set()
        self._open: Counter[str] = Counter()
        self._changing = threading.RLock()
        self._on_failure = on_failure

    def __contains__(self, sink: Sink) -> bool:
        """Whether it is one of these, and has not failed."""
        return sink in self._sinks

    def add(self, sink: Sink) -> None:
        """Add a sink, for which all open sources begin now."""
        with self._changing:
            self._sinks.append(sink)
            self.deserted = False
            for source in self._open.elements():
                self._to(sink, source, partial(sink.begin, source, None))

    def remove(self, sink: Sink, reason: str) -> None:
        """Remove and close a sink, for which all open sources end now; nothing happens where it has failed before."""
        with self._changing:
            if sink not in self._sinks:
                return
            for source in self._open.elements():
                self._to(sink, source, partial(sink.end, source, Ending(None, reason)))
            if sink in self._sinks:
                self._forget(sink)
        self._ending(sink, sink.close)

    def held(self) -> AbstractContextManager[object]:
        """While it is open, hooks of other threads wait."""
        return self._changing

    def begin(self, source: str, duration: Fraction | None) -> None:
        """A source was opened; see Sink for this and the following hooks."""
        with self._changing:
            self._open[source] += 1
            self._muted = {muted for muted in self._muted if muted[1] != source}
            self._tell(source, lambda sink: sink.begin(source, duration))

    def advance(self, source: str, seconds: Fraction) -> None:
        """A frame of that time was processed."""
        self._tell(source, lambda sink: sink.advance(source, seconds))

    def picture(self, source: str, frame: Frame) -> None:
        """A frame to be shown, for the sinks that take pictures."""
        self._tell(source, lambda sink: sink.picture(source, frame) if sink.wants_pictures else None)

    def packet(self, source: str, packet: CapturedPacket) -> None:
        """A compressed frame arrived, for the sinks that take packets."""
        self._tell(source, lambda sink: sink.packet(source, packet) if sink.wants_packets else None)

    def step(self, source: str, step: StageStep) -> None:
        """The stage of one more feature step is settled."""
        self._tell(source, lambda sink: sink.step(source, step))

    def preview(self, source: str, preview: StagePreview) -> None:
        """The stages of the newest steps, for the sinks that take them before they are settled."""
        self._tell(source, lambda sink: sink.preview(source, preview) if sink.wants_previews else None)

    def events(self, source: str, events: Sequence[StreamEvent]) -> None:
        """Events occurred."""
        for event in events:
            self._tell(source, lambda sink, event=event: sink.event(source, event))  # type: ignore[misc]

    def end(self, source: str, ending: Ending) -> None:
        """The source has ended."""
        with self._changing:
            self._open[source] -= 1
            self._tell(source, lambda sink: sink.end(source, ending))

    @property
    def wants_pictures(self) -> bool:
        """Whether any sink takes pictures."""
        return any(sink.wants_pictures for sink in self._sinks)

    @property
    def wants_packets(self) -> bool:
        """Whether any sink takes packets."""
        return any(sink.wants_packets for sink in self._sinks)

    @property
    def wants_previews(self) -> bool:
        """Whether any sink takes previews."""
        return any(sink.wants_previews for sink in self._sinks)

    def close(self) -> None:
        """Close every sink. A signal waits until all of them are."""
        with Steps() as steps, steps.whole:
            for sink in self._sinks:  # those with a thread of their own end side by side
                self._ending(sink, sink.finish)
            while self._sinks:
                sink = self._sinks.pop(0)
                self._ending(sink, sink.close)

    def _ending(self, sink: Sink, hook: Callable[[], None]) -> None:
        try:
            hook()
        except BrokenPipeError:
            pass
        except Exception as error:
            self._report(sink, error)

    def _tell(self, source: str, hook: Callable[[Sink], None]) -> None:
        with self._changing:
            for sink in tuple(self._sinks):
                if (sink, source) not in self._muted:
                    self._to(sink, source, partial(hook, sink))

    def _to(self, sink: Sink, source: str, hook: Callable[[], None]) -> None:
        try:
            hook()
        except Exception as error:
            if sink.one_each:
                self._muted.add((sink, source))
            else:
                self._drop(sink)
            if not isinstance(error, BrokenPipeError):
                self._report(sink, error)

    def _forget(self, sink: Sink) -> None:
        self._sinks.remove(sink)
        self._muted = {muted for muted in self._muted if muted[0] is not sink}

    def _drop(self, sink: Sink) -> None:
        self._forget(sink)
        with suppress(Exception):  # it has failed already, and its error is reported
            sink.close()
        self.deserted |= not sink.passive and all(other.passive for other in self._sinks)

    def _report(self, sink: Sink, error: Exception) -> None:
        failure = error if isinstance(error, CmsnError) else _failure(sink, error)
        if not sink.passive:
            self.failures.append(failure)
        if self._on_failure is not None:
            self._on_failure(failure)


def _failure(sink: Sink, error: Exception) -> OutputError:
    reason = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    failure = OutputError(f"{printable(sink.name)}: this output failed and is closed ({reason}); the others continue")
    failure.__cause__ = error
    return failure
