"""A normalised convolution, folded, is a plain one that gives the same."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from chunks import run_incrementally

from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_training.models.c3d import C3D
from cmsn_training.models.convolution import Convolution, convolutions
from cmsn_training.models.incremental import IncrementalExtractor
from cmsn_training.models.stage_subnet import StageEncoder


def normalised(convolution: Convolution) -> None:
    """Normalisation with statistics and weights that are far from those of the identity."""
    convolution.add_norm()
    norm = convolution.norm
    assert norm is not None and norm.running_mean is not None and norm.running_var is not None
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2.0)
        norm.bias.uniform_(-0.5, 0.5)
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.2, 3.0)


def test_folding_changes_the_weights_and_not_the_output() -> None:
    torch.manual_seed(0)
    convolution = Convolution(3, 5)
    normalised(convolution)
    convolution.eval()
    x = torch.randn(2, 3, 6, 7, 8)
    before, weight = convolution(x), convolution.weight.clone()
    convolution.fold_norm()
    assert convolution.norm is None
    assert not torch.allclose(convolution.weight, weight)
    assert torch.allclose(convolution(x), before, atol=1e-5)
    assert set(convolution.state_dict()) == {"weight", "bias"}


def test_a_folded_extractor_streams_and_an_unfolded_one_says_why_not() -> None:
    torch.manual_seed(0)
    c3d = C3D(width=1 / 16)
    extractor = IncrementalExtractor(
        c3d, StageEncoder(c3d.out_channels, 32), Preprocessing((32, 32), (32, 32), scale=0.02)
    )
    for convolution in convolutions(extractor):
        normalised(convolution)
    extractor.eval()
    video = torch.randint(0, 256, (1, 48, 32, 32, 3), dtype=torch.uint8)
    with torch.inference_mode(), pytest.raises(TypeError, match="fold"):
        run_incrementally(extractor, video)
    with torch.no_grad():
        before = extractor.whole(video)
    for convolution in convolutions(extractor):
        convolution.fold_norm()
    with torch.no_grad():
        after, chunked = extractor.whole(video), run_incrementally(extractor, video)
    assert torch.allclose(after, before, rtol=1e-3, atol=1e-4)
    assert torch.allclose(chunked, after, atol=1e-5)
