"""The loss of phase 1 from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from torch import nn

from cmsn_runtime.errors import SettingsError
from cmsn_training.losses.fixed_margin import ArcFaceLoss, LargeMarginCosineLoss
from cmsn_training.losses.softmax import SoftmaxLoss
from cmsn_training.losses.vmcl import VariableMarginCosineLoss

if TYPE_CHECKING:  # the configuration checks itself with `build_loss`
    from cmsn_training.config_sections import LossConfig

LossKind = Literal["softmax", "lmcl", "arcface", "vmcl", "vmcl-arc"]

# LMCL and ArcFace: those of their own papers, of the size of VMCL's mean margin over all pairs of stages (0.29). With 6
# classes the best possible gap between true and other cosines is C / (C - 1) = 1.2, and p = 0.999 takes a gap of
# ln(5 * 999) / s = 0.53 at s = 16: a margin up to 0.67 can be met, 0.35 and 0.5 rad (0.12 where theta = 0) leave room.
_DEFAULT_M: dict[LossKind, float] = {"lmcl": 0.35, "arcface": 0.5, "vmcl": 0.1, "vmcl-arc": 0.1}


def build_loss(settings: LossConfig) -> nn.Module:
    """A module of (scores [..., 6], labels int64 [...]) -> mean loss.

    Scores are what StageClassifier of the same kind gives: cosines, or with `softmax` plain logits.
    Raises SettingsError for margins outside what the kind allows.
    """
    kind, scale = settings.kind, settings.scale
    if kind == "softmax":
        if settings.m is not None:
            raise SettingsError(f"m = {settings.m} with kind = 'softmax', which has no margin: leave m out")
        return SoftmaxLoss()
    m = _DEFAULT_M[kind] if settings.m is None else settings.m
    if kind == "lmcl":
        return LargeMarginCosineLoss(m=m, scale=scale)
    if kind == "arcface":
        return ArcFaceLoss(m=m, scale=scale)
    space: Literal["cosine", "angle"] = "cosine" if kind == "vmcl" else "angle"
    return VariableMarginCosineLoss(m=m, n=settings.n, scale=scale, form=settings.form, space=space)
