"""The incremental extractor gives what one pass over the whole video gives, at both ends too."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from chunks import run_incrementally

from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_training.models.c3d import C3D
from cmsn_training.models.incremental import (
    DELAY_STEPS,
    PLAN,
    IncrementalExtractor,
    receptive_field_frames,
)
from cmsn_training.models.stage_subnet import StageEncoder

SMALL = Preprocessing(resize=(32, 48), crop=(32, 48), mean=(120.0, 110.0, 100.0), scale=1 / 64)


def build(width: float, preprocessing: Preprocessing, *, seed: int = 0) -> IncrementalExtractor:
    """An extractor whose biases are far from zero: they are what makes padding inside a network visible."""
    torch.manual_seed(seed)
    c3d = C3D(width=width)
    extractor = IncrementalExtractor(c3d, StageEncoder(c3d.out_channels, round(512 * width)), preprocessing)
    with torch.no_grad():
        for name, parameter in extractor.named_parameters():
            if name.endswith("bias"):
                parameter.uniform_(-0.3, 0.3)
    return extractor.eval()


def relative(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("chunk", [8, 16, 40, 768])
@pytest.mark.parametrize("frames", [8, 96, 203])
def test_chunks_give_the_single_pass(chunk: int, frames: int) -> None:
    extractor = build(1 / 8, SMALL)
    video = torch.randint(0, 256, (2, frames, 32, 48, 3), dtype=torch.uint8)
    with torch.inference_mode():
        whole = extractor.whole(video)
        chunked = run_incrementally(extractor, video, chunk=chunk)
    assert chunked.shape == whole.shape == (2, frames // 8, 64)
    assert float(whole.std()) > 0.01
    assert relative(chunked, whole) <= 1e-5


@pytest.mark.parametrize("chunk", [8, 16, 40, 768])
def test_full_width_gives_the_single_pass(chunk: int) -> None:
    extractor = build(1.0, Preprocessing(resize=(32, 32), crop=(32, 32), scale=1 / 64))
    video = torch.randint(0, 256, (1, 64, 32, 32, 3), dtype=torch.uint8)
    with torch.inference_mode():
        error = relative(run_incrementally(extractor, video, chunk=chunk), extractor.whole(video))
    assert error <= 1e-5


def test_a_pass_without_masks_differs_at_the_end() -> None:
    """Without the masks both ends would differ: the test above must be able to fail."""
    extractor = build(1 / 8, SMALL)
    video = torch.randint(0, 256, (1, 96, 32, 48, 3), dtype=torch.uint8)
    with torch.inference_mode():
        whole = extractor.whole(video)
        unknown_end = torch.full((1,), 2**40)
        features, *state = extractor(video, torch.zeros(1, dtype=torch.int64), unknown_end, *extractor.new_state())
        blanks = torch.zeros(1, 48, 32, 48, 3, dtype=torch.uint8)
        rest, *_ = extractor(blanks, torch.full((1,), 96), unknown_end, *state)
    unmasked = torch.cat((features, rest), dim=1)[:, DELAY_STEPS:]
    assert relative(unmasked[:, :6], whole[:, :6]) <= 1e-5
    assert relative(unmasked[:, -1:], whole[:, -1:]) > 1e-2


def test_cameras_of_a_batch_keep_their_own_time() -> None:
    extractor = build(1 / 8, SMALL)
    video = torch.randint(0, 256, (2, 64, 32, 48, 3), dtype=torch.uint8)
    with torch.inference_mode():
        alone = [run_incrementally(extractor, video[i : i + 1]) for i in range(2)]
        together = run_incrementally(extractor, video)
    assert relative(together, torch.cat(alone)) <= 1e-5


def test_lags_and_receptive_field_by_hand() -> None:
    lags = {layer.name: layer.lag for layer in PLAN}
    assert (lags["conv5b"], DELAY_STEPS) == (4, 6)
    assert [layer.name for layer in PLAN if layer.held] == ["conv3b"]
    assert receptive_field_frames() == 100


def test_receptive_field_is_measured() -> None:
    """Changing a frame changes exactly the steps whose receptive field holds it."""
    extractor = build(1 / 8, SMALL)
    video = torch.randint(0, 256, (1, 320, 32, 48, 3), dtype=torch.uint8)
    changed = video.clone()
    changed[0, 160] = 255 - changed[0, 160]
    with torch.inference_mode():
        difference = (extractor.whole(changed) - extractor.whole(video)).abs().amax(dim=(0, 2))
    touched = difference.nonzero().flatten()
    half = receptive_field_frames() // 2
    assert touched.min() * 8 + 4 >= 160 - half - 8
    assert touched.max() * 8 + 4 <= 160 + half + 8
    assert len(touched) >= receptive_field_frames() // 8 - 1


def test_the_state_of_one_camera_at_full_width_has_its_known_size() -> None:
    extractor = build(1.0, Preprocessing())
    floats = sum(torch.Size(shape).numel() for shape in extractor.state_shapes().values())
    assert extractor.state_shapes()["conv1a"] == (3, 2, 112, 112)
    assert floats * 4 == pytest.approx(6.5e6, rel=0.05)
