"""The loss of phase 1 from its settings."""

from __future__ import annotations

from torch import nn

from cmsn_training.losses.fixed_margin import ArcFaceLoss, LargeMarginCosineLoss
from cmsn_training.losses.margins import DEFAULT_M, check_loss
from cmsn_training.losses.softmax import SoftmaxLoss
from cmsn_training.losses.vmcl import VariableMarginCosineLoss
from cmsn_training.vocabulary import LossKind, MarginForm


def build_loss(
    kind: LossKind,
    *,
    m: float | None = None,
    n: float = 0.15,
    scale: float = 16.0,
    form: MarginForm = "worked-example",
) -> nn.Module:
    """A module of (scores [..., 6], labels int64 [...]) -> mean loss.

    m, n, form: the margins, see LossConfig; m None is the kind's default. scale: s of all kinds but `softmax`.
    Scores are what StageClassifier of the same kind gives: cosines, or with `softmax` plain logits.
    Raises SettingsError for margins outside what the kind allows.
    """
    check_loss(kind, m=m, n=n, form=form)
    if kind == "softmax":
        return SoftmaxLoss()
    margin = DEFAULT_M[kind] if m is None else m
    if kind == "lmcl":
        return LargeMarginCosineLoss(m=margin, scale=scale)
    if kind == "arcface":
        return ArcFaceLoss(m=margin, scale=scale)
    return VariableMarginCosineLoss(
        m=margin, n=n, scale=scale, form=form, space="cosine" if kind == "vmcl" else "angle"
    )
