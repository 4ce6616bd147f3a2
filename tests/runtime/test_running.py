"""A source is told to its end, however it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest

from cmsn_runtime.errors import BackendError, DecodeError
from cmsn_runtime.events import Event, Proposal, StageStep, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.running import held_interrupts, run_source
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.stages import Stage

PICTURE = np.zeros((2, 2, 3), np.uint8)


class FakeSource:
    """Three frames, and then whatever `ending` does."""

    name = "camera"
    live = True
    duration = None

    def __init__(self, ending: Callable[[], None] = lambda: None) -> None:
        self._ending = ending

    def __enter__(self) -> FakeSource:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        pass

    def __iter__(self) -> Iterator[Frame]:
        for number in range(3):
            yield Frame(PICTURE, Fraction(number))
        self._ending()


class FakeStream:
    """Says one thing for each frame and one at the end; `on_frame` happens in the middle of a push."""

    def __init__(self, on_step: Callable[[StageStep], None], on_frame: Callable[[], None]) -> None:
        self._on_step = on_step
        self._on_frame = on_frame

    def __enter__(self) -> FakeStream:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def push(self, frame: Frame) -> list[StreamEvent]:
        self._on_step(StageStep(frame.seconds, Stage.START, np.zeros(6, np.float32)))
        self._on_frame()
        return [event("provisional", frame.seconds)]

    def flush(self) -> list[StreamEvent]:
        return [event("final", Fraction(9))]


class Notes(Sink):
    """Writes down what it is told, in a list that several may share."""

    def __init__(self, said: list[str], name: str = "") -> None:
        self._said = said
        self._name = name

    def begin(self, source: str, duration: Fraction | None) -> None:
        self._said.append(f"{self._name}begin")

    def advance(self, source: str, seconds: Fraction) -> None:
        self._said.append(f"{self._name}frame {seconds}")

    def step(self, source: str, step: StageStep) -> None:
        self._said.append(f"{self._name}step {step.seconds}")

    def event(self, source: str, event: StreamEvent) -> None:
        self._said.append(f"{self._name}{event.kind}")

    def end(self, source: str) -> None:
        self._said.append(f"{self._name}end")


FRAMES = [word for number in range(3) for word in (f"step {number}", "provisional", f"frame {number}")]


def event(kind: str, seconds: Fraction) -> Event:
    proposal = Proposal(Fraction(0), Fraction(1), 0.5)
    return Event(kind, 1, 1, proposal, seconds)  # type: ignore[arg-type]


def play(
    *, ending: Callable[[], None] = lambda: None, on_frame: Callable[[], None] = lambda: None, said: list[str]
) -> None:
    run_source(lambda on_step: FakeStream(on_step, on_frame), FakeSource(ending), [Notes(said)])


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_everything_is_told_in_order() -> None:
    said: list[str] = []
    play(said=said)
    assert said == ["begin", *FRAMES, "final", "end"]


def test_sinks_end_in_their_own_order() -> None:
    said: list[str] = []
    run_source(lambda on_step: FakeStream(on_step, lambda: None), FakeSource(), [Notes(said, "1 "), Notes(said, "2 ")])
    assert said[-2:] == ["1 end", "2 end"]


@pytest.mark.parametrize("error", [DecodeError("broke", seconds=Fraction(2)), KeyboardInterrupt()])
def test_a_source_that_stops_short_keeps_its_proposals(error: BaseException) -> None:
    said: list[str] = []
    with pytest.raises(type(error)):
        play(ending=raising(error), said=said)
    assert said == ["begin", *FRAMES, "final", "end"]


def test_a_backend_that_fails_is_not_asked_again() -> None:
    said: list[str] = []
    with pytest.raises(BackendError):
        play(on_frame=raising(BackendError("lost")), said=said)
    assert said == ["begin", "step 0", "end"]


def test_ctrl_c_within_a_step_waits_for_its_end() -> None:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        play(on_frame=lambda: signal.raise_signal(signal.SIGINT), said=said)
    assert said == ["begin", *FRAMES[:3], "final", "end"]


def test_an_interrupt_reaches_the_handler_that_was_there() -> None:
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        with held_interrupts():
            signal.raise_signal(signal.SIGINT)
            assert not caught
        assert caught == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)
