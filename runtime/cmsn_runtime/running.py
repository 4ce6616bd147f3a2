"""One source through one stream into sinks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from fractions import Fraction
from types import FrameType
from typing import Any, Protocol, TypeVar

from cmsn_runtime.errors import SourceError
from cmsn_runtime.events import StageStep, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.streams.feature_stream import FeatureRow

Moment = TypeVar("Moment", Frame, FeatureRow)
Pushed = TypeVar("Pushed", Frame, FeatureRow, contravariant=True)
Yielded = TypeVar("Yielded", Frame, FeatureRow, covariant=True)


class EventStream(Protocol[Pushed]):
    """What is needed of a Stream or a FeatureStream."""

    def push(self, moment: Pushed, /) -> list[StreamEvent]: ...
    def flush(self) -> list[StreamEvent]: ...


class StreamOpener(Protocol[Pushed]):
    """Opens a stream, as `Bundle.stream` and `Bundle.feature_stream` do."""

    def __call__(self, *, on_step: Callable[[StageStep], None]) -> AbstractContextManager[EventStream[Pushed]]: ...


class AnySource(Protocol[Yielded]):
    """What is needed of a Source or a FeatureSource."""

    @property
    def name(self) -> str: ...
    @property
    def duration(self) -> Fraction | None: ...
    def __iter__(self) -> Iterator[Yielded]: ...


def run_source(open_stream: StreamOpener[Moment], source: AnySource[Moment], sinks: Sequence[Sink]) -> None:
    """Read a source to its end, and give the sinks all that is said of it.

    open_stream: `bundle.stream`, or a partial of it with more options; `bundle.feature_stream` for feature rows.

    However it ends, the sinks were told all there was to say: where the source breaks or Ctrl-C is pressed, the stream
    is flushed first, so that the proposals up to there are kept. Raises SourceError (DecodeError where it broke on
    the way) and KeyboardInterrupt after that, and whatever the backend or a sink raises.
    """
    name = source.name

    def tell_step(step: StageStep) -> None:
        for sink in sinks:
            sink.step(name, step)

    def tell(events: list[StreamEvent]) -> None:
        for event in events:
            for sink in sinks:
                sink.event(name, event)

    with ExitStack() as ending, open_stream(on_step=tell_step) as stream:
        for sink in sinks:
            sink.begin(name, source.duration)
        for sink in reversed(sinks):  # a stack unwinds backwards; sinks end in their own order
            ending.callback(sink.end, name)
        try:
            for moment in source:
                with held_interrupts():
                    tell(stream.push(moment))
                    for sink in sinks:
                        sink.advance(name, moment.seconds)
        except (SourceError, KeyboardInterrupt):
            with held_interrupts():
                tell(stream.flush())
            raise
        with held_interrupts():
            tell(stream.flush())


@contextmanager
def held_interrupts() -> Iterator[None]:
    """Ctrl-C takes effect at the end of the block: a stream stopped within a step could not be flushed.

    Outside the main thread, which alone gets signals, this does nothing.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    held: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> Any:
        held.append((number, frame))

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if held:
        handler(*held[0])
