"""One source through one stream into sinks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from fractions import Fraction
from typing import Protocol, TypeVar

from cmsn_runtime.errors import NoOutputLeftError, SourceError, SourceWarning
from cmsn_runtime.events import StagePreview, StreamEvent
from cmsn_runtime.identity import Numbering, new_run
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.reading import Reader
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_runtime.sources.base import AnySource
from cmsn_runtime.sources.features import FeatureSource
from cmsn_runtime.stopping import Steps, Stopped
from cmsn_runtime.streams.feature_stream import FeatureRow
from cmsn_runtime.streams.health import StreamHealth

Moment = TypeVar("Moment", Frame, FeatureRow, covariant=True)
Pushed = TypeVar("Pushed", Frame, FeatureRow, contravariant=True)


class EventStream(Protocol[Pushed]):
    """What `run_source` needs from a Stream or a FeatureStream."""

    @property
    def health(self) -> StreamHealth: ...
    def push(self, moment: Pushed, /) -> list[StreamEvent]: ...
    def flush(self) -> list[StreamEvent]: ...
    def take_preview(self) -> StagePreview | None: ...


StreamOpener = Callable[..., AbstractContextManager[EventStream[Moment]]]


def run_source(
    open_stream: StreamOpener[Moment],
    source: AnySource[Moment],
    sinks: Sequence[Sink] | Outlets,
    *,
    run: str | None = None,
) -> None:
    """Read a source to its end, and pass all results to the sinks.

    open_stream: `bundle.stream`, or a partial of it with more options; `bundle.feature_stream` for feature rows. It is
    called with `on_step`. run: id of this run of the program, for the ids of its events; by default a new one.

    However it ends, the sinks get all results: where the source breaks, the backend fails, or a signal requests the
    end (see stopping.py; an application's own handlers and Python's KeyboardInterrupt take effect between frames too),
    the stream is flushed first, and the sinks are passed how far it got and why it ended.

    Raises SourceError (DecodeError where it broke off), Stopped or KeyboardInterrupt after that, and whatever
    the backend raises. A sink that raises is closed, the others continue, and its error is raised at the end of the
    source; if none is left, NoOutputLeftError is raised at once. A caller that passes Outlets, which serve several
    sources, gets the errors of sinks there. Lost frames, and a stream that can find nothing, give a
    SourceWarning.
    """
    outlets = sinks if isinstance(sinks, Outlets) else Outlets(sinks)
    name = source.name
    with Steps() as steps, open_stream(on_step=lambda step: outlets.step(name, step)) as stream:
        progress = _Run(Numbering(camera=name, run=run or new_run()), name, outlets)
        with steps.whole:
            outlets.begin(name, source.duration)
        try:
            with _read_ahead(source) as moments:
                for moment in moments:
                    with steps.whole:
                        progress.take(moment, stream.push(moment))
                        progress.preview(stream)
                        progress.complain(stream.health)
                    steps.check()
                    if outlets.deserted:
                        raise NoOutputLeftError
            with steps.whole:
                progress.report(stream.flush())
        except BaseException as error:
            # The error that ended the source matters: another one while it is settled would only hide it.
            with steps.whole, suppress(Exception):
                progress.report(_settled(stream))
            with steps.whole:
                progress.end(error)
            if not isinstance(error, SourceError):  # its message already says what is missing
                progress.warn(str(source.losses), stream.health)
            raise
        with steps.whole:
            progress.end()
        progress.warn(str(source.losses), stream.health)
    if outlets is not sinks and outlets.failures:
        raise outlets.failures[0]


class _Run:
    """How far a stream has got in a source."""

    def __init__(self, numbering: Numbering, name: str, outlets: Outlets) -> None:
        self._numbering = numbering
        self._name = name
        self._outlets = outlets
        self._seconds: Fraction | None = None  # of the newest frame
        self._complained = False

    def take(self, moment: Frame | FeatureRow, events: list[StreamEvent]) -> None:
        """A moment was pushed."""
        self._seconds = seconds = moment.seconds
        if isinstance(moment, Frame):
            self._outlets.picture(self._name, moment)
        self.report(events)
        self._outlets.advance(self._name, seconds)

    def preview(self, stream: EventStream[Pushed]) -> None:
        """The stages that are not settled may have changed."""
        if self._outlets.wants_previews and (preview := stream.take_preview()) is not None:
            self._outlets.preview(self._name, preview)

    def report(self, events: list[StreamEvent]) -> None:
        """Events occurred."""
        self._outlets.events(self._name, [self._numbering.stamped(event) for event in events])

    def end(self, error: BaseException | None = None) -> None:
        """The source has ended, by an error or at its own end."""
        self._outlets.end(self._name, Ending(self._seconds, "" if error is None else _reason(error)))
        if isinstance(error, Stopped):
            place = "before the first frame" if self._seconds is None else f"at {float(self._seconds):.2f} s"
            error.note = f" {place} of {self._name}; what was found until then is kept"

    def complain(self, health: StreamHealth) -> None:
        """Report once, as soon as it is known, that nothing can be found: a camera may never end."""
        if health.complaint is not None and not self._complained:
            self._complained = True
            self._warn(health.complaint)

    def warn(self, losses: str, health: StreamHealth) -> None:
        """Report losses, and that nothing can be found."""
        if losses:
            self._warn(losses)
        if health.dropped:
            self._warn(f"{health.dropped} frames, no later than those before them, were left out")
        self.complain(health)

    def _warn(self, line: str) -> None:
        warnings.warn(f"{self._name}: {line}", SourceWarning, stacklevel=4)


def _read_ahead(source: AnySource[Moment]) -> AbstractContextManager[Iterable[Moment]]:
    """Frames are decoded in another thread: while the networks run, and so that signals need not wait for a camera.

    Rows of features are in memory already.
    """
    return nullcontext(source) if isinstance(source, FeatureSource) else Reader(source)


def _settled(stream: EventStream[Pushed]) -> list[StreamEvent]:
    """The events of a flush, without another hop where the backend fails again."""
    try:
        return stream.flush()
    except Exception:
        return stream.flush()


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
