"""Statistics of the pictures of a training."""

from __future__ import annotations

import numpy as np
import pytest

from cmsn_training.data.picture_statistics import picture_statistics


def film(light: int, *, motion: int, frames: int = 300) -> np.ndarray:
    """One colour that changes by so much from frame to frame, there and back."""
    found = np.full((frames, 12, 16, 3), light, np.uint8)
    found[1::2] += np.uint8(motion)
    return found


def test_every_figure_has_its_mean_and_spread_over_all_videos() -> None:
    found = picture_statistics([film(50, motion=0), film(100, motion=4)])
    assert set(found) == {"light", "contrast", "motion", "smoothness"}
    assert found["motion"] == [2.0, 2.0]
    assert found["light"][0] == pytest.approx(76, abs=1) and found["light"][1] == pytest.approx(26, abs=1)


def test_a_video_that_is_shorter_than_a_place_counts_once() -> None:
    short = film(10, motion=0, frames=5)
    assert picture_statistics([short, film(90, motion=0)])["light"][0] == pytest.approx((10 + 4 * 90) / 5)


def test_single_frames_are_left_out() -> None:
    assert picture_statistics([film(10, motion=0, frames=1)]) == {}
