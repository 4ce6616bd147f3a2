"""What streams of pictures and of feature rows share: moments in time in, events out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Generic, Protocol, TypeAlias, TypeVar

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import Work
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.errors import BackendError, SettingsError
from cmsn_runtime.events import Reset, StreamEvent
from cmsn_runtime.streams.extracting import Moment, StreamingExtractor
from cmsn_runtime.streams.health import StreamHealth, StreamWatch
from cmsn_runtime.streams.resampling import Resampler, SegmentStart, Tick, Timed
from cmsn_runtime.streams.segment import Segment, SegmentSettings, StepCallback

Given = TypeVar("Given", bound=Timed, contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedSettings(SegmentSettings):
    """What every stream needs to know beside its backend; a bundle fills it in.

    delay_steps: of the extractor. chunk_frames: moments (frames or rows) run at once, see StreamingExtractor.
    """

    delay_steps: int
    chunk_frames: int | None = None


class Prepared(Timed, Protocol):
    """A moment that nobody else can change any more."""

    def values(self) -> Moment:
        """What the extractor takes of it; the same array each time."""
        ...


_Items: TypeAlias = Sequence[Tick[Prepared] | SegmentStart]


class TimedStream(AbstractContextManager["TimedStream[Given]"], Generic[Given]):
    """The state of one camera or sensor. Not thread-safe; the backend behind it may be shared between streams.

    A moment is checked before anything changes, and nothing depends on what the caller does with it afterwards. The
    stream itself computes no network. `push`, `flush` and `idle` answer its asks at once; `steps`, `ending` and
    `idling` are the same as work for whoever answers many streams together (see backends.answering).

    Where the backend fails within a step, that step is lost and the stream refuses further moments; `flush` still
    reports what was under way, as it was last seen, and the stream can then be used anew.
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
        self._backend = backend
        self._segment_settings = settings
        self._on_step = on_step
        self._resampler = resampler
        self._extractor = StreamingExtractor(
            backend,
            stride=settings.grid.stride,
            delay_steps=settings.delay_steps,
            chunk_frames=settings.chunk_frames,
        )
        self._watch = StreamWatch(resampler.max_gap)
        self._closed = False
        self._within_step = False
        self._reset_due = False
        self._now = Fraction(0)
        self._frames = 0  # model frames of this segment
        self._segment = self._new_segment(Fraction(0), first_action=1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _prepared(self, moment: Given) -> Prepared:
        """Check and copy a moment, before anything changes. Raises SettingsError."""

    @property
    def health(self) -> StreamHealth:
        """What was lost on the way so far."""
        return self._watch.health(dropped=self._resampler.dropped)

    def push(self, moment: Given) -> list[StreamEvent]:
        """Take one moment -> what is to be reported now, mostly nothing. Moments may come at any rate.

        Raises SettingsError for a moment that cannot be used, and changes nothing then; BackendError.
        """
        return answer_alone(self.steps(moment), self._backend)

    def flush(self) -> list[StreamEvent]:
        """End of the stream -> everything not yet reported, all of it final. The stream can then be used anew."""
        return answer_alone(self.ending(), self._backend)

    def idle(self, until: Fraction) -> list[StreamEvent]:
        """Time went by up to `until` (source time, seconds) without a moment -> what is to be reported now.

        Nothing, until the silence is so long that the next moment would begin a new segment: then the actions under
        way are settled at once, and not when that moment comes. What is found stays the same.
        """
        return answer_alone(self.idling(until), self._backend)

    def steps(self, moment: Given) -> Work[list[StreamEvent]]:
        """The work of `push`. Raises SettingsError at once for a moment that cannot be used."""
        self._require_usable()
        prepared = self._prepared(moment)
        items = self._resampler.push(prepared)
        self._now = self._seen_until(prepared.seconds, items)
        return self._guarded(self._taken(items))

    def ending(self) -> Work[list[StreamEvent]]:
        """The work of `flush`."""
        self._require_open()
        if self._within_step:
            return self._settled()
        return self._guarded(self._ended())

    def idling(self, until: Fraction) -> Work[list[StreamEvent]]:
        """The work of `idle`."""
        self._require_usable()
        ticks = self._resampler.idle(until)
        if ticks:
            self._now = max(self._now, until)
        return self._guarded(self._fallen_silent(ticks))

    def close(self) -> None:
        """Give state and window back, without another report. May be called twice."""
        self._closed = True
        self._extractor.reset()
        self._segment.close()

    def _seen_until(self, seconds: Fraction, items: _Items) -> Fraction:
        """A clock that was set back has no say about the segment that ended: its last reports keep its own time."""
        ended = bool(items) and isinstance(items[-1], SegmentStart)
        return max(seconds, self._now) if ended and self._frames else seconds

    def _guarded(self, work: Work[list[StreamEvent]]) -> Work[list[StreamEvent]]:
        """Remember where work was broken off within a step."""
        self._within_step = True
        events = yield from work
        self._within_step = False
        return events

    def _taken(self, items: _Items) -> Work[list[StreamEvent]]:
        events: list[StreamEvent] = []
        for item in items:
            if isinstance(item, SegmentStart):
                events += yield from self._next_segment(item)
                continue
            self._frames += 1
            features = yield from self._extractor.steps(item.moment.values())
            if features is not None:
                events += yield from self._segment.steps(features, now=self._now, until=self._until())
        return events

    def _next_segment(self, start: SegmentStart) -> Work[list[StreamEvent]]:
        began = self._frames > 0 or self._reset_due
        events: list[StreamEvent] = [*(yield from self._segment_ended())]
        if began:
            self._watch.broke(start)
            events.append(Reset(start.origin, start.reason))
        self._begin(start.origin)
        self._now = start.origin
        return events

    def _ended(self) -> Work[list[StreamEvent]]:
        events = yield from self._taken(self._resampler.flush())
        events += yield from self._segment_ended()
        self._begin(Fraction(0))
        return events

    def _fallen_silent(self, ticks: Sequence[Tick[Prepared]]) -> Work[list[StreamEvent]]:
        if not ticks:
            return []
        events = yield from self._taken(ticks)
        events += yield from self._segment_ended()
        self._begin(Fraction(0))
        self._reset_due = True
        return events

    def _settled(self) -> Work[list[StreamEvent]]:
        """Work was broken off: what is known without another look."""
        events: list[StreamEvent] = [*self._segment.settle(now=self._now, until=self._until())]
        self._resampler.flush()
        self._extractor.reset()
        self._begin(Fraction(0))
        self._within_step = False
        return events
        yield  # a generator, as the other ways to end are

    def _segment_ended(self) -> Work[list[StreamEvent]]:
        events: list[StreamEvent] = []
        until = self._until()
        while (features := (yield from self._extractor.ending())) is not None:
            events += yield from self._segment.steps(features, now=self._now, until=until)
        events += yield from self._segment.ending(now=self._now, until=until)
        return events

    def _begin(self, origin: Fraction) -> None:
        self._frames = 0
        self._reset_due = False
        self._segment.close()
        self._segment = self._new_segment(origin, first_action=self._segment.next_action)

    def _new_segment(self, origin: Fraction, *, first_action: int) -> Segment:
        settings = self._segment_settings
        return Segment(self._backend, settings, origin=origin, first_action=first_action, on_step=self._on_step)

    def _until(self) -> Fraction:
        return self._segment_settings.grid.frame_time(self._frames, self._segment.origin)

    def _require_usable(self) -> None:
        self._require_open()
        if self._within_step:
            raise BackendError(
                "the stream broke off within a step and cannot go on from there; flush() reports what was under way, "
                "and the stream can then be used anew"
            )

    def _require_open(self) -> None:
        if self._closed:
            raise SettingsError("the stream is closed; a `with` block closes its stream at its end; open another one")
