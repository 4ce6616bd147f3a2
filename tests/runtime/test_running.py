"""A source is told to its end, however it ends."""

from __future__ import annotations

import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest

from cmsn_runtime.collecting import collect
from cmsn_runtime.errors import BackendError, DecodeError, OutputError, SettingsError, SourceWarning
from cmsn_runtime.events import Event, Proposal, StagePreview, StageStep, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.running import run_source
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.sources.losses import Losses
from cmsn_runtime.stages import Stage
from cmsn_runtime.streams.health import StreamHealth

pytestmark = pytest.mark.usefixtures("signals_as_at_a_terminal")

PICTURE = np.zeros((2, 2, 3), np.uint8)


class FakeSource:
    """Three frames, and then whatever `ending` does."""

    name = "camera"
    live = True
    duration = None
    losses = Losses()

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

    health = StreamHealth(dropped=0, resets=0, apart=None, longest=Fraction(4))

    def __enter__(self) -> FakeStream:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def push(self, frame: Frame) -> list[StreamEvent]:
        self._on_step(StageStep(frame.seconds, Stage.START, np.zeros(6, np.float32)))
        self._on_frame()
        return [event("provisional", frame.seconds)]

    def take_preview(self) -> StagePreview | None:
        return None

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

    def end(self, source: str, ending: Ending) -> None:
        self.ending = ending
        self._said.append(f"{self._name}end")


FRAMES = [word for number in range(3) for word in (f"step {number}", "provisional", f"frame {number}")]


def event(kind: str, seconds: Fraction) -> Event:
    proposal = Proposal(Fraction(0), Fraction(1), 0.5)
    return Event(kind, 1, 1, proposal, seconds)  # type: ignore[arg-type]


def play(
    *,
    ending: Callable[[], None] = lambda: None,
    on_frame: Callable[[], None] = lambda: None,
    said: list[str],
    others: Sequence[Sink] = (),
) -> Notes:
    notes = Notes(said)
    run_source(lambda on_step: FakeStream(on_step, on_frame), FakeSource(ending), [*others, notes])
    return notes


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_sinks_get_everything_in_order() -> None:
    said: list[str] = []
    notes = play(said=said)
    assert said == ["begin", *FRAMES, "final", "end"]
    assert notes.ending == Ending(Fraction(2))


def test_sinks_are_ended_in_the_order_they_were_given() -> None:
    said: list[str] = []
    play(said=said, others=[Notes(said, "1 ")])
    assert said[-2:] == ["1 end", "end"]


@pytest.mark.parametrize(
    "error", [DecodeError("broke", seconds=Fraction(2)), KeyboardInterrupt(), ZeroDivisionError("a library's fault")]
)
def test_a_source_that_stops_short_keeps_its_proposals(error: BaseException) -> None:
    said: list[str] = []
    notes = Notes(said)
    with pytest.raises(type(error)):
        run_source(lambda on_step: FakeStream(on_step, lambda: None), FakeSource(raising(error)), [notes])
    assert said == ["begin", *FRAMES, "final", "end"]
    assert notes.ending == Ending(Fraction(2), str(error) or "KeyboardInterrupt")


def test_a_frame_that_is_refused_keeps_what_came_before() -> None:
    said: list[str] = []
    with pytest.raises(SettingsError):
        play(on_frame=raising(SettingsError("a row of another width")), said=said)
    assert said == ["begin", "step 0", "final", "end"]


@pytest.mark.parametrize("error", [BackendError("lost"), MemoryError(), RuntimeError("of a library")])
def test_a_backend_that_fails_keeps_what_was_under_way(error: Exception) -> None:
    """A stream settles it without the backend where that broke off within a step."""
    said: list[str] = []
    with pytest.raises(type(error)):
        play(on_frame=raising(error), said=said)
    assert said == ["begin", "step 0", "final", "end"]


@pytest.mark.parametrize("broken", [None, DecodeError("cut")], ids=["at the end", "where the source broke"])
def test_a_backend_that_fails_in_the_last_flush_keeps_what_was_under_way(broken: DecodeError | None) -> None:
    class Failing(FakeStream):
        asked = 0

        def flush(self) -> list[StreamEvent]:
            self.asked += 1
            if self.asked == 1:
                raise BackendError("lost")
            return super().flush()

    said: list[str] = []
    notes = Notes(said)
    source = FakeSource(raising(broken) if broken else lambda: None)
    with pytest.raises(type(broken) if broken else BackendError):
        run_source(lambda on_step: Failing(on_step, lambda: None), source, [notes])
    assert said == ["begin", *FRAMES, "final", "end"]
    assert notes.ending == Ending(Fraction(2), str(broken or "lost"))


def test_a_second_error_does_not_hide_the_first() -> None:
    class Failing(FakeStream):
        def flush(self) -> list[StreamEvent]:
            raise BackendError("second")

    notes = Notes([])
    with pytest.raises(DecodeError, match="first"):
        run_source(lambda on_step: Failing(on_step, lambda: None), FakeSource(raising(DecodeError("first"))), [notes])
    assert notes.ending == Ending(Fraction(2), "first")


def test_ctrl_c_within_a_step_waits_for_its_end() -> None:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        play(on_frame=lambda: signal.raise_signal(signal.SIGINT), said=said)
    assert said == ["begin", *FRAMES[:3], "final", "end"]


def test_ctrl_c_within_the_last_step_comes_when_all_is_settled() -> None:
    class Interrupted(FakeStream):
        def flush(self) -> list[StreamEvent]:
            signal.raise_signal(signal.SIGINT)
            return super().flush()

    said: list[str] = []
    notes = Notes(said)
    with pytest.raises(KeyboardInterrupt):
        run_source(lambda on_step: Interrupted(on_step, lambda: None), FakeSource(), [notes])
    assert said == ["begin", *FRAMES, "final", "end"]
    assert notes.ending == Ending(Fraction(2))


def test_ctrl_c_that_a_source_swallows_is_not_lost() -> None:
    """As C code that calls back into Python may."""

    class Swallowing(FakeSource):
        def __iter__(self) -> Iterator[Frame]:
            yield Frame(PICTURE, Fraction(0))
            with suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            yield Frame(PICTURE, Fraction(1))
            pytest.fail("the interrupt was lost")

    with pytest.raises(KeyboardInterrupt):
        run_source(lambda on_step: FakeStream(on_step, lambda: None), Swallowing(), [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_handler_that_was_there(number: signal.Signals) -> None:
    caught: list[int] = []
    said: list[str] = []
    handler = lambda number, frame: caught.append(number)  # noqa: E731
    before = signal.signal(number, handler)
    try:
        play(on_frame=lambda: signal.raise_signal(number), said=said)
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
    assert caught == [number] * 3
    assert said == ["begin", *FRAMES, "final", "end"]


def test_another_thread_runs_a_source_too() -> None:
    said: list[str] = []
    thread = threading.Thread(target=play, kwargs={"said": said})
    thread.start()
    thread.join(timeout=30)
    assert said == ["begin", *FRAMES, "final", "end"]


def test_a_sink_that_fails_does_not_cost_the_others() -> None:
    class Failing(Notes):
        def event(self, source: str, event: StreamEvent) -> None:
            super().event(source, event)
            raise TypeError("a fault")

        def close(self) -> None:
            self._said.append(f"{self._name}close")

    said: list[str] = []
    with pytest.raises(OutputError, match=r"Failing.*TypeError: a fault"):
        play(said=said, others=[Failing(said, "1 ")])
    assert [word for word in said if not word.startswith("1 ")] == ["begin", *FRAMES, "final", "end"]
    assert [word for word in said if word.startswith("1 ")] == ["1 begin", "1 step 0", "1 provisional", "1 close"]


def test_frames_that_a_source_could_not_show_are_a_warning() -> None:
    class Lossy(FakeSource):
        losses = Losses(damaged=2)

    with pytest.warns(SourceWarning, match="camera: 2 damaged packets could not be shown"):
        run_source(lambda on_step: FakeStream(on_step, lambda: None), Lossy(), [])


def test_frames_that_a_stream_could_not_use_are_a_warning() -> None:
    class Apart(FakeStream):
        health = StreamHealth(dropped=2, resets=9, apart=Fraction(5), longest=Fraction(4))

    with pytest.warns(SourceWarning) as given:
        run_source(lambda on_step: Apart(on_step, lambda: None), FakeSource(), [])
    lines = sorted(str(warning.message) for warning in given)
    assert lines[0] == "camera: 2 frames, no later than those before them, were left out"
    assert lines[1].startswith("camera: frames come 5 s apart, and this model needs at least one in 4 s")
    assert len(lines) == 2


def test_a_camera_whose_frames_are_too_far_apart_is_reported_while_it_goes_on() -> None:
    class Apart(FakeStream):
        health = StreamHealth(dropped=0, resets=9, apart=Fraction(5), longest=Fraction(4))

    with pytest.warns(SourceWarning, match="frames come 5 s apart") as given:

        class Watched(FakeSource):
            def __iter__(self) -> Iterator[Frame]:
                yield from super().__iter__()
                for _ in range(100):
                    time.sleep(0.05)  # the last frame is being taken
                    if given.list:
                        return
                pytest.fail("nothing was reported before the camera ended")

        run_source(lambda on_step: Apart(on_step, lambda: None), Watched(), [])
    assert len(given) == 1


def test_a_prediction_holds_everything_and_can_be_pickled() -> None:
    found = collect(lambda on_step: FakeStream(on_step, lambda: None), FakeSource(), steps=True)
    again = pickle.loads(pickle.dumps(found))
    assert (again.name, again.events, again.ending) == ("camera", found.events, Ending(Fraction(2)))
    assert [event.kind for event in found.finals] == ["final"]
    assert found.proposals == [found.finals[0].proposal]
    assert [step.seconds for step in again.steps] == [0, 1, 2]


def test_a_prediction_of_a_broken_source_says_how_far_it_got() -> None:
    source = FakeSource(raising(DecodeError("broke")))
    found = collect(lambda on_step: FakeStream(on_step, lambda: None), source)
    assert found.ending == Ending(Fraction(2), "broke")
    assert (len(found.finals), found.steps) == (1, ())
