"""Sinks beside each other: one that fails costs neither the others nor the next source."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from fractions import Fraction

import pytest

from cmsn_runtime.errors import CmsnError, OutputError
from cmsn_runtime.events import Event, Proposal, StageStep, StreamEvent
from cmsn_runtime.sinks.base import Ending, OpenSources, Sink
from cmsn_runtime.sinks.outlets import Outlets

FINAL = Event("final", 1, 1, Proposal(Fraction(1), Fraction(2), 0.5), Fraction(3))


class Failing(Sink):
    """Raises in one hook, and counts its calls."""

    def __init__(self, hook: str, error: Exception) -> None:
        self.calls: list[str] = []
        self._hook = hook
        self._error = error

    @property
    def name(self) -> str:
        return "the failing one"

    def begin(self, source: str, duration: Fraction | None) -> None:
        self._called("begin")

    def advance(self, source: str, seconds: Fraction) -> None:
        self._called("advance")

    def step(self, source: str, step: StageStep) -> None:
        self._called("step")

    def event(self, source: str, event: StreamEvent) -> None:
        self._called("event")

    def end(self, source: str, ending: Ending) -> None:
        self._called("end")

    def close(self) -> None:
        self._called("close")

    def _called(self, hook: str) -> None:
        self.calls.append(hook)
        if hook == self._hook:
            raise self._error


class Picture(Failing):
    one_each = True


class Bar(Failing):
    passive = True


def sound() -> Failing:
    return Failing("nothing", ValueError())


def play(outlets: Outlets, source: str = "a") -> None:
    outlets.begin(source, None)
    outlets.events(source, [FINAL])
    outlets.advance(source, Fraction(1))
    outlets.end(source, Ending(Fraction(1)))


WHOLE = ["begin", "event", "advance", "end"]


@pytest.mark.parametrize("hook", [*WHOLE, "close"])
@pytest.mark.parametrize("error", [TypeError("a fault"), OSError(28, "No space left on device"), MemoryError()])
def test_an_output_that_fails_does_not_stop_the_others(hook: str, error: Exception) -> None:
    reported: list[CmsnError] = []
    failing, other = Failing(hook, error), sound()
    with Outlets([failing, other], on_failure=reported.append) as outlets:
        play(outlets)
        play(outlets, "b")
    assert other.calls == [*WHOLE, *WHOLE, "close"]
    assert failing.calls.count(hook) == 1 and failing.calls[-1] == "close"
    (failure,) = reported
    assert outlets.failures == reported
    assert "the failing one" in str(failure) and str(error) in str(failure)


def test_a_cmsn_error_of_an_output_is_reported_unchanged() -> None:
    error = OutputError("x.csv: cannot be written")
    with Outlets([Failing("event", error), sound()]) as outlets:
        play(outlets)
    assert outlets.failures == [error]


@pytest.mark.parametrize("hook", WHOLE)
def test_a_picture_that_fails_does_not_cost_the_next(hook: str) -> None:
    picture = Picture(hook, ValueError("a fault"))
    with Outlets([picture, sound()]) as outlets:
        play(outlets)
        first = len(picture.calls)
        picture._hook = "nothing"
        play(outlets, "b")
    assert picture.calls[:first] == WHOLE[: WHOLE.index(hook) + 1]
    assert picture.calls[first:] == [*WHOLE, "close"]
    assert len(outlets.failures) == 1


def test_a_reader_that_leaves_is_not_reported() -> None:
    leaving, other = Failing("event", BrokenPipeError()), sound()
    with Outlets([leaving, other]) as outlets:
        play(outlets)
    assert (outlets.failures, outlets.deserted) == ([], False)
    assert leaving.calls == ["begin", "event", "close"]
    assert other.calls == [*WHOLE, "close"]


@pytest.mark.parametrize(
    ("others", "deserted"),
    [(list, True), (lambda: [Bar("nothing", ValueError())], True), (lambda: [sound()], False)],
    ids=["alone", "beside a progress bar", "beside an output"],
)
def test_the_run_ends_when_the_reader_of_its_last_output_leaves(
    others: Callable[[], list[Sink]], deserted: bool
) -> None:
    with Outlets([Failing("event", BrokenPipeError()), *others()]) as outlets:
        assert not outlets.deserted
        play(outlets)
        assert outlets.deserted == deserted


def test_a_run_without_outputs_goes_on() -> None:
    with Outlets([Bar("event", ValueError("no terminal"))]) as outlets:
        play(outlets)
        assert not outlets.deserted
    with Outlets([]) as outlets:
        play(outlets)
        assert not outlets.deserted


def test_a_display_that_fails_is_reported_and_no_failure_of_the_run() -> None:
    """A terminal that was closed."""
    reported: list[CmsnError] = []
    with Outlets([Bar("advance", OSError(5, "Input/output error")), sound()], on_failure=reported.append) as outlets:
        play(outlets)
    assert (len(reported), outlets.failures) == (1, [])


def test_an_interrupt_within_an_output_is_raised() -> None:
    class Interrupted(Sink):
        def begin(self, source: str, duration: Fraction | None) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Outlets([Interrupted()]) as outlets:
        play(outlets)


def test_sources_of_one_name_share_their_results() -> None:
    sources: OpenSources[list[str]] = OpenSources()
    first = sources.begin("a", list)
    assert sources.begin("a", list) is first
    assert sources.begin("b", list) is not first
    assert sources.end("a") is None
    assert sources.end("a") is first
    assert sources.begin("a", list) is not first


def test_an_output_that_is_added_later_gets_the_open_sources() -> None:
    early, late = sound(), sound()
    with Outlets([early]) as outlets:
        outlets.begin("a", None)
        outlets.begin("b", None)
        outlets.end("b", Ending(None))
        outlets.add(late)
        outlets.events("a", [FINAL])
    assert late.calls == ["begin", "event", "close"]


def test_an_output_that_is_removed_ends_its_open_sources_and_is_closed() -> None:
    staying, leaving = sound(), sound()
    with Outlets([staying, leaving]) as outlets:
        outlets.begin("a", None)
        outlets.remove(leaving, "no longer wanted")
        outlets.remove(leaving, "again")
        outlets.events("a", [FINAL])
        assert leaving not in outlets and staying in outlets
    assert leaving.calls == ["begin", "end", "close"]
    assert staying.calls == ["begin", "event", "close"]


def test_outputs_that_failed_or_were_removed_are_not_kept() -> None:
    """One that is opened again every minute would fill the memory in weeks."""

    def gone(outlets: Outlets, sink: Failing) -> weakref.ref[Sink]:
        outlets.add(sink)
        outlets.events("a", [FINAL])
        outlets.remove(sink, "no longer wanted")
        return weakref.ref(sink)

    with Outlets([sound()], on_failure=lambda error: None) as outlets:
        outlets.begin("a", None)
        left = [gone(outlets, make("event", BrokenPipeError())) for make in (Failing, Picture)]
        gc.collect()
        assert [sink() for sink in left] == [None, None]


def test_an_output_that_fails_when_it_is_added_is_closed_and_reported() -> None:
    failing, other = Failing("begin", ValueError("a fault")), sound()
    with Outlets([other]) as outlets:
        outlets.begin("a", None)
        outlets.add(failing)
        assert failing not in outlets
    assert failing.calls == ["begin", "close"] and len(outlets.failures) == 1
