"""What is known of a source at a moment: what an annotated picture shows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from cmsn_runtime.events import Event, Proposal, StagePreview, StageStep, StreamEvent, WallClock
from cmsn_runtime.sinks.stage_runs import StageRun, add_step
from cmsn_runtime.stages import Stage

_MOST_FINALS = 500  # within the seconds that are shown


@dataclass(frozen=True, slots=True)
class Final:
    """A final proposal, and the time at which it was reported, in seconds."""

    proposal: Proposal
    at: float


@dataclass(frozen=True, slots=True)
class Scene:
    """Times in seconds of the source.

    now: time of the picture. since: begin of what the timeline shows. runs: stages that will no longer change. preview:
    those that follow them, which may. live: the best proposal of each action that may still change. finals: those that
    will not, the newest last.
    """

    name: str
    clock: str
    now: float
    since: float
    runs: tuple[StageRun, ...]
    preview: tuple[StageRun, ...]
    live: tuple[Proposal, ...]
    finals: tuple[Final, ...]


class SceneKeeper:
    """Keeps what is known of one source. seconds: that are shown. step_seconds: length of a feature step."""

    def __init__(self, name: str, *, seconds: float, step_seconds: Fraction) -> None:
        self.clock: WallClock | None = None
        self._name = name
        self._seconds = seconds
        self._step = step_seconds
        self._runs: deque[StageRun] = deque()
        self._preview: list[StageRun] = []
        self._live: dict[int, Proposal] = {}
        self._finals: deque[Final] = deque(maxlen=_MOST_FINALS)

    def event(self, event: StreamEvent) -> None:
        """Follow the best proposal of each action."""
        self.clock = (event.stamp.clock if event.stamp else None) or self.clock
        if not isinstance(event, Event) or event.rank != 1:
            return
        if event.kind in ("provisional", "revised"):
            self._live[event.action] = event.proposal
            return
        self._live.pop(event.action, None)
        if event.kind == "final":
            self._finals.append(Final(event.proposal, float(event.seconds)))

    def step(self, step: StageStep) -> None:
        """Lengthen the newest run of equal stages, or begin another."""
        add_step(self._runs, step.stage, step.seconds, self._step)

    def preview(self, preview: StagePreview) -> None:
        """Take it instead of the one before."""
        self._preview = []
        for index, stage in enumerate(preview.stages.tolist()):
            add_step(self._preview, Stage(stage), preview.seconds + index * self._step, self._step)

    def scene(self, now: Fraction, clock: str) -> Scene:
        """What is known now; what lies before the shown seconds is forgotten."""
        since = float(now) - self._seconds
        while self._runs and self._runs[0].end < since:
            self._runs.popleft()
        while self._finals and float(self._finals[0].proposal.end) < since:
            self._finals.popleft()
        live = tuple(self._live.values())
        settled = self._runs[-1].end if self._runs else now - Fraction(self._seconds)
        preview = (StageRun(run.stage, max(run.start, settled), run.end) for run in self._preview if run.end > settled)
        return Scene(self._name, clock, float(now), since, tuple(self._runs), tuple(preview), live, tuple(self._finals))
