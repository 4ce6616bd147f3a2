"""Soft-NMS against hand-worked lists, its definition in plain Python and three public implementations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.proposing.settings import NmsKind, ProposalSettings
from cmsn_runtime.proposing.suppress import suppress

# The first and second overlap by a half, the third by a quarter with the first; the fourth stands alone.
STARTS, ENDS, SCORES = [0.0, 0.0, 0.0, 9.0], [4.0, 2.0, 1.0, 10.0], [0.8, 0.6, 0.5, 0.1]


@pytest.mark.parametrize(
    ("nms", "order", "scores"),
    [
        ("none", [0, 1, 2, 3], [0.8, 0.6, 0.5, 0.1]),
        ("greedy", [0, 2, 3], [0.8, 0.5, 0.1]),
        ("linear", [0, 2, 1, 3], [0.8, 0.5, 0.6 * 0.5 * 0.5, 0.1]),
        (
            "gaussian",
            [0, 2, 1, 3],
            [0.8, 0.5 * math.exp(-0.125), 0.6 * math.exp(-0.5) * math.exp(-0.5), 0.1],
        ),
    ],
)
def test_every_kind_of_suppression_by_hand(nms: NmsKind, order: list[int], scores: list[float]) -> None:
    settings = ProposalSettings(nms=nms, iou_threshold=0.4)
    found_order, found_scores = suppress(STARTS, ENDS, SCORES, settings)
    assert found_order.tolist() == order
    assert found_scores == pytest.approx(scores, rel=1e-12)


def test_a_score_that_nothing_lowered_is_returned_as_it_came() -> None:
    _, scores = suppress(STARTS, ENDS, SCORES, ProposalSettings())
    assert scores[0] == 0.8
    assert scores[-1] == 0.1


def test_equal_scores_keep_their_order() -> None:
    order, _ = suppress(np.arange(50), np.arange(50) + 1, np.full(50, 0.5), ProposalSettings())
    assert order.tolist() == list(range(50))


def test_suppression_stops_at_the_limit_and_at_the_least_score() -> None:
    assert suppress(STARTS, ENDS, SCORES, ProposalSettings(nms="none", max_proposals=2))[0].tolist() == [0, 1]
    assert suppress(STARTS, ENDS, SCORES, ProposalSettings(nms="none", min_score=0.5))[0].tolist() == [
        0,
        1,
        2,
    ]


def test_proposals_of_score_zero_are_dropped() -> None:
    settings = ProposalSettings(min_score=0.0)
    order, _ = suppress([0, 1, 2, 3], [1, 2, 3, 4], [0.0, -1.0, math.nan, 0.2], settings)
    assert order.tolist() == [3]


@pytest.mark.parametrize("nms", ["linear", "greedy"])
def test_the_second_of_two_equal_spans_is_dropped(nms: NmsKind) -> None:
    settings = ProposalSettings(nms=nms, min_score=0.0)
    assert suppress([0, 0], [5, 5], [0.5, 0.9], settings)[0].tolist() == [1]


def test_no_proposals_give_no_proposals() -> None:
    order, scores = suppress([], [], [], ProposalSettings())
    assert len(order) == len(scores) == 0


@pytest.mark.parametrize("scores", [[0.5], [[0.5, 0.5]]])
def test_spans_and_scores_of_different_lengths_are_refused(scores: list[Any]) -> None:
    with pytest.raises(SettingsError, match="must be \\[K\\]"):
        suppress([0, 1], [1, 2], scores, ProposalSettings())


def test_every_kind_of_array_is_taken() -> None:
    expected = suppress(STARTS, ENDS, SCORES, ProposalSettings())
    starts, ends, scores = (np.repeat(np.array(values, np.float64), 2)[::2] for values in (STARTS, ENDS, SCORES))
    scores.flags.writeable = False
    found = suppress(starts, ends, scores, ProposalSettings())
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
