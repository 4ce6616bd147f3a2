"""All results of one source, as one value: for evaluation, archives and training."""

from __future__ import annotations

from dataclasses import dataclass

from cmsn_runtime.errors import SourceError
from cmsn_runtime.events import Event, Proposal, StageStep, StreamEvent
from cmsn_runtime.running import Moment, StreamOpener, run_source
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.sources.base import AnySource
from cmsn_runtime.sources.losses import Losses


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The results of a stream on a source. It can be pickled, and so may come from another process.

    name: that of the source. events: in order. steps: the stages, where requested.
    ending: how far the source got, and why it ended. losses: what it could not deliver.
    """

    name: str
    events: tuple[StreamEvent, ...]
    steps: tuple[StageStep, ...]
    ending: Ending
    losses: Losses

    @property
    def finals(self) -> list[Event]:
        """The final events, in their order."""
        return [event for event in self.events if isinstance(event, Event) and event.kind == "final"]

    @property
    def proposals(self) -> list[Proposal]:
        """The final proposals, best first."""
        return sorted((event.proposal for event in self.finals), key=lambda proposal: -proposal.score)


def collect(open_stream: StreamOpener[Moment], source: AnySource[Moment], *, steps: bool = False) -> Prediction:
    """Read a source to its end, or to where it breaks, as reported in `ending` -> all results.

    open_stream: as for `run_source`. steps: also keep the stage of every feature step, which takes memory.
    Raises what the backend raises, and KeyboardInterrupt; SourceError only where not a single frame was read.
    """
    notes = _Notes(steps)
    try:
        run_source(open_stream, source, [notes])
    except SourceError:
        if notes.ending.seconds is None:
            raise
    return Prediction(source.name, tuple(notes.events), tuple(notes.steps), notes.ending, source.losses)


class _Notes(Sink):
    """Keeps everything."""

    def __init__(self, keep_steps: bool) -> None:
        self.events: list[StreamEvent] = []
        self.steps: list[StageStep] = []
        self.ending = Ending(None)
        self._keep_steps = keep_steps

    def step(self, source: str, step: StageStep) -> None:
        if self._keep_steps:
            self.steps.append(step)

    def event(self, source: str, event: StreamEvent) -> None:
        self.events.append(event)

    def end(self, source: str, ending: Ending) -> None:
        self.ending = ending
