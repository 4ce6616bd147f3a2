"""Drift: the error near the begin and at the end of a stream, on the same pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cmsn_calibration.drift import measure_drift
from cmsn_runtime.backends.asks import Extract, StepFeatures
from cmsn_runtime.backends.host_window import on_host
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.pictures.example import moving_picture
from cmsn_runtime.timegrid import TimeGrid

GRID = TimeGrid(fps=Fraction(4), stride=8, window=96)


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Iterator[Bundle]:
    with open_bundle(folder, backend="onnxruntime") as opened:
        yield opened


@pytest.fixture(scope="module")
def frames(bundle: Bundle) -> np.ndarray:
    height, width, _ = bundle.manifest.input_shape
    return moving_picture(np.random.default_rng(0), (height, width), 64)


class Drifting:
    """A backend whose features are too large by one in ten thousand for each step since the beginning."""

    def __init__(self, bundle: Bundle) -> None:
        self._backend = bundle.backend
        self.steps = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._backend, name)

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        self.steps += 1
        return [on_host(features) * (1 + self.steps * 1e-4) for features in self._backend.extract(asks)]


def test_the_same_backend_has_no_error(bundle: Bundle, frames: np.ndarray) -> None:
    found = measure_drift(bundle.backend, bundle.backend, frames, GRID, minutes=3)
    assert (found.first, found.last) == (0.0, 0.0)


def test_a_growing_error_is_found(bundle: Bundle, frames: np.ndarray) -> None:
    found = measure_drift(Drifting(bundle), bundle.backend, frames, GRID, minutes=4)  # type: ignore[arg-type]
    # 30 steps a minute, 8 steps of film: the second of 15 repetitions begins at step 8, the last four are whole ones.
    for error, steps in ((found.first, np.arange(9, 41)), (found.last, np.arange(89, 121))):
        assert error == pytest.approx(1e-4 * np.sqrt(np.mean(np.square(steps))), rel=0.1)
    assert found.seconds == 64


def test_pictures_that_differ_are_no_drift(bundle: Bundle) -> None:
    """INT8's error depends on what is seen: a film that is not a whole part of a minute must not count as drift."""
    height, width, _ = bundle.manifest.input_shape
    dark, bright = np.zeros((2, 8 * 11, height, width, 3), np.uint8)
    bright[:] = moving_picture(np.random.default_rng(1), (height, width), 8 * 11)
    found = measure_drift(
        Misreading(bundle),  # type: ignore[arg-type]
        bundle.backend,
        np.concatenate([dark, bright]),
        GRID,
        minutes=4,
    )
    assert found.last == pytest.approx(found.first, rel=1e-6)
    assert found.first > 0


class Misreading(Drifting):
    """A backend that is wrong on bright pictures only."""

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        wrong = 1.01 if asks[0].frames.mean() > 1 else 1.0
        return [on_host(features) * wrong for features in self._backend.extract(asks)]


@pytest.mark.parametrize(
    ("count", "minutes", "message"),
    [
        (64, 2.0, r"drift over 2 minutes is to be measured; of 8 steps over and over, 3 are the least"),
        (5, 4.0, "drift is to be measured on 5 frames; 8 are the least"),
    ],
    ids=["too short a stream", "no step"],
)
def test_what_cannot_show_a_drift_is_refused(
    bundle: Bundle, frames: np.ndarray, count: int, minutes: float, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        measure_drift(bundle.backend, bundle.backend, frames[:count], GRID, minutes=minutes)
