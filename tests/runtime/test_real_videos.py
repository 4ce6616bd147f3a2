"""The demo bundle over real surveillance clips and over videos that are broken in every way."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.errors import SourceError
from cmsn_runtime.events import Event, StageStep, StreamEvent
from cmsn_runtime.sources.opening import open_source


@pytest.fixture(scope="module")
def bundle() -> Iterator[Bundle]:
    with open_bundle() as opened:
        yield opened


def run(bundle: Bundle, path: Path) -> tuple[list[StreamEvent], list[StageStep], list[Fraction], SourceError | None]:
    """Events, stage steps, times of the frames, and what went wrong, if anything did."""
    steps: list[StageStep] = []
    times: list[Fraction] = []
    events: list[StreamEvent] = []
    stream = bundle.stream(on_step=steps.append)
    try:
        with open_source(str(path)) as source:
            for frame in source:
                times.append(frame.seconds)
                events += stream.push(frame)
    except SourceError as error:
        return events + stream.flush(), steps, times, error
    return events + stream.flush(), steps, times, None


def check(bundle: Bundle, events: list[StreamEvent], steps: list[StageStep], times: list[Fraction]) -> None:
    """Steps cover the video once and in order; nothing is proposed outside it."""
    tick = 1 / bundle.grid.fps
    # The last frame lasts as long as the one before it did, rounded up to the model's frames.
    end = times[-1] + max(tick, times[-1] - times[-2] if len(times) > 1 else tick) + tick
    assert all(later.seconds > earlier.seconds for earlier, later in pairwise(steps))
    assert steps[0].seconds == times[0]
    assert steps[-1].seconds < end
    for event in events:
        if isinstance(event, Event):
            assert times[0] <= event.proposal.start < event.proposal.end
            assert event.proposal.end <= end


@pytest.mark.parametrize("part", range(7))  # by parts, so that several workers take some each
def test_every_surveillance_clip_runs(bundle: Bundle, shared: Path, part: int) -> None:
    clips = sorted((shared / "data/cctv").rglob("*.mp4"))
    assert len(clips) == 245
    for clip in clips[part::7]:
        events, steps, times, error = run(bundle, clip)
        assert error is None, clip
        check(bundle, events, steps, times)


def test_every_odd_video_ends_in_steps_or_in_one_line(bundle: Bundle, shared: Path) -> None:
    played = refused = 0
    for path in sorted((shared / "data/odd").rglob("*.*")):
        if not path.is_file():
            continue
        events, steps, times, error = run(bundle, path)
        if error is None:
            played += 1
            check(bundle, events, steps, times)
        else:
            refused += 1
            assert path.name in str(error) and "\n" not in str(error)
    assert played > 40 and refused > 15


def test_chunks_give_the_same_final_proposals_on_a_real_video(bundle: Bundle, shared: Path) -> None:
    """Same times to the last digit, scores to 1e-4, on real pixels through the exported graphs."""
    path = shared / "data/odd/Zulko+moviepy/media/big_buck_bunny_0_30.webm"
    results = []
    for chunk in (8, 16, 40, 768):
        stream = bundle.stream(chunk_frames=chunk, min_score=0.0)
        with open_source(str(path)) as source:
            events = [event for frame in source for event in stream.push(frame)] + stream.flush()
        results.append([event.proposal for event in events if event.kind == "final"])
    for other in results[1:]:
        assert [(p.start, p.end) for p in other] == [(p.start, p.end) for p in results[0]]
        assert [p.score for p in other] == pytest.approx([p.score for p in results[0]], abs=1e-4)
