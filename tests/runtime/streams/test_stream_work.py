"""Work of streams that is broken off, abandoned or mixed up: nothing that was found is lost, and no time either."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cmsn_runtime.backends.answering import answer, answer_alone, answer_together
from cmsn_runtime.backends.asks import Floats, Stages, Work
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.errors import BackendError, SettingsError
from cmsn_runtime.events import Event, StageStep, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.streams.stream import Stream
from cmsn_runtime.streams.together import push_together

RED, GREEN, BLUE = (250, 0, 0), (0, 250, 0), (0, 0, 250)  # the tiny bundle's Background, Start and End
TWO_ACTIONS = [RED] * 40 + ([GREEN] * 40 + [BLUE] * 40 + [RED] * 120) * 2


@pytest.fixture
def bundle(tiny_bundle: Path) -> Iterator[Bundle]:
    with open_bundle(tiny_bundle, backend="onnxruntime", largest_batch=8) as opened:
        yield opened


def shown(colours: Sequence[tuple[int, int, int]], *, fps: int = 25) -> list[Frame]:
    return [Frame(np.full((16, 16, 3), colour, np.uint8), Fraction(index, fps)) for index, colour in enumerate(colours)]


def run(stream: Stream, frames: Sequence[Frame]) -> list[StreamEvent]:
    return [event for frame in frames for event in stream.push(frame)] + stream.flush()


def finals(events: Sequence[StreamEvent]) -> list[tuple[int, int, Fraction, Fraction]]:
    return [
        (event.action, event.rank, event.proposal.start, event.proposal.end)
        for event in events
        if isinstance(event, Event) and event.kind == "final"
    ]


def failing_on(call: int, backend: object, error: BaseException) -> Callable[[Sequence[Stages]], list[Floats]]:
    """`stages` of a backend, which raises once, on that call."""
    stages: Callable[[Sequence[Stages]], list[Floats]] = backend.stages  # type: ignore[attr-defined]
    calls = iter(range(1, 10**6))

    def failing(asks: Sequence[Stages]) -> list[Floats]:
        if next(calls) == call:
            raise error
        return stages(asks)

    return failing


def begun(stream: Stream) -> Work[list[StreamEvent]]:
    """Work that has asked for something, and goes on from there."""
    for frame in shown([RED] * 20):
        work = stream.steps(frame)
        try:
            ask = next(work)
        except StopIteration:
            continue
        break

    def rest() -> Work[list[StreamEvent]]:
        answered = yield ask
        while True:
            try:
                answered = yield work.send(answered)
            except StopIteration as ended:
                events: list[StreamEvent] = ended.value
                return events

    return rest()


class TestBrokenOff:
    @pytest.mark.parametrize(
        "error", [BackendError("gone"), RuntimeError("a bug"), KeyboardInterrupt()], ids=["backend", "bug", "Ctrl-C"]
    )
    def test_events_before_a_fault_in_the_same_push_are_given_out_by_flush(
        self, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, error: BaseException
    ) -> None:
        """One push computes 40 steps; the first action is final on about the 20th, the fault comes later."""
        frames = shown(TWO_ACTIONS)
        expected = finals(run(bundle.stream(min_score=0), frames))
        first_action = [final for final in expected if final[0] == 1]
        stream, events = bundle.stream(min_score=0, chunk_frames=320), []
        monkeypatch.setattr(bundle.backend, "stages", failing_on(32, bundle.backend, error))
        with pytest.raises(type(error)):
            for frame in frames:
                events += stream.push(frame)
        events += stream.flush()
        assert first_action == [final for final in finals(events) if final[0] == 1] != []

    def test_an_on_step_that_raises_costs_its_own_stream_one_step_and_no_other_camera_anything(
        self, bundle: Bundle
    ) -> None:
        frames = shown(TWO_ACTIONS)
        expected = run(bundle.stream(min_score=0), frames)

        def on_step(step: StageStep) -> None:
            if step.seconds > 8:
                raise ZeroDivisionError("of its user")

        bad, good, events = bundle.stream(min_score=0, on_step=on_step), bundle.stream(min_score=0), []
        outcomes = []
        for frame in frames:
            outcome, found = push_together([(bad, frame), (good, frame)], bundle.backend)
            assert not isinstance(found, Exception)
            events += found
            outcomes.append(outcome)
        assert events + good.flush() == expected
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert [type(error) for error in errors[:2]] == [ZeroDivisionError, BackendError]
        reported = [event for outcome in outcomes if not isinstance(outcome, Exception) for event in outcome]
        assert {final[0] for final in finals(reported + bad.flush())} == {1, 2}
        assert run(bundle.stream(min_score=0), frames) == expected

    def test_a_backend_that_fails_in_an_unknown_way_is_not_asked_again(
        self, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = []

        def broken(asks: Sequence[Stages]) -> list[Floats]:
            calls.append(len(asks))
            raise RuntimeError("no idea")

        monkeypatch.setattr(bundle.backend, "stages", broken)
        window = bundle.backend.new_window(4)
        window.push(np.zeros((2, 3), np.float32))
        answers = answer([Stages(window), Stages(window)], bundle.backend)
        assert [str(answered) for answered in answers] == ["no idea", "no idea"]
        assert calls == [2]

    def test_a_backend_that_gives_too_few_answers_is_an_error_of_its_own(
        self, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stages = bundle.backend.stages
        monkeypatch.setattr(bundle.backend, "stages", lambda asks: stages(asks)[1:])
        with pytest.raises(BackendError, match="gave 0 answers to 1 asks"):
            run(bundle.stream(), shown([RED] * 40))

    def test_flush_needs_no_backend_once_work_was_broken_off(
        self, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = bundle.stream(min_score=0)
        frames = shown(TWO_ACTIONS)
        for frame in frames[:120]:
            stream.push(frame)
        bundle.close()
        monkeypatch.setattr(bundle.backend, "new_window", lambda steps: pytest.fail("a window was asked for"))
        with pytest.raises(BackendError, match="the backend is closed"):
            for frame in frames[120:]:
                stream.push(frame)
        assert finals(stream.flush())
        assert stream.flush() == []


class TestAbandoned:
    def test_work_that_is_never_begun_changes_nothing(self, bundle: Bundle) -> None:
        frames = shown(TWO_ACTIONS)
        expected = run(bundle.stream(min_score=0), frames)
        stream, events = bundle.stream(min_score=0), []
        for frame in frames:
            stream.steps(replace(frame, seconds=frame.seconds + 50))
            stream.idling(Fraction(1000))
            stream.ending()
            events += stream.push(frame)
        assert events + stream.flush() == expected

    def test_work_is_not_begun_while_other_work_of_the_stream_is_under_way(self, bundle: Bundle) -> None:
        stream = bundle.stream()
        another = stream.steps(Frame(np.zeros((16, 16, 3), np.uint8), Fraction(2)))
        begun(stream)
        with pytest.raises(BackendError, match="not completed"):
            next(another)
        with pytest.raises(BackendError, match="not completed"):
            stream.push(shown([RED])[0])

    @pytest.mark.parametrize("end", [Stream.flush, Stream.close], ids=["flush", "close"])
    def test_work_whose_stream_was_ended_in_the_middle_of_it_ends_with_an_error(
        self, bundle: Bundle, end: Callable[[Stream], object]
    ) -> None:
        stream = bundle.stream()
        works = [begun(stream), begun(bundle.stream())]
        end(stream)
        ended, went_on = answer_together(works, bundle.backend)
        assert isinstance(ended, BackendError)
        assert went_on == []

    def test_a_stream_is_not_ended_by_its_own_on_step(self, bundle: Bundle) -> None:
        found: list[type[BaseException]] = []

        def on_step(step: StageStep) -> None:
            for end in (stream.close, stream.flush, lambda: stream.push(frames[0])):
                with pytest.raises((SettingsError, BackendError)) as caught:
                    end()
                found.append(caught.type)

        stream, frames = bundle.stream(on_step=on_step, min_score=0), shown(TWO_ACTIONS)
        assert run(stream, frames) == run(bundle.stream(min_score=0), frames)
        assert found[:3] == [SettingsError, SettingsError, BackendError]

    def test_a_stream_that_nobody_holds_is_gone_without_the_garbage_collector(self, bundle: Bundle) -> None:
        stream = bundle.stream()
        for frame in shown([GREEN] * 60):
            stream.push(frame)
        gone = weakref.ref(stream)
        gc.disable()
        try:
            del stream
            assert gone() is None
        finally:
            gc.enable()


def test_streams_of_another_backend_are_refused_before_anything_changes(bundle: Bundle, tiny_bundle: Path) -> None:
    frames = shown(TWO_ACTIONS)
    expected = run(bundle.stream(min_score=0), frames)
    with open_bundle(tiny_bundle, backend="onnxruntime") as elsewhere:
        ours, theirs, events = bundle.stream(min_score=0), elsewhere.stream(), []
        for frame in frames:
            with pytest.raises(SettingsError, match="another backend"):
                push_together([(ours, frame), (theirs, frame)], bundle.backend)
            (found,) = push_together([(ours, frame)], bundle.backend)
            assert not isinstance(found, Exception)
            events += found
    assert events + ours.flush() == expected


def test_an_interrupt_inside_compiled_code_is_an_interrupt(bundle: Bundle) -> None:
    """Numba reports it as SystemErrors caused by one another, which would be one camera's fault in a batch."""

    def work() -> Work[None]:
        try:
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt as interrupt:
                raise SystemError("returned a result with an exception set") from interrupt
        except SystemError as error:
            raise SystemError("returned a result with an exception set") from error
        yield

    with pytest.raises(KeyboardInterrupt):
        answer_together([work()], bundle.backend)


def test_answering_alone_raises_what_the_work_raises(bundle: Bundle) -> None:
    def work() -> Work[None]:
        raise LookupError("as it is")
        yield

    with pytest.raises(LookupError, match="as it is"):
        answer_alone(work(), bundle.backend)
