"""Soft-NMS against hand-worked lists, its definition in plain Python and three public implementations."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cmsn_benchmarks.references import plain as reference_plain
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.proposing import suppress as module
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


def test_no_kind_of_array_compiles_the_kernel_again() -> None:
    suppress(STARTS, ENDS, SCORES, ProposalSettings())
    starts, ends, scores = (np.array(values * 2, np.float32)[::2] for values in (STARTS, ENDS, SCORES))
    scores.flags.writeable = False
    suppress(starts, ends, scores, ProposalSettings(sigma=1, min_score=0))
    assert len(module._suppress.signatures) == 1  # type: ignore[attr-defined]


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from(get_args(NmsKind)), st.booleans())
@hypothesis_settings(deadline=None)
def test_suppression_equals_its_plain_definition(seed: int, count: int, nms: NmsKind, cut_short: bool) -> None:
    rng = np.random.default_rng(seed)
    starts = rng.random(count)
    ends, scores = starts + 0.5 * rng.random(count) + 1e-3, rng.random(count)
    limits: dict[str, Any] = {"max_proposals": 7} if cut_short else {"min_score": 0.0}
    settings = ProposalSettings(nms=nms, iou_threshold=0.3, **limits)
    order, kept = suppress(starts, ends, scores, settings)
    expected = reference_plain.suppress(starts.tolist(), ends.tolist(), scores.tolist(), settings)
    assert order.tolist() == expected[0]
    assert kept == pytest.approx(expected[1], rel=1e-10)
    assert (np.diff(kept) <= 0).all()


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    """174 real proposals through public implementations of Soft-NMS."""
    loaded: dict[str, Any] = json.loads((shared / "data/published/golden_softnms.json").read_text())
    return loaded


def keep_all(golden: dict[str, Any], nms: NmsKind, **changes: float) -> tuple[list[int], np.ndarray[Any, Any]]:
    """Our result for the golden list, cut off nowhere."""
    settings = ProposalSettings(nms=nms, min_score=0.0, max_proposals=1000, **changes)  # type: ignore[arg-type]
    spans = golden["input"]
    order, scores = suppress(spans["xmin"], spans["xmax"], spans["score"], settings)
    return order.tolist(), scores


def test_soft_nms_gives_the_published_list_of_g_tad(golden: dict[str, Any]) -> None:
    order, scores = keep_all(golden, "gaussian", sigma=0.5)
    expected = golden["out"]["gtad sigma.5 all"]  # its loop leaves out the very last
    assert len(expected["score"]) == len(order) - 1
    assert [golden["input"]["xmin"][i] for i in order[:-1]] == expected["xmin"]
    assert [golden["input"]["xmax"][i] for i in order[:-1]] == expected["xmax"]
    np.testing.assert_allclose(scores[:-1], expected["score"], rtol=0, atol=1e-12)


def test_soft_nms_gives_the_published_list_of_actionformer(golden: dict[str, Any]) -> None:
    order, scores = keep_all(golden, "gaussian", sigma=0.5)
    expected = np.array(golden["actionformer_gauss_sigma.5"])
    np.testing.assert_allclose([golden["input"]["xmin"][i] for i in order], expected[:, 0], atol=1e-7)
    np.testing.assert_allclose([golden["input"]["xmax"][i] for i in order], expected[:, 1], atol=1e-7)
    # It adds 1e-6 to every length before dividing. These spans are fractions of a video, 0.003 and up, so that
    # term alone makes a difference of up to 1.03e-5; with it put into our formula, the difference is 3e-7.
    np.testing.assert_allclose(scores, expected[:, 2], rtol=0, atol=1.04e-5)


def test_greedy_nms_gives_the_golden_list(golden: dict[str, Any]) -> None:
    order, _ = keep_all(golden, "greedy", iou_threshold=0.7)
    assert order == golden["greedy0.7_idx"]
