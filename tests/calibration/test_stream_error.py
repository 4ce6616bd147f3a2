"""How far the features of one backend are from another's."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from cmsn_calibration.probing import Probes
from cmsn_calibration.stream_error import decibels, errors_along, relative_error
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.pictures.example import moving_picture
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams


def test_the_same_backend_has_no_error_and_every_step_has_a_signal(folder: Path) -> None:
    with open_bundle(folder, backend="onnxruntime") as bundle:
        height, width, _ = bundle.manifest.input_shape
        frames = moving_picture(np.random.default_rng(0), (height, width), 80)
        steps = [frames[begin : begin + 8] for begin in range(0, 80, 8)]
        found = np.array(list(errors_along(bundle.backend, bundle.backend, steps)))
    assert found.shape == (10, 2)
    assert (found[:, 1] == 0).all() and found[bundle.manifest.network.delay_steps :, 0].all()
    assert relative_error(found) == 0


def test_the_error_is_relative_to_the_signal() -> None:
    assert relative_error(np.array([[3.0, 0.03], [1.0, 0.01]])) == pytest.approx(0.1)
    assert relative_error(np.zeros((2, 2))) == 0


@pytest.mark.parametrize(
    ("signal", "noise", "expected"),
    [(1.0, 0.01, 20.0), (1.0, 0.0, math.inf), (0.0, 0.0, math.inf), (1.0, math.nan, -math.inf)],
)
def test_decibels(signal: float, noise: float, expected: float) -> None:
    assert decibels(signal, noise) == expected


def test_probes_of_int8_have_an_error_and_those_of_fp32_none(folder: Path, written: Path, tmp_path: Path) -> None:
    render_streams(tmp_path, RenderSettings(seconds=12.0, seed=4), streams=1)
    with (
        open_bundle(folder, backend="onnxruntime") as full,
        open_bundle(written, backend="onnxruntime-int8") as lowered,
    ):
        probes = Probes(full, list(tmp_path.glob("*.mp4")))
        assert probes.signal_to_noise(full.backend) == math.inf
        assert 10 < probes.signal_to_noise(lowered.backend) < 60
