"""What streams of pictures and of feature rows share: moments in time in, events out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import Generic, Protocol, TypeAlias, TypeVar

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import Work
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.events import Notice, StagePreview, StreamEvent
from cmsn_runtime.provenance import ResumePoint
from cmsn_runtime.streams.current_segment import CurrentSegment, TimedSettings
from cmsn_runtime.streams.exclusive import Exclusive
from cmsn_runtime.streams.extracting import Moment
from cmsn_runtime.streams.health import StreamHealth, StreamWatch
from cmsn_runtime.streams.resampling import Resampler, SegmentStart, Tick, Timed, require_exact, require_times
from cmsn_runtime.streams.segment import StepCallback

Given = TypeVar("Given", bound=Timed, contravariant=True)


class Prepared(Timed, Protocol):
    """A copied moment, which its caller can no longer change."""

    def values(self) -> Moment:
        """The extractor's input for it; the same array each time."""
        ...


_Items: TypeAlias = Sequence[Tick[Prepared] | SegmentStart]


class TimedStream(Closing, Generic[Given]):
    """The state of one camera or sensor. Not thread-safe; the backend behind it may be shared between streams.

    backend: the one that answers its asks; states and windows belong to it.

    A moment is checked before anything changes, and what the caller does with it afterwards has no effect. The
    stream itself runs no network. `push`, `flush` and `idle` answer its asks at once; `steps`, `ending` and
    `idling` are the same as work for a caller that answers many streams together (see backends.answering). Work that is
    never begun changes nothing; once begun it must be completed before any other of the same stream.

    Where work is interrupted within a step (the backend fails, `on_step` raises, a KeyboardInterrupt), that step is
    lost and the stream refuses further moments; `flush` still reports everything that no call returned, and what was
    under way as it was last seen. The stream can then be used again.
    Closed, or left as a `with` block, it refuses everything.
    """

    def __init__(
        self,
        backend: Backend,
        settings: TimedSettings,
        resampler: Resampler[Prepared],
        *,
        on_step: StepCallback | None = None,
    ) -> None:
        self.backend = backend
        self._stride = settings.grid.stride
        self._resampler = resampler
        self._watch = StreamWatch(resampler.max_gap)
        self._closed = False
        self._work = Exclusive()
        self._events: list[StreamEvent] = []  # not yet returned by any call
        self._reset_due = False
        self._now = Fraction(0)
        self._segment = CurrentSegment(backend, settings, on_event=self._events.append, on_step=on_step)

    @property
    def segments(self) -> int:
        """Number of segments so far: that of the newest one."""
        return self._segment.number

    def take_preview(self) -> StagePreview | None:
        """The stages that may still change, each hop's once; None where there is no newer hop."""
        return self._segment.take_preview()

    def resume(self, point: ResumePoint) -> None:
        """Let the first moment continue the segment of another stream: the next one up to its first tick at the latest.

        From `point.hop` on, the hops and their events equal those of the other stream, if what they look at, the window
        and the receptive field before it, lies at or after `point.step`.
        """
        self._segment.resume(point)
        self._resampler.resume(point.origin, point.step * self._stride)

    @abstractmethod
    def _prepared(self, moment: Given) -> Prepared:
        """Check and copy a moment, before anything changes. Raises SettingsError."""

    @property
    def health(self) -> StreamHealth:
        """What was lost so far."""
        return self._watch.health(dropped=self._resampler.dropped)

    def push(self, moment: Given) -> list[StreamEvent]:
        """Process one moment -> the events it leads to, mostly none. Moments may come at any rate.

        Raises SettingsError for a moment that cannot be used, and changes nothing then; BackendError.
        """
        return answer_alone(self.steps(moment), self.backend)

    def flush(self) -> list[StreamEvent]:
        """End of the stream -> everything not yet reported, all of it final. The stream can then be used again."""
        return answer_alone(self.ending(), self.backend)

    def idle(self, until: Fraction) -> list[StreamEvent]:
        """Time passed until `until` (source time, seconds) without a moment -> the events that this leads to.

        None, until the silence is so long that the next moment would begin a new segment: then the actions under
        way are settled at once, not when that moment comes. The results are the same.
        """
        return answer_alone(self.idling(until), self.backend)

    def settle(self) -> list[StreamEvent]:
        """End at once, without another hop -> everything not yet reported; reported actions are final as last seen.

        For an end that cannot wait for the networks. Work under way is lost. The stream can then be used again.
        """
        self._require_open()
        self._work.abandon()
        self._resampler.flush()
        self._segment.settle(now=self._now)
        self._reset_due = False
        return self._unreported()

    def steps(self, moment: Given) -> Work[list[StreamEvent]]:
        """The work of `push`. Raises SettingsError at once for a moment that cannot be used."""
        self._require_usable()
        prepared = self._prepared(moment)
        require_times(prepared)
        return self._guarded(self._pushed(prepared))

    def ending(self) -> Work[list[StreamEvent]]:
        """The work of `flush`."""
        self._require_open()
        return self._flushed()

    def idling(self, until: Fraction) -> Work[list[StreamEvent]]:
        """The work of `idle`."""
        self._require_usable()
        require_exact(until)
        return self._guarded(self._fallen_silent(until))

    def close(self) -> None:
        """Release state and window, without another report. May be called twice."""
        self._work.abandon()
        self._closed = True
        self._segment.close()

    def _seen_until(self, seconds: Fraction, items: _Items) -> Fraction:
        """Newest time of the segment that ended: a clock that was set back does not affect its last reports."""
        ended = bool(items) and isinstance(items[-1], SegmentStart)
        return max(seconds, self._now) if ended and self._segment.frames else seconds

    def _guarded(self, work: Work[None]) -> Work[list[StreamEvent]]:
        """Run work without interruption by other work -> all events it leads to."""
        self._require_open()  # checked again: the work begins only now
        yield from self._work.run(work)
        return self._unreported()

    def _pushed(self, moment: Prepared) -> Work[None]:
        items = self._resampler.push(moment)
        self._now = self._seen_until(moment.seconds, items)
        if not (items and isinstance(items[-1], SegmentStart)):
            self._segment.saw(moment.seconds)
        yield from self._taken(items)

    def _taken(self, items: _Items) -> Work[None]:
        for item in items:
            if isinstance(item, SegmentStart):
                yield from self._next_segment(item)
            else:
                yield from self._segment.steps(item.moment.values(), now=self._now)

    def _next_segment(self, start: SegmentStart) -> Work[None]:
        began = self._segment.frames > 0 or self._reset_due
        yield from self._segment.ending(now=self._now)
        if began:
            self._watch.broke(start)
            self._events.append(Notice("reset", start.origin, start.reason, self.segments + 1))
        self._segment.begin_next(start.origin)
        self._reset_due = False
        self._now = start.origin

    def _flushed(self) -> Work[list[StreamEvent]]:
        self._require_open()
        return self.settle() if self._work.broken else (yield from self._guarded(self._ended()))

    def _ended(self) -> Work[None]:
        yield from self._taken(self._resampler.flush())
        yield from self._segment_ended()

    def _fallen_silent(self, until: Fraction) -> Work[None]:
        ticks = self._resampler.idle(until)
        if ticks is None:
            return
        self._now = max(self._now, until)
        yield from self._taken(ticks)
        yield from self._segment_ended()
        self._reset_due = True

    def _segment_ended(self) -> Work[None]:
        yield from self._segment.ending(now=self._now)
        self._segment.begin()
        self._reset_due = False

    def _unreported(self) -> list[StreamEvent]:
        events = self._events.copy()
        self._events.clear()
        return events

    def _require_usable(self) -> None:
        self._require_open()
        self._work.require_whole()

    def _require_open(self) -> None:
        if self._closed:
            raise SettingsError("the stream is closed; a `with` block closes its stream at its end; open another one")
