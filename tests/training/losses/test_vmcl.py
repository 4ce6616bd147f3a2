"""VMCL against the paper's worked example, and against equation 5 written out by hand."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch")

import torch

from cmsn_runtime.stages import Stage
from cmsn_training.losses.vmcl import VariableMarginCosineLoss, stage_margins


def test_margins_of_the_worked_example_in_the_paper() -> None:
    margins = stage_margins(0.1, 0.15)[Stage.READY]
    assert margins.tolist() == pytest.approx([0.15, 0.0, 0.25, 0.35, 0.45, 0.25])


def test_the_printed_form_gives_one_step_more() -> None:
    margins = stage_margins(0.1, 0.15, form="printed")[Stage.READY]
    assert margins.tolist() == pytest.approx([0.25, 0.0, 0.35, 0.45, 0.55, 0.35])


def test_margins_are_symmetric_and_large_across_boundaries() -> None:
    margins = stage_margins(0.1, 0.15)
    assert torch.equal(margins, margins.T)
    assert margins[Stage.READY, Stage.START] > margins[Stage.BACKGROUND, Stage.READY]
    assert margins[Stage.END, Stage.FOLLOW] > margins[Stage.CONFIRM, Stage.END]


def test_equation_5_of_the_paper_by_hand() -> None:
    cosines = torch.tensor([[0.2, 0.9, -0.1, 0.0, 0.3, 0.5]], dtype=torch.float64)
    loss = VariableMarginCosineLoss(scale=16.0)(cosines, torch.tensor([1]))
    margins = [0.15, 0.0, 0.25, 0.35, 0.45, 0.25]
    terms = [math.exp(16 * (c + f)) for c, f in zip(cosines[0].tolist(), margins, strict=True)]
    assert float(loss) == pytest.approx(-math.log(terms[1] / sum(terms)), rel=1e-5)


@pytest.mark.parametrize("true", list(Stage))
def test_the_loss_is_ln_2_at_its_decision_boundary(true: Stage) -> None:
    """At cos(true) = cos(other) + f(other, true) both terms weigh the same (section 4.2)."""
    margins = stage_margins(0.1, 0.15)[true]
    for other in Stage:
        if other == true:
            continue
        cosines = torch.full((1, 6), -40.0)
        cosines[0, other], cosines[0, true] = 0.1, 0.1 + float(margins[other])
        loss = VariableMarginCosineLoss(scale=1.0)(cosines, torch.tensor([int(true)]))
        assert float(loss) == pytest.approx(math.log(2), abs=1e-5)
