"""Drift: the error of the first and of the last minute of a stream."""

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
    found = measure_drift(bundle.backend, bundle.backend, frames, GRID, minutes=2)
    assert (found.first, found.last) == (0.0, 0.0)


def test_a_growing_error_is_found(bundle: Bundle, frames: np.ndarray) -> None:
    found = measure_drift(Drifting(bundle), bundle.backend, frames, GRID, minutes=3)  # type: ignore[arg-type]
    delay = bundle.manifest.network.delay_steps  # before which features are zero
    for error, steps in ((found.first, np.arange(1 + delay, 31)), (found.last, np.arange(61, 91))):  # 30 steps a minute
        assert error == pytest.approx(1e-4 * np.sqrt(np.mean(np.square(steps))), rel=0.1)


def test_less_than_two_minutes_are_refused(bundle: Bundle, frames: np.ndarray) -> None:
    with pytest.raises(SettingsError, match=r"drift over 1\.5 minutes is to be measured; two are the least"):
        measure_drift(bundle.backend, bundle.backend, frames, GRID, minutes=1.5)
