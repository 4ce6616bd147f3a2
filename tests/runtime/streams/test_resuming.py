"""A stream that continues the segment of another one reports what that one reported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from clips import read

from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.clips.planning import Plan, plan_from, plan_replay
from cmsn_runtime.events import Event, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.streams.stream import Stream


@pytest.fixture
def bundle(tiny_bundle: Path) -> Iterator[Bundle]:
    with open_bundle(tiny_bundle, threads=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def frames(clips: Path) -> list[Frame]:
    """Of nine actions, 15 s each; a window of the tiny bundle holds one and a half of them."""
    return read(clips / "long.mp4")[: 9 * 224 - 100]


def finals(events: Sequence[StreamEvent]) -> list[Event]:
    return [event for event in events if isinstance(event, Event) and event.kind == "final" and event.rank == 1]


def pushed(stream: Stream, frames: Sequence[Frame]) -> list[StreamEvent]:
    return [event for frame in frames for event in stream.push(frame)]


def replayed(bundle: Bundle, frames: Sequence[Frame], event: Event, plan: Plan, **options: Any) -> list[Event]:
    """The finals of a stream that gets only what the plan asks for."""
    assert event.provenance is not None
    with bundle.stream(**options) as stream:
        if plan.resume is not None:
            stream.resume(plan.resume)
        first = max(index for index, frame in enumerate(frames) if frame.seconds <= plan.begin)
        events = pushed(stream, [frame for frame in frames[first:] if frame.seconds <= event.provenance.newest])
        return finals([*events, *stream.flush()])


@pytest.mark.parametrize("options", [{}, {"chunk_frames": 24}, {"hop_steps": 5}, {"chunk_frames": 16, "hop_steps": 3}])
def test_each_final_is_computed_again_from_the_frames_of_its_plan(
    bundle: Bundle, frames: list[Frame], options: dict[str, Any]
) -> None:
    with bundle.stream(**options) as stream:
        found = finals([*pushed(stream, frames), *stream.flush()])
    plans = [plan_replay(event.provenance) for event in found if event.provenance]
    assert len(plans) == 9 and sum(plan.resume is not None for plan in plans) >= 7
    for event, plan in zip(found, plans, strict=True):
        assert event in replayed(bundle, frames, event, plan, **options)


def test_a_final_of_the_segment_end_is_computed_again(bundle: Bundle, frames: list[Frame]) -> None:
    cut = frames[: 8 * 224 + 120]  # within the ninth action
    with bundle.stream() as stream:
        event = finals([*pushed(stream, cut), *stream.flush()])[-1]
    assert event.provenance is not None and event.provenance.how == "ending"
    plan = plan_replay(event.provenance)
    assert plan.resume is not None and event in replayed(bundle, cut, event, plan)


def test_a_phase_that_is_off_by_a_frame_is_not_the_same(bundle: Bundle, frames: list[Frame]) -> None:
    """What the phase is kept for: the same frames, in other steps of eight."""
    with bundle.stream() as stream:
        event = finals([*pushed(stream, frames), *stream.flush()])[-2]
    assert event.provenance is not None
    whole = plan_replay(event.provenance)
    shifted = Plan(whole.begin + Fraction(3, 30), None)
    assert event in replayed(bundle, frames, event, whole)
    assert event not in replayed(bundle, frames, event, shifted)


def test_what_was_remembered_of_an_action_longer_than_the_window_is_kept(bundle: Bundle, frames: list[Frame]) -> None:
    """Its start has left the window: it is that of an earlier hop, which the memory holds."""
    action = frames[64:96]
    stretched = [*frames[:64], *(action * 20)[: 60 * 8], *frames[96:224]]
    long = [Frame(frame.pixels, Fraction(index * 1001, 30000)) for index, frame in enumerate(stretched)]
    with bundle.stream() as stream:
        (event,) = finals([*pushed(stream, long), *stream.flush()])
    assert event.provenance is not None and event.proposal.start < event.seconds - bundle.grid.window * Fraction(8, 30)
    plan = plan_from(event.provenance, step=event.provenance.step - bundle.grid.window - 2)
    assert plan.resume is not None and replayed(bundle, long, event, plan) == [event]
