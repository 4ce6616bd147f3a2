"""The segment that a stream is in: features of its frames, and the change to the next one."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cmsn_runtime.backends.asks import Work
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.events import StagePreview
from cmsn_runtime.exact import is_before
from cmsn_runtime.pictures.settings import FlowSettings
from cmsn_runtime.provenance import ResumePoint
from cmsn_runtime.streams.extracting import Moment, StreamingExtractor
from cmsn_runtime.streams.segment import EventCallback, Segment, SegmentSettings, StepCallback


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedSettings(SegmentSettings):
    """All settings that every stream has except its backend; filled in by a bundle.

    delay_steps: that of the extractor. chunk_frames: moments (frames or rows) per run, see StreamingExtractor.
    """

    delay_steps: int
    chunk_frames: int | None = None

    @property
    def flow(self) -> FlowSettings | None:
        """The optical flow that is appended to each picture, if any."""
        return None


class CurrentSegment:
    """One Segment after another, and the extractor before them.

    number: of the newest segment. frames: model frames of it so far.
    """

    def __init__(
        self, backend: Backend, settings: TimedSettings, *, on_event: EventCallback, on_step: StepCallback | None
    ) -> None:
        self.number = 0
        self.frames = 0
        self._backend = backend
        self._settings = settings
        self._on_event = on_event
        self._on_step = on_step
        self._extractor = StreamingExtractor(
            backend,
            stride=settings.grid.stride,
            delay_steps=settings.delay_steps,
            chunk_frames=settings.chunk_frames,
            flow=settings.flow,
        )
        self._resume: ResumePoint | None = None
        self._segment = self._new(Fraction(0), first_action=1, resume=None)

    def resume(self, point: ResumePoint) -> None:
        """Let the next segment continue that of another stream."""
        self._resume = point

    def take_preview(self) -> StagePreview | None:
        """See TimedStream."""
        return self._segment.take_preview()

    def saw(self, seconds: Fraction) -> None:
        """A moment of that source time came."""
        if is_before(self._segment.newest, seconds):
            self._segment.newest = seconds

    def steps(self, moment: Moment, *, now: Fraction) -> Work[None]:
        """Process one model frame. now: source time up to which the stream has seen."""
        self.frames += 1
        features = yield from self._extractor.steps(moment)
        if features is not None:
            yield from self._segment.steps(features, now=now, until=self._until())

    def ending(self, *, now: Fraction) -> Work[None]:
        """The segment has ended: everything not yet reported is final. `begin` or `begin_next` must follow."""
        until = self._until()
        while (features := (yield from self._extractor.ending())) is not None:
            yield from self._segment.steps(features, now=now, until=until)
        yield from self._segment.ending(now=now, until=until)

    def settle(self, *, now: Fraction) -> None:
        """End at once, without another hop, and begin anew; actions under way are final as last seen."""
        self._segment.settle(now=now, until=self._until())
        self._extractor.reset()
        self.begin()

    def begin(self) -> None:
        """Begin anew; nothing has come yet."""
        self._replace(Fraction(0), resume=None)

    def begin_next(self, origin: Fraction) -> None:
        """Begin the segment whose first moment came at `origin`."""
        self.number += 1
        resume, self._resume = self._resume, None
        self._replace(origin, resume=resume)

    def close(self) -> None:
        """Release state and window."""
        self._extractor.reset()
        self._segment.close()

    def _replace(self, origin: Fraction, *, resume: ResumePoint | None) -> None:
        self.frames = resume.step * self._settings.grid.stride if resume else 0
        self._segment.close()
        self._segment = self._new(origin, first_action=self._segment.next_action, resume=resume)

    def _new(self, origin: Fraction, *, first_action: int, resume: ResumePoint | None) -> Segment:
        return Segment(
            self._backend,
            self._settings,
            origin=origin,
            first_action=first_action,
            number=self.number,
            on_event=self._on_event,
            on_step=self._on_step,
            resume=resume,
        )

    def _until(self) -> Fraction:
        return self._settings.grid.frame_time(self.frames, self._segment.origin)
