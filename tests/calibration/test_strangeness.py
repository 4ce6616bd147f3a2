"""Pictures that are unlike those of the training are named with their figures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from cmsn_calibration.excerpts import Excerpt
from cmsn_calibration.stretches import Stretch
from cmsn_calibration.suspicion import strangeness

TRAINING = {"light": [100.0, 10.0], "contrast": [40.0, 0.1], "motion": [5.0, 2.0], "smoothness": [0.9, 0.02]}


def stretches(*, light: float = 100.0, contrast: float = 40.0) -> list[Stretch]:
    return [Stretch(Excerpt(Path("one"), Fraction(4 * index), 96), light, contrast, 5.0, 0.9) for index in range(4)]


@pytest.mark.parametrize("found", [stretches(), stretches(light=129.0), stretches(contrast=45.9)])
def test_pictures_like_those_of_the_training_are_no_doubt(found: list[Stretch]) -> None:
    assert list(strangeness(found, TRAINING)) == []


def test_each_figure_that_is_far_away_is_named() -> None:
    (line,) = strangeness(stretches(light=20.0, contrast=60.0), TRAINING)
    assert "(light 20 instead of 100 +- 10, contrast 60 instead of 40 +- 0.1)" in line


@pytest.mark.parametrize("training", [None, {}, "nothing"])
def test_a_bundle_that_does_not_know_its_training_s_pictures_is_never_far(training: object) -> None:
    assert list(strangeness(stretches(light=0.0), training)) == []
