"""A stream's promises about finals, for any pictures, cut into chunks and hops of any length, broken off anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from promises import require_promises

from cmsn_runtime.backends.asks import Evaluate, Floats
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.errors import BackendError
from cmsn_runtime.events import Event, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.streams.stream import Stream

Scene = list[tuple[tuple[int, int, int], int]]  # colours, and for how many frames each

COLOURS = ((250, 0, 0), (0, 250, 0), (0, 0, 250))  # the tiny bundle's Background, Start and End
CHUNK, HOPS = 8, 24  # frames of a step; largest hop, half the window

scenes = st.lists(st.tuples(st.sampled_from(COLOURS), st.integers(1, 60)), min_size=1, max_size=8)
few = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def bundle(tiny_bundle: Path) -> Iterator[Bundle]:
    """Announces an action only after 12 steps, so that many are over before."""
    with open_bundle(tiny_bundle, backend="onnxruntime", settings={"tracking.provisional_steps": 12}) as opened:
        yield opened


def frames(scene: Scene) -> list[Frame]:
    """Of single colours, each for so many frames, at 25 per second."""
    colours = [colour for colour, count in scene for _ in range(count)]
    return [Frame(np.full((16, 16, 3), colour, np.uint8), Fraction(i, 25)) for i, colour in enumerate(colours)]


def run(stream: Stream, moments: Sequence[Frame]) -> list[StreamEvent]:
    return [event for frame in moments for event in stream.push(frame)] + stream.flush()


def require_kept(events: Sequence[StreamEvent]) -> None:
    actions = (event for event in events if isinstance(event, Event))
    require_promises(((one.segment, one.action), one.kind, one.rank, one.seconds) for one in actions)


@given(scenes, st.integers(1, 6), st.integers(1, HOPS))
@few
def test_every_action_is_announced_then_ended_once(bundle: Bundle, scene: Scene, chunk: int, hop: int) -> None:
    events = run(bundle.stream(min_score=0, chunk_frames=chunk * CHUNK, hop_steps=hop), frames(scene))
    require_kept(events)


@given(scenes, st.integers(2, 6), st.integers(1, HOPS))
@few
def test_what_is_reported_does_not_depend_on_the_chunks(bundle: Bundle, scene: Scene, chunk: int, hop: int) -> None:
    """Only the time of each report does: larger chunks come later."""
    runs = [
        run(bundle.stream(min_score=0, chunk_frames=size * CHUNK, hop_steps=hop), frames(scene)) for size in (1, chunk)
    ]
    one, other = ([replace(event, seconds=Fraction(0)) for event in events] for events in runs)
    assert one == other


@given(scenes, st.integers(1, 40))
@few
def test_a_stream_broken_off_keeps_its_promises(bundle: Bundle, scene: Scene, asks: int) -> None:
    evaluate, left = bundle.backend.evaluate, iter(range(asks))

    def failing(given: Sequence[Evaluate]) -> list[Floats]:
        if next(left, None) is None:
            raise BackendError("the device is gone")
        return evaluate(given)

    stream, events = bundle.stream(min_score=0), []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bundle.backend, "evaluate", failing)
        try:
            for frame in frames(scene):
                events += stream.push(frame)
            events += stream.flush()
        except BackendError:
            events += stream.flush()
    require_kept(events)
