"""A picture of each source: its stages, proposals and truth over time."""

from __future__ import annotations

import importlib.util
from collections import deque
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from cmsn_runtime.annotations import VideoAnnotations
from cmsn_runtime.errors import MissingExtraError, SettingsError
from cmsn_runtime.events import Event, StageStep, StreamEvent
from cmsn_runtime.files import Replacement, is_stream, written_to
from cmsn_runtime.names import video_id
from cmsn_runtime.sinks.base import Ending, OpenSources, Sink
from cmsn_runtime.sinks.kinds import SinkContext, SinkKind
from cmsn_runtime.sinks.stage_runs import StageRun, add_step
from cmsn_runtime.sinks.timeline_picture import Timeline, draw_timeline
from cmsn_runtime.text import file_name

_SHOWN_RANKS = 4
# More than a picture can show: several days of a busy camera.
_MOST_RUNS = 50_000
_MOST_FINALS = 20_000


class TimelineSink(Sink):
    """Writes a PNG when a source ends. Of a source that never ends, the newest 50,000 changes of stage are shown.

    step_seconds: length of a feature step. truth: annotations of videos; with them, the true actions are drawn.
    several: there are several sources; each gets its own picture, see `picture_path`.
    Raises MissingExtraError where matplotlib is not installed.
    """

    one_each = True

    def __init__(
        self,
        path: Path,
        *,
        step_seconds: Fraction,
        truth: Mapping[str, VideoAnnotations] | None = None,
        several: bool = False,
    ) -> None:
        if importlib.util.find_spec("matplotlib") is None:
            raise MissingExtraError("matplotlib", "plot", "a timeline picture")
        self._path = path
        self._step_seconds = step_seconds
        self._truth = truth
        self._several = several
        self._open: OpenSources[_Record] = OpenSources()

    @property
    def name(self) -> str:
        return str(self._path)

    def begin(self, source: str, duration: Fraction | None) -> None:
        """Start a picture. Its temporary file is created now, so that an unwritable path is reported early."""
        path = picture_path(self._path, source) if self._several else self._path
        self._open.begin(source, lambda: _Record(path, duration))

    def advance(self, source: str, seconds: Fraction) -> None:
        """Record how far the source got."""
        self._open[source].see(seconds)

    def step(self, source: str, step: StageStep) -> None:
        """Lengthen the current run of equal stages, or begin the next."""
        self._open[source].add_step(step, self._step_seconds)

    def event(self, source: str, event: StreamEvent) -> None:
        """Keep finals, the best of each action and its next few alternatives."""
        if isinstance(event, Event) and event.kind == "final" and event.rank <= _SHOWN_RANKS:
            self._open[source].finals.append(event)

    def end(self, source: str, ending: Ending) -> None:
        """Draw, and write the file completely or not at all."""
        record = self._open.end(source)
        if record is None:
            return
        name = video_id(source)
        timeline = record.timeline(name, None if self._truth is None else self._truth.get(name))
        with written_to(record.path), record.replacement as replacement:
            draw_timeline(timeline, replacement.unfinished)
            replacement.commit()

    def close(self) -> None:
        """Discard pictures of sources that did not end."""
        for record in self._open.values():
            record.replacement.close()


class _Record:
    """The state of one source's picture."""

    def __init__(self, path: Path, duration: Fraction | None) -> None:
        self.path = path
        with written_to(path):
            self.replacement = Replacement(path)
        self.finals: deque[Event] = deque(maxlen=_MOST_FINALS)
        self._duration = duration
        self._first: Fraction | None = None
        self._last = Fraction(0)
        self._runs: deque[StageRun] = deque(maxlen=_MOST_RUNS)

    def see(self, seconds: Fraction) -> None:
        self._first = seconds if self._first is None else self._first
        self._last = max(self._last, seconds)

    def add_step(self, step: StageStep, length: Fraction) -> None:
        add_step(self._runs, step.stage, step.seconds, length)

    def timeline(self, name: str, truth: VideoAnnotations | None) -> Timeline:
        first = self._first or Fraction(0)
        cut = len(self._runs) == _MOST_RUNS
        start = self._runs[0].start if cut else first
        finals = tuple(event for event in self.finals if event.proposal.end > start)
        # A video that broke off is drawn to its declared end, so that the missing part is visible.
        end = max(self._last, *(event.proposal.end for event in finals), first + (self._duration or 0))
        return Timeline(
            name=name,
            start=float(start),
            end=float(end),
            runs=tuple(self._runs),
            finals=finals,
            truth=None if truth is None else truth.annotations,
        )


def picture_path(path: Path, source: str) -> Path:
    """PATH with "-NAME" before its suffix, where NAME is that of the source, sanitised for a file name."""
    return path.with_name(file_name(video_id(source), before=f"{path.stem}-", after=path.suffix))


def _paths(value: str, sources: Sequence[str]) -> list[Path]:
    path = Path(value)
    if len(sources) <= 1:
        return [path]
    if is_stream(path):
        raise SettingsError(f"--timeline {value}: is one picture, there are {len(sources)}; give a file's path")
    return [picture_path(path, source) for source in sources]


def _open(value: str, context: SinkContext) -> Sink:
    return TimelineSink(
        Path(value), step_seconds=context.step_seconds, truth=context.truth, several=len(context.sources) > 1
    )


TIMELINE = SinkKind(open=_open, paths=_paths)
