"""One camera of a fleet: from what arrives to stamped events."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from fractions import Fraction

from cmsn_runtime.backends.asks import Work
from cmsn_runtime.capture.items import CapturedFrame, SourceBack, SourceEnded, SourceLost
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import SourceWarning
from cmsn_runtime.events import Notice, NoticeKind, StreamEvent, WallClock
from cmsn_runtime.identity import Numbering
from cmsn_runtime.live.meters import RateMeter, Tally
from cmsn_runtime.live.status import LAG_BOUNDS, CameraState, CameraStatus
from cmsn_runtime.live.waiting import Cut, Waiting, WaitingLine
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_runtime.streams.stream import Stream

_SILENCE_MARGIN = 1.0  # seconds beyond the longest gap of a stream, before a silence is taken for one
_NANOSECONDS = 1_000_000_000


class LiveCamera(Closing):
    """What waits of one camera, its stream, and what is known of it. Only `status` may be called by other threads.

    outlets: get its events, stamped. stall_seconds: of its capture; none for a file that is played, which is never
    silent: only the machine can be late. now: time.monotonic, for tests.

    `take` receives what its capture delivers. `next_work` is the work that this leads to, in order; its result goes
    to `finish`. One piece of work is under way at a time.
    """

    def __init__(
        self,
        name: str,
        stream: Stream,
        numbering: Numbering,
        outlets: Outlets,
        *,
        stall_seconds: float | None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.ended: SourceEnded | None = None
        self.seconds: Fraction | None = None  # of the newest frame that was begun
        self.line = WaitingLine()
        self.last_cut = float("-inf")  # time.monotonic()
        self._stream = stream
        self._numbering = numbering
        self._outlets = outlets
        self._stall_seconds = stall_seconds
        self._now = now
        self._clock: WallClock | None = None
        self._state: CameraState = "opening"
        self._reason = ""
        self._since = time.time()
        self._rate, self._lag = RateMeter(), Tally(LAG_BOUNDS)
        self._arrived = now()  # newest frame
        self._longest_pause = 0.0  # between two frames that arrived
        self._lost_at: float | None = None  # time.monotonic()
        self._silent = True  # until the next frame: there is nothing to settle
        self._under_way: Waiting | None = None
        self._missing: list[tuple[NoticeKind, str]] = []  # notices due with the next frame, whose time they need
        self._complained = False
        self._frames = 0
        self._left_out = 0
        self._counts: dict[NoticeKind, int] = dict.fromkeys(
            ("source_lost", "source_back", "gap", "overload", "reset"), 0
        )

    def take(self, item: Waiting) -> None:
        """Something arrived. A frame after a loss is preceded by a SourceBack, also where a new capture began."""
        if isinstance(item, CapturedFrame):
            if self._lost_at is not None:
                self.take(SourceBack(item.arrived - self._lost_at, item.arrived))
            self._rate.count(item.arrived)
            if self._state == "running":
                self._longest_pause = max(self._longest_pause, item.arrived - self._arrived)
            self._arrived = item.arrived
            self._silent = False
            self._enter("running")
        elif isinstance(item, SourceLost):
            self._lost_at = item.arrived
            self._enter("lost", item.reason)
        elif isinstance(item, SourceBack):
            self._lost_at = None
        elif isinstance(item, Cut):
            self._left_out += item.count
        elif isinstance(item, SourceEnded):
            self._enter("ended", item.reason)
        self.line.put(item)

    def cut(self) -> None:
        """Leave out all frames that wait: the machine is too slow."""
        self.last_cut = self._now()
        self._left_out += self.line.cut(self._now())

    @property
    def lag(self) -> float:
        """Seconds for which the oldest frame has waited; 0 where none waits."""
        since = self.line.since
        return 0.0 if since is None else self._now() - since

    def next_work(self) -> Work[list[StreamEvent]]:
        """The work for what has waited longest, which leaves the line. Its result must go to `finish`."""
        item = self._under_way = self.line.get()
        if isinstance(item, CapturedFrame):
            return self._frame(item)
        if isinstance(item, SourceBack):
            return self._back(item)
        if isinstance(item, Cut):
            return self._cut(item)
        return self._stream.ending()

    def silence_work(self) -> Work[list[StreamEvent]] | None:
        """The work of a silence that has ended the segment; None where it has not, or was worked on."""
        silence = self._now() - self._arrived
        usual = max(float(self._stream.settings.max_gap) + _SILENCE_MARGIN, 2 * self._longest_pause)
        if self._silent or self.seconds is None or self._stall_seconds is None:
            return None
        if silence < min(usual, self._stall_seconds):
            return None
        self._silent = True
        return self._stream.idling(self.seconds + Fraction(int(silence * _NANOSECONDS), _NANOSECONDS))

    def finish(self, result: list[StreamEvent] | Exception) -> None:
        """A piece of work has ended. An error ends the segment: what is under way is settled, and a gap is reported."""
        item, self._under_way = self._under_way, None
        failed = isinstance(result, Exception)
        self._out(self._stream.settle() if isinstance(result, Exception) else result)
        if failed:
            self._due("gap", f"frames were lost: {result}")
        if isinstance(item, SourceEnded):
            self.ended = item
        elif isinstance(item, SourceLost):
            self._out([self._notice("source_lost", item.reason)])
        elif isinstance(item, CapturedFrame) and not failed:
            self._frames += 1
            self._outlets.advance(self.name, item.frame.seconds)
            if (preview := self._stream.take_preview()) is not None:
                self._outlets.preview(self.name, preview)
            self._complain()
            self._lag.count(self._now() - item.arrived)

    def _complain(self) -> None:
        """Warn once, as soon as it is known, that nothing can be found in what the camera delivers."""
        complaint = self._stream.health.complaint
        if complaint is not None and not self._complained:
            self._complained = True
            warnings.warn(f"{self.name}: {complaint}", SourceWarning, stacklevel=2)

    def settle(self) -> None:
        """End at once: report what is under way as it was last seen."""
        self._under_way = None
        self._out(self._stream.settle())

    def ending(self) -> Work[list[StreamEvent]]:
        """The work that ends the stream, and reports all that is under way."""
        return self._stream.ending()

    def close(self) -> None:
        """Release the stream."""
        self._stream.close()

    def status(self) -> CameraStatus:
        """See CameraStatus."""
        return CameraStatus(
            name=self.name,
            state=self._state,
            reason=self._reason,
            since=self._since,
            frames=self._frames,
            waiting=self.line.frames,
            lag_seconds=self.lag,
            lags=self._lag.counts,
            lag_sum=self._lag.sum,
            left_out=self._left_out,
            losses=self._counts["source_lost"],
            returns=self._counts["source_back"],
            gaps=self._counts["gap"],
            overloads=self._counts["overload"],
            seconds=None if self.seconds is None else float(self.seconds),
            clock=None if self._clock is None else self._clock.origin,
            frames_per_second=self._rate.rate(self._now()),
        )

    def _frame(self, item: CapturedFrame) -> Work[list[StreamEvent]]:
        self.seconds, self._clock = item.frame.seconds, item.clock
        missing, self._missing = self._missing, []
        self._out([self._notice(kind, reason, ahead=1) for kind, reason in missing])
        return self._stream.steps(item.frame)

    def _back(self, item: SourceBack) -> Work[list[StreamEvent]]:
        self._due("source_back", f"frames again after {item.lost_seconds:.1f} s")
        self._due("gap", f"no frames for {item.lost_seconds:.1f} s")
        return _known([])

    def _cut(self, item: Cut) -> Work[list[StreamEvent]]:
        events = self._stream.settle()
        reason = (
            f"{item.count} frames had waited for up to {item.seconds:.1f} s and were left out: the machine is too slow"
        )
        self._due("gap", f"{item.count} frames were left out")
        return _known([*events, self._notice("overload", reason)])

    def _due(self, kind: NoticeKind, reason: str) -> None:
        """Report this with the next frame."""
        if kind not in dict(self._missing):
            self._missing.append((kind, reason))

    def _notice(self, kind: NoticeKind, reason: str, *, ahead: int = 0) -> Notice:
        """ahead: 1 where it belongs to the segment that is about to begin."""
        return Notice(kind, self.seconds or Fraction(0), reason, self._stream.segments + ahead)

    def _out(self, events: list[StreamEvent]) -> None:
        for event in events:
            if isinstance(event, Notice):
                self._counts[event.kind] += 1
        if events:
            stamped = [self._numbering.stamped(event, self._clock) for event in events]
            self._outlets.events(self.name, stamped)

    def _enter(self, state: CameraState, reason: str = "") -> None:
        if (state, reason) != (self._state, self._reason):
            self._state, self._reason, self._since = state, reason, time.time()


def _known(events: list[StreamEvent]) -> Work[list[StreamEvent]]:
    """Work that asks for nothing."""
    yield from ()
    return events
