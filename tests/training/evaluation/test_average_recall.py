"""Average recall, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cmsn_training.evaluation import average_recall, sliding_windows

TRUTH = {"a": np.array([[0.0, 10.0], [20.0, 30.0]]), "b": np.array([[0.0, 10.0]])}


def test_perfect_proposals_have_an_average_recall_of_100() -> None:
    assert average_recall(TRUTH, TRUTH, per_video=2) == 100.0


def test_only_the_first_n_count_and_missing_videos_are_missed() -> None:
    assert average_recall({"a": TRUTH["a"]}, TRUTH, per_video=1) == pytest.approx(100 / 3)


def test_a_tiou_of_08_reaches_seven_of_ten_thresholds() -> None:
    """tIoU 0.8 reaches 0.5 to 0.8: seven of the ten thresholds."""
    proposals = {"b": np.array([[0.0, 8.0]])}
    assert average_recall(proposals, {"b": TRUTH["b"]}, per_video=1) == pytest.approx(70.0)


def test_the_sliding_window_baseline_covers_the_video() -> None:
    windows = sliding_windows(10.0, lengths=[4.0, 10.0])
    assert windows.tolist() == [[0, 4], [0, 10], [2, 6], [4, 8], [6, 10]]
