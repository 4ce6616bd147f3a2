"""Streams of feature rows: what a row may be, and times that hold however the sensor keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from cmsn_runtime.backends.asks import Evaluate, Extract, Floats, Stages, StepFeatures
from cmsn_runtime.backends.base import own
from cmsn_runtime.backends.host_window import HostWindow
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.events import Event, Notice
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.stages import STAGE_COUNT, Stage
from cmsn_runtime.streams.feature_stream import FeatureRow, FeatureStream, FeatureStreamSettings
from cmsn_runtime.timegrid import TimeGrid

FPS, STRIDE = Fraction(30), 2


class _NoState:
    def close(self) -> None:
        pass


class ReadingBackend(Closing):
    """The first value of a row is the stage of its moment."""

    name = "reading"
    chunk_frames: int | None = None
    largest_batch = 1

    def new_state(self) -> _NoState:
        return _NoState()

    def new_window(self, steps: int) -> HostWindow:
        return HostWindow(steps)

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        return [ask.frames[STRIDE - 1 :: STRIDE] for ask in asks]

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        windows = (own(ask.window, HostWindow).features for ask in asks)
        return [np.eye(STAGE_COUNT, dtype=np.float32)[rows[:, 0].astype(int)] for rows in windows]

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        return [np.ones(len(ask.left), np.float32) for ask in asks]


def stream_of_rows(width: int = 1) -> FeatureStream:
    return FeatureStream(
        ReadingBackend(), FeatureStreamSettings(grid=TimeGrid(FPS, STRIDE), hop_steps=15, width=width, delay_steps=0)
    )


def stage_at(seconds: Fraction) -> Stage:
    """An action from each whole minute to two seconds after it."""
    within = seconds % 60
    if within < 1:
        return Stage.START
    if within < 2:
        return Stage.END
    return Stage.FOLLOW if within < 4 else Stage.READY if within >= 58 else Stage.BACKGROUND


def jittered(index: int) -> Fraction:
    return index / FPS + Fraction(index * 7919 % 801 - 400, 1000) / FPS


@pytest.mark.parametrize(
    "time_of",
    [
        lambda index: index / FPS,
        lambda index: index * Fraction(101, 100) / FPS,
        lambda index: index * Fraction(99, 100) / FPS,
        lambda index: index / (2 * FPS) - 600,
        lambda index: 3 * index / (2 * FPS) + 60 * 10**12,
        jittered,
    ],
    ids=["exact", "1 % slow", "1 % fast", "twice the rate, below zero", "two thirds of the rate, far on", "jitter"],
)
def test_times_are_those_of_the_rows_for_a_quarter_of_an_hour(time_of) -> None:  # type: ignore[no-untyped-def]
    """However the sensor keeps time, no action is off by more than a step, and none is cut by a reset."""
    stream, events = stream_of_rows(), []
    times = [time_of(index) for index in range(16 * 60 * 30)]
    for seconds in times:
        events += stream.push(FeatureRow(np.array([stage_at(seconds)], np.float32), seconds))
    events += stream.flush()
    best = [event.proposal for event in events if isinstance(event, Event) and (event.kind, event.rank) == ("final", 1)]
    assert len(best) >= (times[-1] - times[0]) // 60
    step, row = STRIDE / FPS, times[1] - times[0]
    for proposal in best[1:-1]:
        assert abs(proposal.start - round(proposal.start / 60) * 60) <= step + row
        assert abs(proposal.end - proposal.start - 2) <= 2 * (step + row)
    assert not any(isinstance(event, Notice) for event in events)
    assert stream.health.dropped == 0


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ("text", "does not consist of numbers"),
        ([1, "a", 2], "does not consist of numbers"),
        ([10**400, 0, 0], "does not consist of numbers"),
        ([[1, 2, 3]], r"the shape \[1, 3\]; this model takes \[3\]"),
        ([1, 2], r"the shape \[2\]"),
        (None, r"the shape \[\]"),
        ([1e300, 0, 0], "1 values of a feature row are not finite"),
        ([np.nan, -np.inf, 0], "2 values of a feature row are not finite"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused(values: object, fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        stream_of_rows(3).push(FeatureRow(values, Fraction(0)))  # type: ignore[arg-type]


@pytest.mark.parametrize("moment", [Frame(np.zeros((4, 4, 3), np.uint8), Fraction(0)), np.zeros(3), None])
def test_anything_but_a_row_is_refused_by_name(moment: FeatureRow) -> None:
    with pytest.raises(SettingsError, match=rf"a {type(moment).__name__} was pushed; .* FeatureRow"):
        stream_of_rows(3).push(moment)


def test_a_row_may_be_changed_once_push_has_returned() -> None:
    values: npt.NDArray[np.float32] = np.zeros(1, np.float32)
    stream, events = stream_of_rows(), []
    for index in range(300):
        values[0] = stage_at(60 + (index / FPS - 3))
        events += stream.push(FeatureRow(values, index / FPS))
        values[0] = Stage.BACKGROUND
    assert [event for event in events if isinstance(event, Event) and event.kind == "final"]
