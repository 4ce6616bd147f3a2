"""One stream: what it takes, what it reports and when, how it ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cmsn_runtime.backends.asks import Extract, Floats, Stages, StepFeatures
from cmsn_runtime.backends.base import own
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.errors import BackendError, SettingsError
from cmsn_runtime.events import Event, Notice, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.streams.stream import Stream

RED, GREEN, BLUE = (250, 0, 0), (0, 250, 0), (0, 0, 250)  # the tiny bundle's Background, Start and End


@pytest.fixture
def bundle(tiny_bundle: Path) -> Iterator[Bundle]:
    with open_bundle(tiny_bundle, backend="onnxruntime") as opened:
        yield opened


def shown(*parts: tuple[tuple[int, int, int], int], fps: int = 25, start: Fraction = Fraction(0)) -> list[Frame]:
    """Frames of single colours, each for so many frames."""
    colours = itertools.chain.from_iterable([colour] * count for colour, count in parts)
    return [
        Frame(np.full((16, 16, 3), colour, np.uint8), start + Fraction(index, fps))
        for index, colour in enumerate(colours)
    ]


ACTION = ((RED, 40), (GREEN, 40), (BLUE, 40), (RED, 120))


def run(stream: Stream, frames: Sequence[Frame]) -> list[StreamEvent]:
    return [event for frame in frames for event in stream.push(frame)] + stream.flush()


def spans(events: Sequence[StreamEvent]) -> list[tuple[Fraction, Fraction]]:
    """Of the best final proposals."""
    return [
        (event.proposal.start, event.proposal.end)
        for event in events
        if isinstance(event, Event) and event.kind == "final" and event.rank == 1
    ]


class TestTimes:
    @pytest.mark.parametrize("fps", [1, 5, 25])
    def test_an_event_carries_the_time_of_the_frame_that_it_was_reported_on(self, bundle: Bundle, fps: int) -> None:
        counts = tuple((colour, count * fps // 25) for colour, count in ACTION)
        stream = bundle.stream(min_score=0)
        for frame in shown(*counts, fps=fps):
            for event in stream.push(frame):
                assert event.seconds == frame.seconds

    def test_events_of_a_silence_carry_the_time_at_which_it_was_found(self, bundle: Bundle) -> None:
        stream = bundle.stream(min_score=0)
        for frame in shown((RED, 40), (GREEN, 40), (BLUE, 40)):
            stream.push(frame)
        events = stream.push(Frame(np.zeros((16, 16, 3), np.uint8), Fraction(3600)))
        assert spans(events)
        assert {event.seconds for event in events} == {3600}

    def test_a_clock_that_was_set_back_leaves_the_reports_of_the_time_before_alone(self, bundle: Bundle) -> None:
        stream = bundle.stream(min_score=0)
        frames = shown((RED, 40), (GREEN, 40), (BLUE, 40), start=Fraction(1000))
        for frame in frames:
            stream.push(frame)
        events = stream.push(Frame(np.zeros((16, 16, 3), np.uint8), Fraction(0)))
        assert [event.seconds for event in events if isinstance(event, Event)] != []
        assert {event.seconds for event in events if isinstance(event, Event)} == {frames[-1].seconds}
        assert [event.seconds for event in events if isinstance(event, Notice)] == [0]

    def test_events_carry_the_wall_clock_and_are_equal_without_it(self, bundle: Bundle) -> None:
        first, second = (run(bundle.stream(min_score=0), shown(*ACTION)) for _ in range(2))
        assert first == second
        assert first[0].wall < second[0].wall


class TestIdle:
    def test_actions_are_settled_while_nothing_comes(self, bundle: Bundle) -> None:
        """What is found, and the reset, are those of the next frame; only they come before it."""
        frames, later = shown((RED, 40), (GREEN, 40), (BLUE, 40)), shown((RED, 40), start=Fraction(100))
        expected = run(bundle.stream(min_score=0), frames + later)
        stream = bundle.stream(min_score=0)
        events = [event for frame in frames for event in stream.push(frame)]
        assert stream.idle(frames[-1].seconds + stream.settings.max_gap) == []
        settled = stream.idle(Fraction(20))
        assert spans(settled) == spans(expected)
        assert {event.seconds for event in settled} == {20}
        assert stream.idle(Fraction(30)) == []
        rest = [event for frame in later for event in stream.push(frame)] + stream.flush()
        assert [event for event in events + settled + rest if isinstance(event, Notice)] == [
            event for event in expected if isinstance(event, Notice)
        ]

    @pytest.mark.parametrize("fps", [12, 25, 30, 60, 100, 1000])
    def test_a_silence_settles_actions_at_every_rate_and_frame(self, bundle: Bundle, fps: int) -> None:
        """Frames of a fast source often stand for less than the model's next frame: their silence gives no more."""
        frames = shown(*((colour, count * fps // 25) for colour, count in ACTION[:3]), fps=fps)
        for missing in range(4):
            stream = bundle.stream(min_score=0)
            for frame in frames[: len(frames) - missing]:
                stream.push(frame)
            assert spans(stream.idle(Fraction(100)))
            assert stream.flush() == []

    def test_a_frame_that_comes_again_after_a_silence_is_dropped(self, bundle: Bundle) -> None:
        stream, frames = bundle.stream(), shown((RED, 40))
        for frame in frames:
            stream.push(frame)
        stream.idle(Fraction(100))
        assert stream.push(frames[-1]) == stream.push(frames[-2]) == []
        assert (stream.health.dropped, stream.health.resets) == (2, 0)

    def test_before_the_first_frame_nothing_happens(self, bundle: Bundle) -> None:
        assert bundle.stream().idle(Fraction(10)) == []

    def test_a_time_that_is_no_fraction_is_refused(self, bundle: Bundle) -> None:
        with pytest.raises(SettingsError, match="must be a Fraction"):
            bundle.stream().idle(3.5)  # type: ignore[arg-type]


class TestWhatIsTaken:
    @pytest.mark.parametrize("size", [(16, 16), (48, 64)])
    def test_a_picture_may_be_changed_once_push_has_returned(self, bundle: Bundle, size: tuple[int, int]) -> None:
        expected = run(bundle.stream(min_score=0), shown(*ACTION))
        stream, buffer, events = bundle.stream(min_score=0), np.empty((*size, 3), np.uint8), []
        for frame in shown(*ACTION):
            buffer[:] = frame.pixels[0, 0]
            events += stream.push(Frame(buffer, frame.seconds))
            buffer[:] = 77
        assert spans(events + stream.flush()) == spans(expected) != []

    @pytest.mark.parametrize(
        "bad",
        [
            Frame(None, Fraction(1)),  # type: ignore[arg-type]
            Frame(np.zeros((4, 4), np.uint8), Fraction(1)),
            Frame(np.zeros((4, 4, 3), np.float32), Fraction(1)),
            Frame(np.zeros((4, 4, 3), np.uint8), 1.0),  # type: ignore[arg-type]
            Frame(np.zeros((4, 4, 3), np.uint8), Fraction(np.int64(1_800_000_000_000_000_001), 10**9)),  # type: ignore[call-overload]
            Frame(np.zeros((4, 4, 3), np.uint8), Fraction(1), duration=0.04),  # type: ignore[arg-type]
            Frame(np.zeros((4, 4, 3), np.uint8), Fraction(1), duration=Fraction(-1)),
            "a picture",
        ],
        ids=[
            "no pixels",
            "grey",
            "float",
            "float time",
            "time that overflows",
            "float duration",
            "negative duration",
            "no frame",
        ],
    )
    def test_a_frame_that_cannot_be_used_is_refused_by_its_own_push_and_changes_nothing(
        self, bundle: Bundle, bad: Frame
    ) -> None:
        frames = shown(*ACTION, fps=5)
        expected = run(bundle.stream(min_score=0), frames)
        stream, events = bundle.stream(min_score=0), []
        for number, frame in enumerate(frames):
            if number % 7 == 3:
                with pytest.raises(SettingsError):
                    stream.push(bad)
            events += stream.push(frame)
        assert events + stream.flush() == expected

    def test_frames_that_are_too_far_apart_are_reported(self, bundle: Bundle) -> None:
        longest = bundle.manifest.network.receptive_field_frames / bundle.grid.fps
        stream = bundle.stream()
        for index in range(6):
            stream.push(Frame(np.zeros((16, 16, 3), np.uint8), index * (longest + 1)))
        complaint = stream.health.complaint
        assert complaint is not None
        assert f"{float(longest + 1):.3g} s apart" in complaint

    def test_a_steady_source_gives_no_complaint(self, bundle: Bundle) -> None:
        stream = bundle.stream()
        run(stream, shown(*ACTION))
        assert stream.health.complaint is None
        assert stream.health.resets == 0

    def test_dropped_frames_are_counted(self, bundle: Bundle) -> None:
        stream, frames = bundle.stream(), shown((RED, 3))
        for frame in (*frames, frames[1]):
            stream.push(frame)
        assert stream.health.dropped == 1

    def test_the_last_frame_stands_as_long_as_it_says(self, bundle: Bundle) -> None:
        frames = shown((RED, 40), (GREEN, 40), (BLUE, 1))
        last = Frame(frames[-1].pixels, frames[-1].seconds, duration=Fraction(1, 2))
        usual = run(bundle.stream(min_score=0), frames)
        events = run(bundle.stream(min_score=0), [*frames[:-1], last])
        longer = max(end for _, end in spans(events)) - max(end for _, end in spans(usual))
        assert abs(longer - (Fraction(1, 2) - Fraction(1, 25))) <= 1 / bundle.grid.fps

    @pytest.mark.parametrize("frames", [0, -8, 12])
    def test_a_chunk_that_is_no_whole_number_of_steps_is_refused(self, bundle: Bundle, frames: int) -> None:
        with pytest.raises(SettingsError, match=f"a chunk has {frames} frames"):
            bundle.stream(chunk_frames=frames)


class TestEnds:
    def test_a_closed_stream_refuses_everything(self, bundle: Bundle) -> None:
        with bundle.stream() as stream:
            stream.push(shown((RED, 1))[0])
        for work in (stream.flush, lambda: stream.idle(Fraction(1)), lambda: stream.push(shown((RED, 1))[0])):
            with pytest.raises(SettingsError, match="the stream is closed"):
                work()

    def test_leaving_asks_for_no_new_state(self, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
        with bundle.stream() as stream:
            for frame in shown((RED, 30)):
                stream.push(frame)
            monkeypatch.setattr(bundle.backend, "new_state", lambda: pytest.fail("a state was asked for"))

    def test_no_two_states_are_held_over_resets(self, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
        held: list[int] = []
        new_state = bundle.backend.new_state

        class Watched:
            """A state that counts how many are held."""

            def __init__(self) -> None:
                self.inner = new_state()
                held.append(held[-1] + 1 if held else 1)

            def close(self) -> None:
                self.inner.close()
                held.append(held[-1] - 1)

        def extract(asks: Sequence[Extract]) -> list[StepFeatures]:
            return original([replace(ask, state=own(ask.state, Watched).inner) for ask in asks])

        original = bundle.backend.extract
        monkeypatch.setattr(bundle.backend, "new_state", Watched)
        monkeypatch.setattr(bundle.backend, "extract", extract)
        stream = bundle.stream()
        for turn in range(3):
            for frame in shown((RED, 60), start=Fraction(100 * turn)):
                stream.push(frame)
        stream.close()
        assert max(held) == 1
        assert held[-1] == 0
        assert held.count(1) >= 3

    def test_a_backend_that_fails_leaves_what_was_under_way_to_flush(
        self, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = bundle.stream(min_score=0)
        frames = shown((RED, 40), (GREEN, 40), (BLUE, 80))
        events = [event for frame in frames[:120] for event in stream.push(frame)]
        provisional = [event for event in events if event.kind in ("provisional", "revised")]
        assert provisional

        def fail(asks: Sequence[Extract]) -> list[StepFeatures]:
            raise BackendError("the device is gone")

        with monkeypatch.context() as patched:
            patched.setattr(bundle.backend, "extract", fail)
            with pytest.raises(BackendError, match="the device is gone"):
                for frame in frames[120:]:
                    stream.push(frame)
            with pytest.raises(BackendError, match="interrupted within a step"):
                stream.push(frames[-1])
            finals = stream.flush()
        assert spans(finals) == [(provisional[-1].proposal.start, provisional[-1].proposal.end)]
        assert spans(run(stream, shown(*ACTION))) == spans(run(bundle.stream(min_score=0), shown(*ACTION)))

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_network_that_overflows_is_an_error_and_not_background(
        self, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, value: float
    ) -> None:
        def overflown(asks: Sequence[Stages]) -> list[Floats]:
            return [np.full((len(ask.window), 6), value, np.float32) for ask in asks]

        monkeypatch.setattr(bundle.backend, "stages", overflown)
        stream = bundle.stream()
        with pytest.raises(BackendError, match="stage probabilities that are not finite"):
            run(stream, shown((RED, 60)))


def test_code_of_the_first_hop_is_compiled_when_the_stream_is_opened(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    warmed: list[str] = []
    monkeypatch.setattr("cmsn_runtime.streams.warming.warm_up_kernels", lambda: warmed.append("kernels"))
    extract = bundle.backend.extract

    def counted(asks: Sequence[Extract]) -> list[StepFeatures]:
        warmed.append("extract")
        return extract(asks)

    monkeypatch.setattr(bundle.backend, "extract", counted)
    bundle.stream()
    assert warmed == ["kernels", "extract"]
    bundle.stream()
    assert warmed == ["kernels", "extract"]
