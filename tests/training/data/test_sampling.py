"""Big, Middle and Smaller samples for the PES."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cmsn_training.data.sampling import balanced_sample, best_tiou

TIOU = np.array([0.9, 0.7, 0.61, 0.6, 0.2, 0.3, 0.4, 0.5, 0.19, 0.0, 0.1, 0.05])


def groups(chosen: npt.NDArray[np.int64]) -> tuple[int, int, int]:
    values = TIOU[chosen]
    return int((values > 0.6).sum()), int(((values >= 0.2) & (values <= 0.6)).sum()), int((values < 0.2).sum())


def test_as_many_small_and_medium_overlaps_are_drawn_as_large_ones() -> None:
    chosen = balanced_sample(TIOU, np.random.default_rng(0))
    assert groups(chosen) == (3, 3, 3)
    assert len(set(chosen.tolist())) == 9


def test_a_group_that_is_too_small_is_taken_whole() -> None:
    assert groups(balanced_sample(TIOU[:4], np.random.default_rng(0))) == (3, 1, 0)


def test_without_large_overlaps_least_decides_how_many_are_drawn() -> None:
    rng = np.random.default_rng(0)
    assert len(balanced_sample(TIOU[3:], rng)) == 0
    assert len(balanced_sample(TIOU[3:], rng, least=2)) == 4


def test_best_tiou_by_hand() -> None:
    spans = np.array([[0.0, 10.0], [5.0, 15.0], [20.0, 30.0]])
    truth = np.array([[0.0, 10.0], [14.0, 16.0]])
    assert best_tiou(spans, truth).tolist() == pytest.approx([1.0, 1 / 3, 0.0])
    assert best_tiou(spans, np.empty((0, 2))).tolist() == [0, 0, 0]
