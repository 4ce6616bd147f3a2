"""One camera: frames in, events out; offline is the same thing run to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from types import TracebackType

import numpy as np

from cmsn_runtime.backends.base import Backend
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.extracting import Features, StreamingExtractor
from cmsn_runtime.frames import Frame
from cmsn_runtime.preprocess import Preprocessor
from cmsn_runtime.preprocessing import Preprocessing
from cmsn_runtime.proposals import Event, Proposal, StageStep
from cmsn_runtime.proposing.pipeline import propose, rank
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.sighting import sightings_of
from cmsn_runtime.stages import STAGE_COUNT, Stage
from cmsn_runtime.timebase import Resampler, SegmentStart, Tick
from cmsn_runtime.timegrid import TimeGrid
from cmsn_runtime.tracking import Report, Tracker, TrackerSettings

StepCallback = Callable[[StageStep], None]


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """Everything a stream needs to know beside its backend; a bundle fills it in.

    feature_channels, delay_steps, receptive_field_frames: of the extractor.
    chunk_frames: see StreamingExtractor. hop_steps: the stage network looks again every so many steps.
    """

    grid: TimeGrid
    preprocessing: Preprocessing
    feature_channels: int
    delay_steps: int
    receptive_field_frames: int
    proposals: ProposalSettings = field(default_factory=ProposalSettings)
    tracking: TrackerSettings = field(default_factory=TrackerSettings)
    chunk_frames: int | None = None
    hop_steps: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.hop_steps <= self.grid.window // 2:
            raise SettingsError(
                f"hop of {self.hop_steps} steps: it must be between 1 and half the window, {self.grid.window // 2}"
            )


class Stream:
    """The state of one camera. Not thread-safe; the backend behind it may be shared between streams.

    on_step: called with each feature step once its stage is settled (half a window later, or at the end).
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
            channels=settings.feature_channels,
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

    def push(self, frame: Frame) -> list[Event]:
        """Take one frame -> what is to be said now, mostly nothing. Frames may come at any rate."""
        events = self._take(self._resampler.push(frame))
        self._newest = frame.seconds
        return events

    def flush(self) -> list[Event]:
        """End of the stream -> everything not yet said, all of it final. The stream can then be used anew."""
        events = self._take(self._resampler.flush()) + self._end_segment()
        self._begin_segment(Fraction(0), first_action=self._tracker.next_action)
        return events

    def _take(self, items: Iterable[Tick | SegmentStart]) -> list[Event]:
        events: list[Event] = []
        for item in items:
            if isinstance(item, SegmentStart):
                events += self._next_segment(item)
                continue
            self._frames += 1
            events += self._advance(self._extractor.push(self._preprocess(item.frame)))
        return events

    def _next_segment(self, start: SegmentStart) -> list[Event]:
        events = self._end_segment()
        if events or self._seen or self._frames:
            events.append(Event("reset", 0, 0, None, start.origin, start.reason))
        self._begin_segment(start.origin, first_action=self._tracker.next_action)
        return events

    def _begin_segment(self, origin: Fraction, *, first_action: int) -> None:
        self._origin = origin
        self._frames = 0  # model frames of this segment
        self._seen = 0  # feature steps of this segment
        self._told = 0  # feature steps already given to on_step
        self._window = np.empty((0, self.settings.feature_channels), dtype=np.float32)
        self._probabilities = np.empty((0, STAGE_COUNT), dtype=np.float32)
        self._tracker = Tracker(self.settings.tracking, first_action=first_action)

    def _end_segment(self) -> list[Event]:
        events = self._advance(self._extractor.flush())
        if self._seen:
            events += self._hop(ending=True)
            self._tell_steps(upto=self._seen)
        return events

    def _advance(self, features: Features) -> list[Event]:
        """Take new step features one by one, so that nothing depends on how many came at once."""
        events: list[Event] = []
        for feature in features:
            self._window = np.concatenate((self._window, feature[None]))[-self.settings.grid.window :]
            self._seen += 1
            if self._seen % self.settings.hop_steps == 0:
                events += self._hop(ending=False)
                self._tell_steps(upto=self._seen - self.settings.grid.window // 2)
        return events

    def _hop(self, *, ending: bool) -> list[Event]:
        """Look at the window again: stages, candidates, scores, tracks (sections 3.2 and 3.3)."""
        settings = self.settings.proposals
        begin = self._seen - len(self._window)
        self._probabilities = self._backend.stages(self._window)
        found = propose(self._probabilities, frontier=self._tracker.frontier - begin, settings=settings)
        scores = self._backend.evaluate(self._window, found.left, found.right) if len(found.starts) else None
        sightings = sightings_of(found, rank(found, scores, settings), begin=begin)
        reports = self._tracker.update(sightings, seen=self._seen, ending=ending)
        return [self._event(report) for report in reports]

    def _event(self, report: Report) -> Event:
        grid, span = self.settings.grid, report.span
        # The last step may be only partly filled; nothing is proposed beyond the last frame.
        end = min(grid.step_time(span.end, self._origin), grid.frame_time(self._frames, self._origin))
        proposal = Proposal(grid.step_time(span.start, self._origin), end, span.score)
        return Event(report.kind, report.action, report.rank, proposal, self._newest)

    def _tell_steps(self, *, upto: int) -> None:
        """Give out the stages of steps that are settled; those before the window are gone and were told in time."""
        begin = self._seen - len(self._window)
        while self._on_step is not None and self._told < upto:
            row = self._probabilities[self._told - begin]
            time = self.settings.grid.step_time(self._told, self._origin)
            self._on_step(StageStep(time, Stage(int(row.argmax())), row))
            self._told += 1
