"""A sink in a thread of its own: one that blocks, is slow or fails costs nobody else anything."""

from __future__ import annotations

import os
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
from waiting import wait_for

from cmsn_runtime.errors import OutputError
from cmsn_runtime.events import Event, EventKind, Notice, Proposal, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_runtime.sinks.threaded import ThreadedSink, ThreadLimits

ENDING = Ending(Fraction(9))


def event(number: int, kind: EventKind = "final") -> Event:
    return Event(kind, number, 1, Proposal(Fraction(1), Fraction(2), 0.5), Fraction(3))


def frame(bytes_: int = 3) -> Frame:
    return Frame(np.zeros((1, bytes_ // 3, 3), np.uint8), Fraction(0))


class Held(Sink):
    """Waits in each event until it is released, and keeps what it gets."""

    wants_pictures = True

    def __init__(self) -> None:
        self.got: list[str] = []
        self.released = threading.Event()
        self.busy = threading.Event()
        self.closed = False

    @property
    def name(self) -> str:
        return "the held one"

    def begin(self, source: str, duration: Fraction | None) -> None:
        self.got.append("begin")

    def picture(self, source: str, frame: Frame) -> None:
        self.got.append("picture")

    def event(self, source: str, event: StreamEvent) -> None:
        self.busy.set()
        self.released.wait(30)
        self.got.append(event.kind + (str(event.action) if isinstance(event, Event) else ""))

    def end(self, source: str, ending: Ending) -> None:
        self.got.append("end")

    def close(self) -> None:
        self.closed = True


def held(limits: ThreadLimits | None = None) -> tuple[Held, ThreadedSink, list[str]]:
    """A sink that is busy with its first event, final0."""
    lines: list[str] = []
    sink = Held()
    threaded = ThreadedSink(sink, limits, on_report=lines.append)
    threaded.begin("a", None)
    wait_for(lambda: bool(sink.got))
    threaded.event("a", event(0))
    assert sink.busy.wait(10)
    return sink, threaded, lines


def test_everything_arrives_in_order_from_another_thread() -> None:
    sink, threaded, lines = held()
    for number in range(1, 5):
        threaded.event("a", event(number))
    threaded.end("a", ENDING)
    sink.released.set()
    threaded.close()
    assert sink.got == ["begin", "final0", "final1", "final2", "final3", "final4", "end"]
    assert sink.closed and not lines and not threaded.lost


def test_the_oldest_pictures_go_first_then_events_that_may_change_and_finals_last() -> None:
    sink, threaded, lines = held(ThreadLimits(calls=4, drain_seconds=30))
    threaded.event("a", event(1, "provisional"))
    threaded.picture("a", frame())
    threaded.event("a", event(2, "revised"))
    threaded.event("a", event(3))
    threaded.event("a", Notice("gap", Fraction(4), "a reason"))  # the picture goes
    threaded.event("a", event(5))  # provisional 1 goes
    threaded.event("a", event(6))  # revised 2
    threaded.event("a", event(7))  # final 3
    threaded.end("a", ENDING)  # the notice; an end never goes
    assert lines == ["the held one: is too slow; the oldest of what waits for it is left out"]
    sink.released.set()
    threaded.close()
    assert sink.got == ["begin", "final0", "final5", "final6", "final7", "end"]
    assert threaded.lost == {"picture": 1, "provisional": 1, "revised": 1, "final": 1, "gap": 1}
    assert len(lines) == 2 and "has caught up; left out: 1 picture, 1 provisional, 1 revised" in lines[1]


def test_bytes_are_bounded_too() -> None:
    sink, threaded, _ = held(ThreadLimits(bytes=1_000_000, drain_seconds=30))
    for _ in range(5):
        threaded.picture("a", frame(300_000))
    assert threaded.waiting == 3 and threaded.lost == {"picture": 2}
    sink.released.set()
    threaded.close()


def test_a_second_burst_is_reported_again() -> None:
    sink, threaded, lines = held(ThreadLimits(calls=1, drain_seconds=30))
    for _ in range(3):
        threaded.picture("a", frame())
    sink.released.set()
    wait_for(lambda: len(lines) == 2)
    sink.released.clear()
    sink.busy.clear()
    threaded.event("a", event(1))
    assert sink.busy.wait(10)
    for _ in range(3):
        threaded.picture("a", frame())
    sink.released.set()
    threaded.close()
    assert [("too slow" in line, "2 picture" in line) for line in lines] == [(True, False), (False, True)] * 2


def test_hooks_that_the_sink_does_not_have_take_no_room() -> None:
    sink, threaded, lines = held(ThreadLimits(calls=1))
    for _ in range(9):
        threaded.advance("a", Fraction(1))
    assert not threaded.waiting and not lines
    sink.released.set()
    threaded.close()


def test_one_that_does_not_end_is_abandoned_within_its_time_and_the_rest_is_counted() -> None:
    sink, threaded, lines = held(ThreadLimits(drain_seconds=0.2))
    for number in range(3):
        threaded.event("a", event(number))
    threaded.end("a", ENDING)
    begun = time.monotonic()
    threaded.close()
    assert time.monotonic() - begun < 5
    assert lines == [
        "the held one: did not end within 0.2 s and was abandoned; not written: 3 final and what it was writing"
    ]
    sink.released.set()


def test_several_that_do_not_end_take_the_time_of_one() -> None:
    several = [held(ThreadLimits(drain_seconds=1)) for _ in range(6)]
    begun = time.monotonic()
    Outlets([threaded for _, threaded, _ in several]).close()
    assert time.monotonic() - begun < 4
    assert all("abandoned" in line for _, _, lines in several for line in lines)
    for sink, _, _ in several:
        sink.released.set()


class Failing(Sink):
    """Raises at the events of one action, and at `close` if asked to."""

    def __init__(self, error: Exception, *, one_each: bool = False, at_close: bool = False) -> None:
        self.one_each = one_each
        self.got: list[tuple[str, int]] = []
        self.closed = 0
        self._error = error
        self._at_close = at_close

    def event(self, source: str, event: StreamEvent) -> None:
        assert isinstance(event, Event)
        if event.action == 13:
            raise self._error
        self.got.append((source, event.action))

    def close(self) -> None:
        self.closed += 1
        if self._at_close:
            raise self._error


@pytest.mark.parametrize("error", [OutputError("disk full"), OSError(5, "I/O error"), BrokenPipeError()])
def test_an_error_is_raised_by_the_next_hook_and_the_sink_is_closed(error: Exception) -> None:
    sink = Failing(error)
    threaded = ThreadedSink(sink)
    threaded.event("a", event(13))
    threaded.event("a", event(1))
    wait_for(lambda: sink.closed == 1)
    with pytest.raises(type(error)) as caught:
        threaded.advance("a", Fraction(1))
    assert caught.value is error
    threaded.close()
    assert not sink.got and sink.closed == 1


def test_an_error_that_no_hook_has_raised_is_raised_at_the_end() -> None:
    for sink in (Failing(OutputError("disk full")), Failing(OutputError("disk full"), at_close=True)):
        threaded = ThreadedSink(sink)
        threaded.event("a", event(13 if not sink._at_close else 1))
        with pytest.raises(OutputError, match="disk full"):
            threaded.close()
        threaded.close()


def test_outlets_close_and_report_it_and_the_others_go_on() -> None:
    failing, sound = ThreadedSink(Failing(OutputError("disk full"))), Failing(ValueError())
    outlets = Outlets([failing, sound])
    outlets.begin("a", None)
    outlets.events("a", [event(1)])
    failing.event("a", event(13))

    def reported() -> bool:
        outlets.advance("a", Fraction(1))
        return bool(outlets.failures)

    wait_for(reported)
    assert [str(error) for error in outlets.failures] == ["disk full"]
    outlets.events("a", [event(2)])
    outlets.close()
    assert sound.got == [("a", 1), ("a", 2)]


def test_where_each_source_has_an_output_only_that_of_the_failed_one_ends() -> None:
    sink = Failing(OutputError("disk full"), one_each=True)
    outlets = Outlets([ThreadedSink(sink)])
    for source in ("a", "b"):
        outlets.begin(source, None)
    outlets.events("a", [event(13), event(1)])

    def reported() -> bool:
        outlets.advance("a", Fraction(1))
        return bool(outlets.failures)

    wait_for(reported)
    outlets.events("a", [event(2)])
    outlets.events("b", [event(3)])
    outlets.begin("a", None)
    outlets.events("a", [event(4)])
    outlets.close()
    assert sink.got == [("b", 3), ("a", 4)] and len(outlets.failures) == 1


def test_a_hung_pipe_blocks_no_hook() -> None:
    class Pipe(Sink):
        def event(self, source: str, event: StreamEvent) -> None:
            os.write(end, b"x" * 65536)

    reader, end = os.pipe()
    threaded = ThreadedSink(Pipe(), ThreadLimits(drain_seconds=0.1), on_report=lambda line: None)
    begun = time.monotonic()
    for number in range(100):
        threaded.event("a", event(number))
    threaded.close()
    assert time.monotonic() - begun < 5
    os.close(reader)  # the thread that hangs in `write` gets a broken pipe, and ends
    threaded._thread.join(10)
    os.close(end)
