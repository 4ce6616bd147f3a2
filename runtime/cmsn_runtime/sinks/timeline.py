"""A picture of each source: its stages, proposals and truth over time."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from cmsn_runtime.annotations import VideoAnnotations
from cmsn_runtime.errors import MissingExtraError
from cmsn_runtime.events import Event, StageStep, StreamEvent
from cmsn_runtime.files import replacing, require_writable, written_to
from cmsn_runtime.names import video_id
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.timeline_picture import StageRun, Timeline, draw_timeline

_SHOWN_RANKS = 4


class TimelineSink(Sink):
    """Writes a PNG when a source ends. Memory grows with its stage changes and proposals, not with its frames.

    step_seconds: length of a feature step. truth: annotations of videos; with them, the true actions are drawn.
    one_each: there are several sources; each gets its own picture, PATH with "-NAME" before its suffix.
    Raises MissingExtraError where matplotlib is not installed.
    """

    def __init__(
        self,
        path: Path,
        *,
        step_seconds: Fraction,
        truth: Mapping[str, VideoAnnotations] | None = None,
        one_each: bool = False,
    ) -> None:
        if importlib.util.find_spec("matplotlib") is None:
            raise MissingExtraError("matplotlib", "plot", "a timeline picture")
        with written_to(path):
            require_writable(path)
        self._path = path
        self._step_seconds = step_seconds
        self._truth = truth
        self._one_each = one_each
        self._open: dict[str, _Record] = {}

    def begin(self, source: str, duration: Fraction | None) -> None:
        """Start a picture."""
        self._open[source] = _Record(duration)

    def advance(self, source: str, seconds: Fraction) -> None:
        """Remember how far the source got."""
        self._open[source].see(seconds)

    def step(self, source: str, step: StageStep) -> None:
        """Lengthen the current run of equal stages, or begin the next."""
        self._open[source].add_step(step, self._step_seconds)

    def event(self, source: str, event: StreamEvent) -> None:
        """Keep finals, the best of each action and its next few alternatives."""
        if event.kind == "final" and event.rank <= _SHOWN_RANKS:
            self._open[source].finals.append(event)

    def end(self, source: str) -> None:
        """Draw, and write the file whole or not at all."""
        record = self._open.pop(source)
        name = video_id(source)
        path = self._path.with_name(f"{self._path.stem}-{name}{self._path.suffix}") if self._one_each else self._path
        timeline = record.timeline(name, None if self._truth is None else self._truth.get(name))
        with replacing(path) as unfinished:
            draw_timeline(timeline, unfinished)


class _Record:
    """What is remembered of one source."""

    def __init__(self, duration: Fraction | None) -> None:
        self.finals: list[Event] = []
        self._duration = duration
        self._first: Fraction | None = None
        self._last = Fraction(0)
        self._runs: list[StageRun] = []

    def see(self, seconds: Fraction) -> None:
        self._first = seconds if self._first is None else self._first
        self._last = max(self._last, seconds)

    def add_step(self, step: StageStep, length: Fraction) -> None:
        end = step.seconds + length
        if self._runs and self._runs[-1].stage == step.stage and self._runs[-1].end == step.seconds:
            self._runs[-1] = StageRun(step.stage, self._runs[-1].start, end)
        else:
            self._runs.append(StageRun(step.stage, step.seconds, end))

    def timeline(self, name: str, truth: VideoAnnotations | None) -> Timeline:
        first = self._first or Fraction(0)
        ends = [self._last, *(event.proposal.end for event in self.finals)]
        # A video that broke off is drawn to its declared end, so that what is missing can be seen.
        end = max(*ends, first + (self._duration or 0))
        return Timeline(
            name=name,
            start=float(first),
            end=float(end),
            runs=tuple(self._runs),
            finals=tuple(self.finals),
            truth=None if truth is None else truth.annotations,
        )
