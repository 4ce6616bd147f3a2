"""Heads of the PES: what they predict, how they learn, and their graphs on ONNX Runtime."""

from __future__ import annotations

import pytest

pytest.importorskip("lightning")

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import torch
from torch.nn import functional as F

from cmsn_runtime.errors import SettingsError
from cmsn_training.config import TrainingConfig, parse_config
from cmsn_training.data.evaluator_windows import EvaluatorBatch
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.evaluator import ProposalEvaluator
from cmsn_training.phases.evaluator_phase import EvaluatorPhase
from cmsn_training.vocabulary import HeadKind, LossKind

HEADS: tuple[HeadKind, ...] = ("sigmoid", "vmcl")


def configured(head: str = "sigmoid", kind: str = "vmcl") -> TrainingConfig:
    values = {
        "data": {"videos": ".", "annotations": "."},
        "model": {"lstm_hidden": 8, "evaluator_hidden": 16, "roi_bins": 4, "evaluator_head": head, "width": 1 / 32},
        "preprocessing": {"resize": [32, 32], "crop": [32, 32]},
        "loss": {"kind": kind},
        "grid": {"window": 32},
    }
    return parse_config(values, origin="test")


def batch(channels: int, bins: int) -> EvaluatorBatch:
    rows = torch.randint(0, 3 * 32, (2, 9, bins))
    return EvaluatorBatch(torch.randn(32, channels), rows[0], rows[1], torch.rand(9))


@pytest.mark.parametrize("head", HEADS)
def test_predictions_of_every_head_are_between_0_and_1(head: HeadKind) -> None:
    evaluator = ProposalEvaluator(8, 16, bins=4, levels=6, head=head).eval()
    sample = batch(8, 4)
    predicted = evaluator(1e3 * sample.features, sample.left, sample.right)
    assert predicted.shape == (9,)
    assert predicted.min() >= 0
    assert predicted.max() <= 1


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_heads_learn_their_targets(head: HeadKind, dtype: torch.dtype | None) -> None:
    """Proposals that differ in what they pool: after a while each gets its own tIoU, under autocast too."""
    torch.manual_seed(0)
    evaluator = ProposalEvaluator(8, 32, bins=1, levels=1, dropout=0.0, head=head)
    features, rows = torch.randn(6, 8), torch.arange(6)[:, None]
    tiou = torch.linspace(0, 1, 6)
    optimiser = torch.optim.Adam(evaluator.parameters(), lr=1e-2)
    for _ in range(60):
        with torch.autocast("cpu", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
            loss = evaluator.loss(features, rows, rows, tiou)
        assert loss.dtype == torch.float32
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        error = (evaluator(features, rows, rows) - tiou).abs().mean()
    assert error < 0.05


def test_the_sigmoid_head_learns_by_smooth_l1() -> None:
    evaluator = ProposalEvaluator(8, 16, bins=4, levels=6).eval()
    sample = batch(8, 4)
    rows = sample.features, sample.left, sample.right
    expected = F.smooth_l1_loss(evaluator(*rows), sample.tiou)
    assert float(evaluator.loss(*rows, sample.tiou).detach()) == pytest.approx(float(expected.detach()))


def test_weights_of_the_sigmoid_head_keep_the_names_of_older_models() -> None:
    names = {name: tuple(value.shape) for name, value in ProposalEvaluator(8, 16, bins=4).state_dict().items()}
    assert names["score.weight"] == (1, 16)
    assert names["score.bias"] == (1,)
    assert ProposalEvaluator(8, 16, head="vmcl").state_dict()["score.weight"].shape == (100, 16)


@pytest.mark.parametrize("head", HEADS)
def test_phase_two_reaches_the_evaluator_alone(head: HeadKind) -> None:
    model = CMSN(configured(head))
    phase = EvaluatorPhase(model, configured(head))
    loss = phase.evaluator.loss(*(getattr(batch(16, 4), name) for name in ("features", "left", "right", "tiou")))
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in model.evaluator.parameters())
    assert not any(p.requires_grad for part in (model.extractor, model.stages) for p in part.parameters())


@pytest.mark.parametrize(("head", "kind"), [("sigmoid", "softmax"), ("vmcl", "arcface")])
def test_exported_heads_agree_with_torch(head: HeadKind, kind: LossKind) -> None:
    graphs_module = pytest.importorskip("cmsn_export.graphs")
    torch.manual_seed(0)
    model = CMSN(configured(head, kind)).eval()
    graphs = graphs_module.build_graphs(model, window=32)
    sample = batch(16, 4)
    features, left, right = sample.features, sample.left, sample.right
    with torch.inference_mode():
        expected = {
            "evaluator": model.evaluator(features, left, right).numpy(),
            "stages": model.stages.probabilities(features[None]).numpy(),
        }
    feeds = {
        "evaluator": {"features": features.numpy(), "left": left.numpy(), "right": right.numpy()},
        "stages": {"features": features[None].numpy()},
    }
    for name, feed in feeds.items():
        session = onnxruntime.InferenceSession(graphs[name], providers=["CPUExecutionProvider"])
        (actual,) = session.run(None, feed)
        assert actual.shape == expected[name].shape
        assert np.abs(actual - expected[name]).max() < 1e-5, name


def test_unknown_heads_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"model\.evaluator_head"):
        configured("linear")
