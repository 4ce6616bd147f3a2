"""The torch backend answers cameras in batches as it answers each alone; where it fails, they stay as they were."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import numpy as np
import numpy.typing as npt
import torch

from cmsn_runtime.backends.answering import answer
from cmsn_runtime.backends.asks import Ask, Evaluate, Extract, ExtractorState, Floats, Stages
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.host_window import HostWindow
from cmsn_runtime.errors import BackendError
from cmsn_runtime.proposing.roi import roi_indices
from cmsn_training.config import parse_config
from cmsn_training.models.cmsn import CMSN
from cmsn_training.torch_backend import TorchBackend

BINS = 4
CONFIG = {
    "data": {"videos": ".", "annotations": "."},
    "model": {"width": 1 / 32, "lstm_hidden": 4, "evaluator_hidden": 4, "roi_bins": BINS},
    "preprocessing": {"resize": [32, 32], "crop": [32, 32]},
}


@pytest.fixture(scope="module")
def backend() -> TorchBackend:
    torch.manual_seed(1)
    return TorchBackend(CMSN(parse_config(CONFIG, origin="test")))


def answers(asks: list[Ask], backend: TorchBackend) -> list[Floats]:
    found = answer(asks, backend)
    for answered in found:
        assert isinstance(answered, np.ndarray), answered
    return [np.array(answered) for answered in found]


def chunk(seed: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)


def ask(seed: int, state: ExtractorState, position: int) -> Extract:
    return Extract(chunk(seed + position), state, position, UNKNOWN_LENGTH)


def test_cameras_that_join_and_leave_get_the_features_that_they_get_alone(backend: TorchBackend) -> None:
    cameras = range(5)
    together, alone = ([backend.new_state() for _ in cameras] for _ in range(2))
    positions = [0] * len(cameras)
    for present in ([0, 1], [0, 1, 2, 3, 4], [4, 1, 3], [3], [2, 0, 3, 1, 4]):
        batch: list[Ask] = [ask(100 * camera, together[camera], positions[camera]) for camera in present]
        for camera, found in zip(present, answers(batch, backend), strict=True):
            (expected,) = answers([ask(100 * camera, alone[camera], positions[camera])], backend)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
            positions[camera] += 8


def test_windows_and_proposals_of_many_cameras_are_judged_as_alone(backend: TorchBackend) -> None:
    """Windows of different lengths too: the stage network takes those of one length, the evaluator all."""
    rng = np.random.default_rng(0)
    asks: list[Ask] = []
    for steps in (12, 20, 12, 5):
        window = HostWindow(20)
        window.push(rng.random((steps, backend.model.feature_channels), np.float32))
        starts = np.arange(steps - 1, dtype=np.int32)
        left, right = roi_indices(starts, starts + 1, steps, BINS, 0.0)
        asks += [Stages(window), Evaluate(window, left, right)]
    for one, found in zip(asks, answers(asks, backend), strict=True):
        (expected,) = answers([one], backend)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_camera_whose_state_is_closed_costs_the_others_nothing(backend: TorchBackend) -> None:
    closed, fine, alone = (backend.new_state() for _ in range(3))
    closed.close()
    closed.close()
    for position in (0, 8):
        failed, found = answer([ask(1, closed, position), ask(2, fine, position)], backend)
        assert isinstance(failed, BackendError)
        assert "this state is closed" in str(failed)
        (expected,) = answers([ask(2, alone, position)], backend)
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
