"""Every loss against its equation: boundaries, gradients, half precision, limits of the margins."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

pytest.importorskip("torch")

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.stages import Stage
from cmsn_training.config import parse_config
from cmsn_training.losses.angles import narrowed, widened
from cmsn_training.losses.building import build_loss
from cmsn_training.losses.fixed_margin import ArcFaceLoss, LargeMarginCosineLoss
from cmsn_training.losses.regression import (
    CLASSES,
    VariableMarginRegressionLoss,
    class_centres,
    classes_of,
    expected_values,
)
from cmsn_training.losses.softmax import SoftmaxLoss
from cmsn_training.losses.vmcl import VariableMarginCosineLoss, stage_margins
from cmsn_training.models.cosine import CosineClassifier, unit_vectors
from cmsn_training.models.stage_subnet import StageClassifier
from cmsn_training.vocabulary import LossKind

KINDS: tuple[LossKind, ...] = ("softmax", "lmcl", "arcface", "vmcl", "vmcl-arc")
MARGIN_KINDS = KINDS[1:]


@pytest.mark.parametrize("true", list(Stage))
@pytest.mark.parametrize("other", list(Stage))
def test_losses_are_ln_2_at_their_decision_boundaries(true: Stage, other: Stage) -> None:
    """Where each loss's own boundary says so, the true class and one negative weigh the same: alone, that is ln 2."""
    if true == other:
        return
    f = float(stage_margins(0.1, 0.15)[true, other])
    theta = 1.1  # of the true class
    at_boundary: list[tuple[nn.Module, float]] = [
        (LargeMarginCosineLoss(m=0.35, scale=16.0), math.cos(theta) - 0.35),
        (ArcFaceLoss(m=0.5, scale=16.0), math.cos(theta + 0.5)),
        (VariableMarginCosineLoss(), math.cos(theta) - f),
        (VariableMarginCosineLoss(space="angle"), math.cos(theta + f)),
    ]
    for loss, negative in at_boundary:
        cosines = torch.full((1, 6), -1e3, dtype=torch.float64)
        if isinstance(loss, VariableMarginCosineLoss) and loss.space == "angle":
            cosines = torch.full((1, 6), -40.0, dtype=torch.float64)  # past the curve: the straight line
        cosines[0, true], cosines[0, other] = math.cos(theta), negative
        assert float(loss(cosines, torch.tensor([true]))) == pytest.approx(math.log(2), abs=1e-6), type(loss)


def test_the_softmax_loss_is_plain_cross_entropy() -> None:
    logits, labels = torch.randn(2, 5, 6), torch.randint(6, (2, 5))
    expected = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    assert float(SoftmaxLoss()(logits, labels)) == pytest.approx(float(expected), rel=1e-6)


def test_equations_3_and_8_by_hand() -> None:
    cosines = torch.tensor([0.2, 0.7, -0.1, 0.0, 0.3, 0.5], dtype=torch.float64)
    margins = [0.15, 0.0, 0.25, 0.35, 0.45, 0.25]

    def by_hand(moved: list[float]) -> float:
        terms = [math.exp(16 * value) for value in moved]
        return -math.log(terms[1] / sum(terms))

    values = cosines.tolist()
    lmcl = by_hand([value - 0.35 * (j == 1) for j, value in enumerate(values)])
    arc = by_hand([math.cos(math.acos(value) + 0.5 * (j == 1)) for j, value in enumerate(values)])
    eq8 = by_hand([math.cos(math.acos(value) - f) for value, f in zip(values, margins, strict=True)])
    label = torch.tensor([1])
    assert float(LargeMarginCosineLoss(m=0.35)(cosines[None], label)) == pytest.approx(lmcl, rel=1e-9)
    assert float(ArcFaceLoss(m=0.5)(cosines[None], label)) == pytest.approx(arc, rel=1e-9)
    assert float(VariableMarginCosineLoss(space="angle")(cosines[None], label)) == pytest.approx(eq8, rel=1e-6)


@pytest.mark.parametrize("margin", [0.0, 0.3, math.pi / 2, 2.5, math.pi])
def test_angles_rise_with_the_cosine_and_do_not_jump(margin: float) -> None:
    cosines = torch.linspace(-1, 1, 20_001, dtype=torch.float64)[1:-1]
    for moved in (widened, narrowed):
        steps = moved(cosines, torch.tensor(margin, dtype=torch.float64)).diff()
        assert steps.min() > -1e-12
        # The curve's own slope is infinite at +-1: there one step of 1e-4 may climb sqrt(2e-4).
        assert steps.max() < 0.015
    theta = torch.linspace(margin + 1e-3, math.pi - 1e-3, 50, dtype=torch.float64)
    assert torch.allclose(narrowed(theta.cos(), torch.tensor(margin, dtype=torch.float64)), (theta - margin).cos())
    theta = math.pi - theta
    assert torch.allclose(widened(theta.cos(), torch.tensor(margin, dtype=torch.float64)), (theta + margin).cos())


def with_kind(kind: LossKind) -> nn.Module:
    return build_loss(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_equal_finite_differences(kind: LossKind) -> None:
    """Through the classifier too, in float64, at angles on both sides of the margins."""
    generator = torch.Generator().manual_seed(1)
    scores = torch.rand(9, 6, generator=generator, dtype=torch.float64) * 1.9 - 0.95
    scores[0, 1] = scores[1, 0] = 0.99  # smaller than VMCL's angles
    labels = torch.arange(9) % 6
    loss = with_kind(kind)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), scores.requires_grad_(True))
    features = torch.randn(9, 5, generator=generator, dtype=torch.float64) * 30
    classifier = CosineClassifier(5, 6).double()
    assert torch.autograd.gradcheck(lambda x: loss(classifier(x), labels), features.requires_grad_(True))


def test_gradients_of_the_regression_form_equal_finite_differences() -> None:
    generator = torch.Generator().manual_seed(2)
    scores = torch.rand(4, CLASSES, generator=generator, dtype=torch.float64) * 2 - 1
    loss = VariableMarginRegressionLoss()
    values = torch.tensor([0.0, 0.31, 0.5, 1.0])
    assert torch.autograd.gradcheck(lambda x: loss(x, values), scores.requires_grad_(True), fast_mode=True)


@pytest.mark.parametrize("kind", MARGIN_KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [0.0, 1e-7, 1e-3, 1.0, 6e4, 1e30])
def test_autocast_leaves_loss_and_gradients_finite(kind: LossKind, dtype: torch.dtype, size: float) -> None:
    if size > torch.finfo(dtype).max:
        return
    classifier, loss = CosineClassifier(64, 6), with_kind(kind)
    features = (size * torch.empty(1, 2, 64).uniform_(-1, 1)).to(dtype).requires_grad_(True)
    with torch.autocast("cpu", dtype=dtype):
        value = loss(classifier(features), torch.tensor([[0, 4]]))
    value.backward()
    assert value.dtype == torch.float32
    assert value.isfinite()
    for tensor in (features, classifier.weight):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_scores_are_summed_in_float32(kind: LossKind, dtype: torch.dtype) -> None:
    scores, labels = torch.empty(3, 7, 6).uniform_(-1, 1).to(dtype), torch.randint(6, (3, 7))
    with torch.autocast("cpu", dtype=dtype):
        half = with_kind(kind)(scores, labels)
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(float(with_kind(kind)(scores.float(), labels)), rel=1e-6)


@pytest.mark.parametrize("size", [1e-2, 1.0, 1e4, 1e25])
def test_cosines_do_not_depend_on_length(size: float) -> None:
    x = torch.randn(5, 32, dtype=torch.float64).float()
    assert torch.allclose(unit_vectors(size * x), F.normalize(x, dim=-1), atol=1e-6)


@pytest.mark.parametrize("kind", MARGIN_KINDS)
def test_without_margins_all_are_the_normalised_softmax(kind: LossKind) -> None:
    cosines, labels = torch.empty(3, 8, 6).uniform_(-1, 1), torch.randint(6, (3, 8))
    loss = build_loss(kind, m=0.0, n=0.0, form="printed", scale=11.0)
    expected = F.cross_entropy(11.0 * cosines.flatten(0, 1), labels.flatten())
    assert float(loss(cosines, labels)) == pytest.approx(float(expected), rel=1e-5)


LOSSES: dict[str, Callable[[float], nn.Module]] = {
    "lmcl": lambda m: LargeMarginCosineLoss(m=m),
    "arcface": lambda m: ArcFaceLoss(m=m),
    "vmcl m": lambda m: VariableMarginCosineLoss(m=m, n=0.1),
    "vmcl n": lambda m: VariableMarginCosineLoss(m=0.1, n=m),
    "vmcl-arc m": lambda m: VariableMarginCosineLoss(m=m / 4, n=0.05, space="angle"),
    "vmcl-arc n": lambda m: VariableMarginCosineLoss(m=0.1, n=m, space="angle"),
    "regression": lambda m: VariableMarginRegressionLoss(m=m / CLASSES),
}
COSINE = st.floats(-1.0, 1.0)


@pytest.mark.parametrize("name", LOSSES)
@given(
    cosines=st.lists(COSINE, min_size=6, max_size=6),
    true=st.integers(0, 5),
    margins=st.tuples(st.floats(0, 2.6), st.floats(0, 2.6)).map(sorted),
)
def test_a_larger_margin_never_lowers_the_loss(
    name: str, cosines: list[float], true: int, margins: list[float]
) -> None:
    scores, label = torch.tensor([cosines], dtype=torch.float64), torch.tensor([true])
    if name == "regression":
        scores, label = scores.repeat(1, CLASSES)[:, :CLASSES], torch.tensor([true / 5])
    less, more = (float(LOSSES[name](margin)(scores, label)) for margin in margins)
    assert less <= more + 1e-5  # margins of VMCL are held in float32


@given(
    cosines=st.lists(COSINE, min_size=6, max_size=6),
    true=st.integers(0, 5),
    better=COSINE,
    kind=st.sampled_from(MARGIN_KINDS),
)
def test_a_better_cosine_never_raises_the_loss(cosines: list[float], true: int, better: float, kind: LossKind) -> None:
    worse = [*cosines]
    worse[true], cosines[true] = sorted((better, cosines[true]))
    before, after = (torch.tensor([values], dtype=torch.float64) for values in (worse, cosines))
    label = torch.tensor([true])
    assert with_kind(kind)(after, label) <= with_kind(kind)(before, label) + 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_labels_out_of_range_or_of_another_shape_are_refused(kind: LossKind) -> None:
    scores = torch.zeros(1, 4, 6)
    for wrong in (-100, -1, 6):
        with pytest.raises((RuntimeError, IndexError)):
            with_kind(kind)(scores, torch.tensor([[0, 1, 2, wrong]]))
    with pytest.raises((ValueError, RuntimeError)):
        with_kind(kind)(scores, torch.tensor([[0, 1, 2]]))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"kind": "softmax", "m": 0.1}, "no margin"),
        ({"kind": "arcface", "m": 3.2}, "radians"),
        ({"kind": "vmcl-arc", "m": 0.8, "n": 0.25, "form": "printed"}, "pi"),
        ({"kind": "lmcl", "m": -0.1}, r"loss\.m"),
        ({"kind": "cosface"}, r"loss\.kind"),
        ({"n": math.inf}, r"loss\.n"),
    ],
)
def test_wrong_settings_are_refused(section: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_config({"data": {"videos": "a", "annotations": "b"}, "loss": section}, origin="x.toml")


def test_default_settings_are_those_of_the_paper() -> None:
    loss = build_loss("vmcl")
    assert isinstance(loss, VariableMarginCosineLoss)
    assert torch.equal(loss.margins, stage_margins(0.1, 0.15))
    assert loss.space == "cosine"
    arc = build_loss("vmcl-arc")
    assert isinstance(arc, VariableMarginCosineLoss)
    assert arc.space == "angle"


@pytest.mark.parametrize("kind", KINDS)
def test_the_classifier_follows_the_loss(kind: LossKind) -> None:
    torch.manual_seed(0)
    stages = StageClassifier(8, 4, scale=20.0, kind=kind).eval()
    features = torch.randn(1, 12, 8)
    scores, chances = stages(features), stages.probabilities(features)
    assert isinstance(stages.classifier, nn.Linear) == (kind == "softmax")
    assert torch.allclose(chances, torch.softmax((1 if kind == "softmax" else 20) * scores, -1))
    if kind != "softmax":
        assert scores.abs().max() <= 1 + 1e-6


def test_tious_are_sorted_into_classes_by_hand() -> None:
    values = torch.tensor([0.0, 0.0099, 0.01, 0.5, 0.999, 1.0])
    assert classes_of(values).tolist() == [0, 0, 1, 50, 99, 99]
    values = torch.rand(200)
    assert (class_centres()[classes_of(values)] - values).abs().max() <= 0.5 / CLASSES + 1e-6
    sure = torch.full((1, CLASSES), -1.0)
    sure[0, 30] = 1.0
    assert float(expected_values(sure, scale=60.0, centres=class_centres())) == pytest.approx(0.305, abs=1e-6)


def test_margins_of_the_regression_form_grow_with_the_distance() -> None:
    """Equation 6 with v(i) = i: |j - i| * m + n against the others, nothing against itself."""
    loss = VariableMarginRegressionLoss(m=0.01, n=0.2)
    row = loss.loss.margins[40]
    expected = [0.0 if j == 40 else abs(j - 40) * 0.01 + 0.2 for j in range(CLASSES)]
    assert row.tolist() == pytest.approx(expected, abs=1e-6)
