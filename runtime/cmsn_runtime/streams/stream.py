"""One camera: frames in, events out; offline is the same thing run to the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType

from cmsn_runtime.backends.base import Backend
from cmsn_runtime.events import Reset, StreamEvent
from cmsn_runtime.pictures.fitting import Preprocessor
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.streams.extracting import StreamingExtractor
from cmsn_runtime.streams.resampling import Resampler, SegmentStart, Tick
from cmsn_runtime.streams.segment import Segment, SegmentSettings, StepCallback


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings(SegmentSettings):
    """Everything a stream of pictures needs to know beside its backend; a bundle fills it in.

    delay_steps, receptive_field_frames: of the extractor. chunk_frames: see StreamingExtractor.
    """

    preprocessing: Preprocessing
    delay_steps: int
    receptive_field_frames: int
    chunk_frames: int | None = None


class Stream:
    """The state of one camera. Not thread-safe; the backend behind it may be shared between streams.

    on_step: see Segment.
    """

    def __init__(self, backend: Backend, settings: StreamSettings, *, on_step: StepCallback | None = None) -> None:
        self.settings = settings
        self._backend = backend
        self._on_step = on_step
        self._resampler = Resampler(settings.grid, max_gap=settings.receptive_field_frames / settings.grid.fps)
        self._preprocess = Preprocessor(settings.preprocessing)
        self._extractor = StreamingExtractor(
            backend,
            stride=settings.grid.stride,
            delay_steps=settings.delay_steps,
            chunk_frames=settings.chunk_frames,
        )
        self._newest = Fraction(0)
        self._begin_segment(Fraction(0), first_action=1)

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._extractor.reset()

    def push(self, frame: Frame) -> list[StreamEvent]:
        """Take one frame -> what is to be said now, mostly nothing. Frames may come at any rate."""
        events = self._take(self._resampler.push(frame))
        self._newest = frame.seconds
        return events

    def flush(self) -> list[StreamEvent]:
        """End of the stream -> everything not yet said, all of it final. The stream can then be used anew."""
        events = self._take(self._resampler.flush()) + self._end_segment()
        self._begin_segment(Fraction(0), first_action=self._segment.next_action)
        return events

    def _take(self, items: Iterable[Tick | SegmentStart]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for item in items:
            if isinstance(item, SegmentStart):
                events += self._next_segment(item)
                continue
            self._frames += 1
            features = self._extractor.push(self._preprocess(item.frame))
            events += self._segment.push(features, now=self._newest, until=self._until())
        return events

    def _next_segment(self, start: SegmentStart) -> list[StreamEvent]:
        began = self._frames > 0
        events = self._end_segment()
        if began:
            events.append(Reset(start.origin, start.reason))
        self._begin_segment(start.origin, first_action=self._segment.next_action)
        return events

    def _begin_segment(self, origin: Fraction, *, first_action: int) -> None:
        self._frames = 0  # model frames of this segment
        self._segment = Segment(
            self._backend, self.settings, origin=origin, first_action=first_action, on_step=self._on_step
        )

    def _end_segment(self) -> list[StreamEvent]:
        until = self._until()
        events = self._segment.push(self._extractor.flush(), now=self._newest, until=until)
        return [*events, *self._segment.end(now=self._newest, until=until)]

    def _until(self) -> Fraction:
        return self.settings.grid.frame_time(self._frames, self._segment.origin)
