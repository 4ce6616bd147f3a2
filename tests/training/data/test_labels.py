"""Stage labels from segments, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cmsn_runtime.stages import Stage
from cmsn_training.data.labels import stage_labels


def labels(segments: list[tuple[float, float]], times: list[float]) -> list[int]:
    found: list[int] = stage_labels(np.array(segments).reshape(-1, 2), np.array(times)).tolist()
    return found


def test_one_action_has_its_six_stages() -> None:
    """[6, 12): d = 6, so Ready from 3, thirds at 8 and 10, Follow until 15; every part holds its own begin."""
    times = [2.9, 3.0, 5.9, 6.0, 7.9, 8.0, 9.9, 10.0, 11.9, 12.0, 14.9, 15.0]
    assert labels([(6, 12)], times) == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 0]


def test_stages_inside_an_action_override_context() -> None:
    """The second action's Ready [8, 10) reaches into the first one's End; the first one's Follow into its Start."""
    assert labels([(0, 9), (10, 14)], [8.5, 10.5]) == [Stage.END, Stage.START]


def test_between_two_contexts_the_nearer_boundary_wins() -> None:
    """Gap [4, 6) between two actions of 4 s: both contexts cover it."""
    assert labels([(0, 4), (6, 10)], [4.5, 5.5]) == [Stage.FOLLOW, Stage.READY]


def test_of_two_boundaries_as_near_the_earlier_and_then_the_shorter_action_wins() -> None:
    """At 5 the one action is a step over, the other begins in a step; at 1 both began a step ago."""
    assert labels([(6, 12), (0, 4)], [5.0]) == [Stage.FOLLOW]
    assert labels([(0, 4), (0, 2)], [1.0]) == [Stage.CONFIRM]


def test_no_action_is_background() -> None:
    assert labels([], [0.0, 1.0]) == [0, 0]


@example([(0.0, 2.0), (0.0, 4.0)], [1.0])
@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 20)), min_size=1, max_size=4),
    st.lists(st.floats(0, 80), min_size=1, max_size=50),
)
def test_the_order_of_annotations_does_not_matter(spans: list[tuple[float, float]], times: list[float]) -> None:
    segments = [(start, start + length) for start, length in spans]
    assert labels(segments, times) == labels(segments[::-1], times)


@pytest.mark.parametrize("moment", np.linspace(6.0, 11.99, 13).tolist())
def test_steps_inside_an_action_are_never_context(moment: float) -> None:
    assert labels([(6, 12), (13, 20)], [moment])[0] in (Stage.START, Stage.CONFIRM, Stage.END)
