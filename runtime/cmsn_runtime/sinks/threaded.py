"""A sink in a thread of its own: one that blocks holds up neither cameras nor other outputs."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from cmsn_runtime.checking import require
from cmsn_runtime.events import Notice, StagePreview, StageStep, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.reporting import report
from cmsn_runtime.sinks.backlog import Backlog, Call, Level
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.sinks.failures import Failures
from cmsn_runtime.text import printable

if TYPE_CHECKING:
    from cmsn_runtime.capture.items import CapturedPacket

_CALL_BYTES = 1024  # of an event or a step, roughly
_LAZY_FRAME_BYTES = 2**19  # of a picture whose pixels are not made yet: 480 x 360, as live cameras deliver them
_FAILED_SECONDS = 0.1  # for a sink that has failed to close
_OPTIONAL = ("advance", "picture", "packet", "step", "preview", "event")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadLimits:
    """How much may wait for a sink: calls, and their approximate bytes; and how long it may take to end."""

    calls: int = 10_000
    bytes: int = 64 * 2**20
    drain_seconds: float = 1.25

    def __post_init__(self) -> None:
        require(self.calls >= 1, "calls", self.calls, "at least 1")
        require(self.bytes >= 1, "bytes", self.bytes, "at least 1")
        require(self.drain_seconds >= 0, "drain_seconds", self.drain_seconds, "at least 0")


class ThreadedSink(Sink):
    """Calls the hooks of another sink in a thread, in order. No hook of this one waits.

    Where the other is too slow, pictures, packets, steps and times of frames are left out first, then events that are
    not final, then the rest, each time the oldest; what was left out is counted in `lost`, and reported once when it
    begins and once when it is over. An error of the other sink is raised by the next hook, or by `close`.

    `finish` begins the end, for which the other sink has `drain_seconds`; then `close` abandons it, and reports what
    was not written. on_report: gets these lines; they go to stderr by default.
    """

    def __init__(
        self, sink: Sink, limits: ThreadLimits | None = None, *, on_report: Callable[[str], None] | None = None
    ) -> None:
        self._sink = sink
        self._limits = limits or ThreadLimits()
        self.passive, self.one_each = sink.passive, sink.one_each
        self.wants_pictures, self.wants_packets = sink.wants_pictures, sink.wants_packets
        self.wants_previews = sink.wants_previews
        self._report = on_report or partial(report, kind="warning")
        # Hooks that do nothing would only fill the queue.
        self._idle = {hook for hook in _OPTIONAL if getattr(type(sink), hook) is getattr(Sink, hook)}
        self._backlog = Backlog(
            most_calls=self._limits.calls,
            most_bytes=self._limits.bytes,
            on_full=self._full,
            on_caught_up=self._caught_up,
        )
        self._failures = Failures(sink.one_each)
        self._deadline: float | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"output {self.name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return self._sink.name

    @property
    def inner(self) -> Sink:
        """The other sink."""
        return self._sink

    @property
    def lost(self) -> Counter[str]:
        """How many were left out: pictures, packets, steps, advances, and events by their kind."""
        return Counter(self._backlog.lost)

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._backlog)

    def begin(self, source: str, duration: Fraction | None) -> None:
        """Queue the hook, as all others do."""
        self._put("begin", source, Level.KEPT, partial(self._sink.begin, source, duration))

    def advance(self, source: str, seconds: Fraction) -> None:
        """Queue the time."""
        self._put("advance", source, Level.PASSING, partial(self._sink.advance, source, seconds))

    def picture(self, source: str, frame: Frame) -> None:
        """Queue the picture."""
        size = _CALL_BYTES + _frame_bytes(frame)
        self._put("picture", source, Level.PASSING, partial(self._sink.picture, source, frame), size)

    def packet(self, source: str, packet: CapturedPacket) -> None:
        """Queue the packet."""
        size = _CALL_BYTES + len(packet.data)
        self._put("packet", source, Level.PASSING, partial(self._sink.packet, source, packet), size)

    def step(self, source: str, step: StageStep) -> None:
        """Queue the step."""
        self._put("step", source, Level.PASSING, partial(self._sink.step, source, step))

    def preview(self, source: str, preview: StagePreview) -> None:
        """Queue the preview."""
        self._put("preview", source, Level.PASSING, partial(self._sink.preview, source, preview))

    def event(self, source: str, event: StreamEvent) -> None:
        """Queue the event."""
        level = Level.LASTING if isinstance(event, Notice) or event.kind == "final" else Level.CHANGING
        kind = "event" if "event" in self._idle else event.kind
        self._put(kind, source, level, partial(self._sink.event, source, event))

    def end(self, source: str, ending: Ending) -> None:
        """Queue the end."""
        self._put("end", source, Level.KEPT, partial(self._sink.end, source, ending))

    def finish(self) -> None:
        """Begin to write what waits and to close the other sink, without waiting for it."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._limits.drain_seconds
            self._backlog.finish()

    def close(self) -> None:
        """Wait until the other sink is closed, or its time is over. Raises its error."""
        if self._closed:
            return
        self._closed = True
        self.finish()
        assert self._deadline is not None
        if self._failures.ended:  # its error is known: nobody waits for what it does to close
            self._thread.join(_FAILED_SECONDS)
        else:
            self._thread.join(max(self._deadline - time.monotonic(), 0))
            if self._thread.is_alive():
                self._abandon()
        errors = self._failures.rest()
        for error in errors[1:]:
            self._report(f"{printable(self.name)}: {error}")
        if errors:
            raise errors[0]

    def _put(self, kind: str, source: str, level: Level, make: Callable[[], None], size: int = _CALL_BYTES) -> None:
        if error := self._failures.next(source, beginning=kind == "begin"):
            raise error
        if kind not in self._idle:
            self._backlog.put(Call(kind, source, level, size, make))

    def _run(self) -> None:
        while (call := self._backlog.take()) is not None:
            if self._failures.concerns(call):
                continue
            try:
                call.make()
            except Exception as error:
                self._failures.add(call.source, error)
                if not self.one_each:
                    self._backlog.clear()
        self._close_sink()

    def _close_sink(self) -> None:
        try:
            self._sink.finish()
            self._sink.close()
        except Exception as error:
            self._failures.add_last(error)

    def _abandon(self) -> None:
        waiting = self._backlog.clear()
        waiting = Counter({kind: count for kind, count in waiting.items() if kind not in ("begin", "end")})
        what = f"{_listed(waiting)} and what it was writing" if waiting else "what it was writing"
        self._report(
            f"{printable(self.name)}: did not end within {self._limits.drain_seconds:g} s and was abandoned; "
            f"not written: {what}"
        )

    def _full(self) -> None:
        self._report(f"{printable(self.name)}: is too slow; the oldest of what waits for it is left out")

    def _caught_up(self, lost: Counter[str]) -> None:
        self._report(f"{printable(self.name)}: has caught up; left out: {_listed(lost)}")


def _frame_bytes(frame: Frame) -> int:
    """Bytes of a picture; its pixels are not made for this."""
    pixels = frame.__dict__.get("pixels")
    return _LAZY_FRAME_BYTES if pixels is None else int(pixels.nbytes)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
