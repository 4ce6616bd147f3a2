"""One source through one stream into sinks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from fractions import Fraction
from typing import Protocol, TypeVar

from cmsn_runtime.errors import NoOutputLeftError, SettingsError, SourceError, SourceWarning
from cmsn_runtime.events import StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_runtime.sources.losses import Losses
from cmsn_runtime.stopping import Steps, Stopped
from cmsn_runtime.streams.feature_stream import FeatureRow

Moment = TypeVar("Moment", Frame, FeatureRow, covariant=True)
Pushed = TypeVar("Pushed", Frame, FeatureRow, contravariant=True)


class EventStream(Protocol[Pushed]):
    """What is needed of a Stream or a FeatureStream."""

    def push(self, moment: Pushed, /) -> list[StreamEvent]: ...
    def flush(self) -> list[StreamEvent]: ...


class AnySource(Protocol[Moment]):
    """What is needed of a Source or a FeatureSource."""

    @property
    def name(self) -> str: ...
    @property
    def duration(self) -> Fraction | None: ...
    @property
    def losses(self) -> Losses: ...
    def __iter__(self) -> Iterator[Moment]: ...


StreamOpener = Callable[..., AbstractContextManager[EventStream[Moment]]]


def run_source(open_stream: StreamOpener[Moment], source: AnySource[Moment], sinks: Sequence[Sink] | Outlets) -> None:
    """Read a source to its end, and give the sinks everything that is found in it.

    open_stream: `bundle.stream`, or a partial of it with more options; `bundle.feature_stream` for feature rows. It is
    called with `on_step`.

    However it ends, the sinks get all there is: where the source breaks, a frame is refused, or a signal asks for the
    end (see stopping.py; an application's own handlers and Python's KeyboardInterrupt take effect between frames too),
    the stream is flushed first, and the sinks are told how far it got and why. A backend that fails is not asked again.

    Raises SourceError (DecodeError where it broke on the way), Stopped or KeyboardInterrupt after that, and whatever
    the backend raises. A sink that raises is closed, the others go on, and its error is raised at the end of the
    source; if none is left to go on for, NoOutputLeftError is raised at once. Who hands in Outlets, which serve several
    sources, gets the errors of sinks there. What the source could not show is a SourceWarning.
    """
    outlets = sinks if isinstance(sinks, Outlets) else Outlets(sinks)
    name = source.name
    with Steps() as steps, open_stream(on_step=lambda step: outlets.step(name, step)) as stream:
        run = _Run(name, stream.flush, outlets)
        with steps.whole:
            outlets.begin(name, source.duration)
        try:
            for moment in source:
                with steps.whole:
                    run.take(stream.push, moment)
                steps.check()
                if outlets.deserted:
                    raise NoOutputLeftError
        except BaseException as error:
            with steps.whole:
                run.end(source.losses, error)
            raise
        with steps.whole:
            run.end(source.losses)
    if outlets is not sinks and outlets.failures:
        raise outlets.failures[0]


class _Run:
    """How far a source is on its way through a stream."""

    def __init__(self, name: str, flush: Callable[[], list[StreamEvent]], outlets: Outlets) -> None:
        self._name = name
        self._flush = flush
        self._outlets = outlets
        self._seconds: Fraction | None = None  # of the newest frame
        self._within_step = False

    def take(self, push: Callable[[Moment], list[StreamEvent]], moment: Moment) -> None:
        """Push one frame."""
        self._within_step = True
        try:
            events = push(moment)
        except (SettingsError, SourceError):
            self._within_step = False  # a stream checks what it is given before it changes
            raise
        self._within_step = False
        self._seconds = moment.seconds
        self._outlets.events(self._name, events)
        self._outlets.advance(self._name, moment.seconds)

    def end(self, losses: Losses, error: BaseException | None = None) -> None:
        """Flush the stream where it can be, and end the source."""
        if not self._within_step:
            # What ended the source is what matters: another error while it is settled would only hide it.
            with nullcontext() if error is None else suppress(Exception):
                self._outlets.events(self._name, self._flush())
        self._outlets.end(self._name, Ending(self._seconds, "" if error is None else _reason(error)))
        if isinstance(error, Stopped):
            place = "before the first frame" if self._seconds is None else f"at {float(self._seconds):.2f} s"
            error.note = f" {place} of {self._name}; what was found until then is kept"
        if losses and not isinstance(error, SourceError):  # whose message says what is missing
            warnings.warn(f"{self._name}: {losses}", SourceWarning, stacklevel=3)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
