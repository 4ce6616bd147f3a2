"""One camera of a fleet, by a clock that a test sets."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from command_line import ACTION, FPS
from running_fleet import Notes

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.capture.items import CapturedFrame
from cmsn_runtime.events import WallClock
from cmsn_runtime.identity import Numbering
from cmsn_runtime.live.camera import LiveCamera
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sinks.outlets import Outlets


class Played:
    """A camera, what it reports, and a clock."""

    def __init__(self, bundle: Bundle, *, stall_seconds: float | None) -> None:
        self.now = 1000.0
        self.notes = Notes()
        self.bundle = bundle
        outlets = Outlets([self.notes])
        outlets.begin("door", None)
        numbering = Numbering(camera="door", run="R")
        self.camera = LiveCamera(
            "door", bundle.stream(), numbering, outlets, stall_seconds=stall_seconds, now=lambda: self.now
        )

    def frames(self, begin: int, end: int) -> None:
        """Frames of ACTION arrive now, all at once, and are processed."""
        for number in range(begin, end):
            frame = Frame(np.full((18, 24, 3), ACTION[number], np.uint8), number / FPS)
            self.camera.take(CapturedFrame(frame, self.now, WallClock(Fraction(0), "arrival")))
            self.camera.finish(answer_alone(self.camera.next_work(), self.bundle.backend))

    def pass_time(self, seconds: float) -> bool:
        """Time goes by -> whether this has ended the segment."""
        self.now += seconds
        work = self.camera.silence_work()
        if work is not None:
            self.camera.finish(answer_alone(work, self.bundle.backend))
        return work is not None


@pytest.fixture
def played(tiny: Bundle) -> Iterator[Played]:
    yield Played(tiny, stall_seconds=30.0)


def test_a_silence_longer_than_the_model_can_bridge_ends_the_segment_once(played: Played) -> None:
    played.frames(0, 120)
    assert not played.pass_time(0.5)
    assert played.pass_time(1.5)
    assert played.notes.kinds("door")[-1] == "final"
    assert not played.pass_time(1.5)


def test_a_file_that_is_played_is_never_silent_however_late_the_machine_is(tiny: Bundle) -> None:
    played = Played(tiny, stall_seconds=None)
    played.frames(0, 120)
    assert not played.pass_time(100.0)


def test_a_stream_of_bursts_is_not_taken_for_silent(played: Played) -> None:
    played.frames(0, 60)
    played.now += 6.0  # as HLS does it: a segment at a time
    played.frames(60, 120)
    assert not played.pass_time(6.0)
    assert not played.pass_time(5.0)
    assert played.notes.kinds("door") == ["provisional"]
    assert played.pass_time(2.0)


def test_a_stall_ends_the_segment_whatever_the_pauses_were(tiny: Bundle) -> None:
    played = Played(tiny, stall_seconds=5.0)
    played.frames(0, 60)
    played.now += 4.0
    played.frames(60, 120)
    assert not played.pass_time(4.9)
    assert played.pass_time(0.2)


def test_nothing_is_settled_before_the_first_frame(played: Played) -> None:
    assert not played.pass_time(1000.0)
    assert played.notes.kinds("door") == []
