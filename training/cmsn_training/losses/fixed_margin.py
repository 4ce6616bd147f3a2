"""Losses with one margin for all classes: LMCL (CosFace) and ArcFace (section 4.1)."""

from __future__ import annotations

import torch
from torch import nn

from cmsn_training.losses.angles import widened
from cmsn_training.losses.margins import check_arcface, check_lmcl
from cmsn_training.losses.softmax import cross_entropy, full_precision


class LargeMarginCosineLoss(nn.Module):
    """Equation 3 (LMCL, CosFace): cross-entropy over s * cosine, m taken from the true class.

    m: the margin, at least 0. scale: s. Raises SettingsError for a negative margin.
    """

    def __init__(self, *, m: float = 0.35, scale: float = 16.0) -> None:
        super().__init__()
        check_lmcl(m)
        self.m, self.scale = m, scale

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Cosines [..., classes] and labels int64 [...] -> mean loss, in float32 or better."""
        cosines = full_precision(scores)
        return cross_entropy(self.scale * (cosines - self.m * _true(cosines, labels)), labels)


class ArcFaceLoss(nn.Module):
    """ArcFace: cross-entropy over s * cosine, the angle of the true class widened by m; see `widened` for its ends.

    m: the margin in radians, 0..pi. scale: s. Raises SettingsError for a margin outside.
    """

    def __init__(self, *, m: float = 0.5, scale: float = 16.0) -> None:
        super().__init__()
        check_arcface(m)
        self.m, self.scale = m, scale

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Cosines [..., classes] and labels int64 [...] -> mean loss, in float32 or better."""
        cosines = full_precision(scores)
        return cross_entropy(self.scale * widened(cosines, self.m * _true(cosines, labels)), labels)


def _true(cosines: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """1 at the true class and 0 elsewhere, with the dtype and device of the cosines."""
    return nn.functional.one_hot(labels, cosines.shape[-1]).to(cosines.dtype)
