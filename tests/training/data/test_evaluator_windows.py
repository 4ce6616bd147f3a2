"""Phase 2 sees whole videos: features as in a stream, one chunk of frames at a time, on the device that is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from cmsn_runtime.backends.asks import Extract, StepFeatures

pytest.importorskip("lightning")

import numpy as np
import numpy.typing as npt
import torch

from cmsn_training.config import TrainingConfig, load_config, parse_config
from cmsn_training.config_sections import HardwareConfig
from cmsn_training.data import evaluator_windows
from cmsn_training.data.evaluator_windows import feature_track
from cmsn_training.data.inputs import PictureInputs
from cmsn_training.data.windows import Augmentation, draw_look
from cmsn_training.devices import inference_device
from cmsn_training.models.cmsn import CMSN
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams
from cmsn_training.torch_backend import TorchBackend

CONFIG = {
    "data": {"videos": ".", "annotations": "."},
    "model": {"width": 1 / 32, "lstm_hidden": 4, "evaluator_hidden": 4},
    "preprocessing": {"resize": [32, 32], "crop": [32, 32]},
}
NO_SEGMENTS = np.empty((0, 2))


@pytest.fixture(scope="module")
def model() -> CMSN:
    torch.manual_seed(1)
    return CMSN(parse_config(CONFIG, origin="test")).eval()


def pictures(count: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


class WatchedBackend(TorchBackend):
    """Notes how many frames each call gets."""

    def __init__(self, model: CMSN) -> None:
        super().__init__(model)
        self.taken = 0
        self.largest = 0

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        for ask in asks:
            self.taken += len(ask.frames)
            self.largest = max(self.largest, len(ask.frames))
        return super().extract(asks)


class TestFeatures:
    @pytest.mark.parametrize("frames", [8, 96, 400])
    def test_features_of_a_whole_video_equal_a_single_pass(self, model: CMSN, frames: int) -> None:
        video = pictures(frames)
        with torch.inference_mode():
            whole = model.extractor.whole(torch.from_numpy(video)[None])[0]
        found = feature_track(TorchBackend(model), video, NO_SEGMENTS).features
        assert found.shape == whole.shape
        assert float(whole.std()) > 0
        assert float((found - whole).abs().max() / whole.abs().max()) < 1e-5

    def test_a_last_incomplete_step_has_a_feature_as_in_a_stream(self, model: CMSN) -> None:
        assert len(feature_track(TorchBackend(model), pictures(203), NO_SEGMENTS).features) == 26

    def test_a_video_without_frames_has_no_features(self, model: CMSN) -> None:
        assert feature_track(TorchBackend(model), [], NO_SEGMENTS).features.shape == (0, model.feature_channels)

    def test_frames_are_loaded_only_when_needed(self, model: CMSN) -> None:
        """A film of any length goes through: neither its pictures nor its activations are held together."""
        backend = WatchedBackend(model)
        chunk = evaluator_windows._CHUNK_STEPS * model.extractor.stride
        waiting: list[int] = []

        def film() -> Iterator[npt.NDArray[np.uint8]]:
            for number, picture in enumerate(pictures(4 * chunk)):
                waiting.append(number - backend.taken)
                yield picture

        feature_track(backend, film(), NO_SEGMENTS)
        assert len(waiting) == 4 * chunk
        assert max(waiting) < chunk
        assert backend.largest == chunk


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainingConfig:
    folder = tmp_path_factory.mktemp("views")
    render_streams(folder / "streams", RenderSettings(width=64, height=48, seconds=10, seed=3), streams=1)
    (folder / "config.toml").write_text(
        '[data]\nvideos = "streams"\nannotations = "streams/annotations.json"\n'
        "[preprocessing]\nresize = [32, 40]\ncrop = [32, 32]\n[stages]\nlight = 0.5\n"
    )
    return load_config(folder / "config.toml")


class TestViews:
    def test_the_first_view_is_the_video_itself(self, config: TrainingConfig) -> None:
        inputs = PictureInputs(config)
        (video,) = inputs.training
        frames, segments = inputs.view(video, None)
        np.testing.assert_array_equal(np.array(list(frames)), video.frames)
        np.testing.assert_allclose(segments, video.segments * 25 / 8)

    def test_other_views_are_shifted_and_augmented_the_same_way_throughout(self, config: TrainingConfig) -> None:
        inputs = PictureInputs(config)
        (video,) = inputs.training
        shifts = set()
        for seed in range(6):
            frames, segments = inputs.view(video, np.random.default_rng(seed))
            found = np.array(list(frames))
            shift = len(video.frames) - len(found)
            shifts.add(shift)
            np.testing.assert_allclose(segments, (video.segments * 25 - shift) / 8)
            rng = np.random.default_rng(seed)
            rng.integers(8)
            look = draw_look(Augmentation(flip=True, light=0.5), rng)
            np.testing.assert_array_equal(found, look(video.frames[shift:]))
            assert not np.array_equal(found, video.frames[shift:])
        assert len(shifts) > 2
        assert max(shifts) < 8


@pytest.mark.parametrize(
    ("accelerator", "there", "wanted"),
    [("auto", True, "cuda"), ("gpu", True, "cuda"), ("cpu", True, "cpu"), ("auto", False, "cpu")],
)
def test_the_device_is_what_the_configuration_allows(
    monkeypatch: pytest.MonkeyPatch, accelerator: Any, there: bool, wanted: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert inference_device(HardwareConfig(accelerator=accelerator)).type == wanted
