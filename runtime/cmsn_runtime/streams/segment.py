"""One unbroken stretch of a stream: step features in, events out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial

import numpy as np

from cmsn_runtime.backends.asks import FeatureWindow, StepFeatures, Work, evaluate, stages
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.events import Event, Proposal, StagePreview, StageStep
from cmsn_runtime.proposing.pipeline import propose, rank
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.provenance import How, Provenance, ResumePoint, StreamSetup
from cmsn_runtime.stages import STAGE_COUNT, Stage
from cmsn_runtime.timegrid import TimeGrid
from cmsn_runtime.tracking.alternatives import with_alternatives
from cmsn_runtime.tracking.sighting import sightings_of
from cmsn_runtime.tracking.tracker import Report, Tracker, TrackerSettings

EventCallback = Callable[[Event], None]
StepCallback = Callable[[StageStep], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSettings:
    """Everything that turns step features into events; filled in by a bundle.

    hop_steps: steps between two runs of the stage network; 1 answers
        soonest, half the window is the paper's schedule (section 3.4).
    setup: for the provenance of events; without it, they have none.
    """

    grid: TimeGrid
    proposals: ProposalSettings = field(default_factory=ProposalSettings)
    tracking: TrackerSettings = field(default_factory=TrackerSettings)
    hop_steps: int = 1
    setup: StreamSetup | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.hop_steps <= self.grid.window // 2:
            raise SettingsError(
                f"a hop has {self.hop_steps} steps; it must have between 1 and half the window, {self.grid.window // 2}"
            )


class Segment:
    """Stages, candidates, scores and tracks of the steps since `origin`; a gap or the end of the stream ends it.

    origin: seconds at which step 0 begins. first_action: number of the next action. number: its own, from 1.
    on_event: called with each event at once, so that those before a fault of the backend are not lost.
    on_step: called with each feature step once its stage is settled (half a window later, or at the end).
    resume: where it continues the same segment of another stream. newest: seconds of its newest frame, which its stream
    keeps up to date.
    It runs no network: `steps` and `ending` are work that asks for it.
    """

    def __init__(
        self,
        backend: Backend,
        settings: SegmentSettings,
        *,
        origin: Fraction,
        first_action: int,
        number: int,
        on_event: EventCallback,
        on_step: StepCallback | None = None,
        resume: ResumePoint | None = None,
    ) -> None:
        self.origin = self.newest = origin
        self._number = number
        self._settings = settings
        self._on_event = on_event
        self._on_step = on_step
        self._seen = resume.step if resume else 0  # feature steps
        self._reported = self._seen  # feature steps already passed to on_step
        self._first_hop = resume.hop if resume else 0
        self._provenance: Provenance | None = None  # of what the newest hop reports
        self._backend = backend
        self._window: FeatureWindow | None = None  # created with the first step: ending needs no backend
        self._probabilities = np.empty((0, STAGE_COUNT), dtype=np.float32)
        self._previewed = True  # whether the newest hop has been
        self._tracker = Tracker(
            settings.tracking,
            first_action=first_action,
            memory=resume.memory if resume else None,
            finish=partial(
                with_alternatives, full_looks=settings.tracking.alternative_looks, settings=settings.proposals
            ),
        )

    @property
    def next_action(self) -> int:
        """Number of the next action."""
        return self._tracker.next_action

    def steps(self, features: StepFeatures, *, now: Fraction, until: Fraction) -> Work[None]:
        """Process new step features, one by one: nothing depends on how many come at once.

        now: source time up to which the stream has seen. until: end of the newest input; the last step may be
        incomplete, and nothing is proposed beyond.
        """
        if self._window is None:
            self._window = self._backend.new_window(self._settings.grid.window)
        for index in range(len(features)):
            self._window.push(features[index : index + 1])
            self._seen += 1
            if self._seen % self._settings.hop_steps == 0 and self._seen >= self._first_hop:
                yield from self._hop(self._window, now=now, until=until, ending=False)
                self._report_steps(upto=self._seen - self._settings.grid.window // 2)

    def ending(self, *, now: Fraction, until: Fraction) -> Work[None]:
        """The segment has ended: everything not yet reported is final."""
        if self._window is not None:
            yield from self._hop(self._window, now=now, until=until, ending=True)
            self._report_steps(upto=self._seen)

    def settle(self, *, now: Fraction, until: Fraction) -> None:
        """End at once, without another hop: the actions under way are final as of the last hop."""
        if self._provenance is not None:
            self._provenance = replace(self._provenance, how="settled")
        self._report(self._tracker.settle(), now=now, until=until)

    def take_preview(self) -> StagePreview | None:
        """The stages that are not settled, as the newest hop sees them; None where it was asked for them before."""
        if self._previewed:
            return None
        self._previewed = True
        count = min(len(self._probabilities), self._settings.grid.window // 2)
        stages = self._probabilities[len(self._probabilities) - count :].argmax(axis=1).astype(np.uint8)
        return StagePreview(self._settings.grid.step_time(self._seen - count, self.origin), stages)

    def close(self) -> None:
        """Release the window."""
        if self._window is not None:
            self._window.close()

    def _hop(self, window: FeatureWindow, *, now: Fraction, until: Fraction, ending: bool) -> Work[None]:
        """Evaluate the window again: stages, candidates, scores, tracks (sections 3.2 and 3.3)."""
        settings = self._settings.proposals
        begin = self._seen - len(window)
        self._probabilities = yield from stages(window)
        self._previewed = False
        found = propose(self._probabilities, frontier=self._tracker.frontier - begin, settings=settings)
        scores = None
        if settings.scoring == "evaluated" and len(found.starts):
            scores = yield from evaluate(window, found.left, found.right)
        sightings = sightings_of(found, rank(found, scores, settings), begin=begin)
        self._provenance = self._provenance_now("ending" if ending else "hop")
        self._report(self._tracker.update(sightings, seen=self._seen, ending=ending), now=now, until=until)

    def _report(self, reports: Sequence[Report], *, now: Fraction, until: Fraction) -> None:
        for report in reports:
            self._on_event(self._event(report, now=now, until=until))

    def _event(self, report: Report, *, now: Fraction, until: Fraction) -> Event:
        grid, span = self._settings.grid, report.span
        end = min(grid.step_time(span.end, self.origin), until)
        proposal = Proposal(grid.step_time(span.start, self.origin), end, span.score)
        provenance = self._provenance if report.rank == 1 else None
        return Event(report.kind, report.action, report.rank, proposal, now, self._number, provenance=provenance)

    def _provenance_now(self, how: How) -> Provenance | None:
        """That of what the tracker reports next."""
        setup = self._settings.setup
        if setup is None:
            return None
        return Provenance(setup, how, self._seen, self._tracker.memory, self.origin, self.newest)

    def _report_steps(self, *, upto: int) -> None:
        """Report the stages of steps that are settled; those before the window were reported earlier."""
        begin = self._seen - len(self._probabilities)
        while self._on_step is not None and self._reported < upto:
            # A copy: keeping a step must not keep the whole window.
            row = self._probabilities[self._reported - begin].copy()
            time = self._settings.grid.step_time(self._reported, self.origin)
            self._on_step(StageStep(time, Stage(int(row.argmax())), row))
            self._reported += 1
