"""Variable Margin Cosine Loss: larger margins between stages that must not be confused (section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from cmsn_training.losses.angles import narrowed
from cmsn_training.losses.margins import STAGE_VALUES, check_vmcl, margin_table
from cmsn_training.losses.softmax import cross_entropy, full_precision
from cmsn_training.vocabulary import MarginForm, MarginSpace


def stage_margins(
    m: float, n: float, *, values: Sequence[Sequence[int]] = STAGE_VALUES, form: MarginForm = "worked-example"
) -> torch.Tensor:
    """`margin_table` as float32 [classes, classes], row = true class."""
    return torch.tensor(margin_table(m, n, values=values, form=form))


class VariableMarginCosineLoss(nn.Module):
    """Equations 5 and 8: cross-entropy over s * cosine, a margin f(j, i) against every class but the true one.

    m, n: see `margin_table`, both at least 0. form: likewise.
    scale: s, which the paper never gives; CosFace's bound for 6 classes at p = 0.999 is about 7, this project takes 16.
    space: `cosine` adds f to the cosines of the negatives (equation 5); `angle` takes f, in radians, from their angles
        (equation 8, after ArcFace; see `narrowed` for angles smaller than f).
    values: v of each class, one or several.

    Raises SettingsError for negative m or n, and for angles f above pi.
    """

    margins: torch.Tensor

    def __init__(
        self,
        *,
        m: float = 0.1,
        n: float = 0.15,
        scale: float = 16.0,
        form: MarginForm = "worked-example",
        space: MarginSpace = "cosine",
        values: Sequence[Sequence[int]] = STAGE_VALUES,
    ) -> None:
        super().__init__()
        check_vmcl(m, n, values=values, form=form, space=space)
        self.scale, self.space = scale, space
        self.register_buffer("margins", stage_margins(m, n, values=values, form=form), persistent=False)

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Cosines [..., classes] and labels int64 [...] -> mean loss, in float32 or better."""
        cosines = full_precision(scores)
        margins = self.margins[labels].to(cosines.dtype)
        moved = cosines + margins if self.space == "cosine" else narrowed(cosines, margins)
        return cross_entropy(self.scale * moved, labels)
