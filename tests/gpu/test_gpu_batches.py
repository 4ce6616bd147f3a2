"""Cameras in batches get the answers that each gets alone, whatever joins, leaves and resets between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmsn_benchmarks.gpu.cameras import apart, play
from cmsn_benchmarks.gpu.opening import RunnerName, build_all, open_on
from cmsn_runtime.bundle_files import DEMO_BUNDLE

CAMERAS = 8
# A library may choose another kernel for another batch, which adds in another order; in FP16 that is up to this.
TOLERANCE = 5e-3


@pytest.mark.parametrize(
    "runner",
    [
        pytest.param("ort-cuda", marks=pytest.mark.gpu("ort-cuda")),
        pytest.param("tensorrt", marks=pytest.mark.gpu("tensorrt", "builder")),
    ],
)
def test_batched_cameras_give_the_answers_of_single_ones(runner: RunnerName, tmp_path: Path) -> None:
    if runner == "tensorrt":
        build_all(DEMO_BUNDLE, tmp_path, cameras=CAMERAS)
    with open_on(runner, DEMO_BUNDLE, engines=tmp_path) as bundle:
        assert bundle.backend.largest_batch >= CAMERAS
        alone = play(bundle, CAMERAS, together=False)
        assert apart(play(bundle, CAMERAS, together=True), alone) <= TOLERANCE
