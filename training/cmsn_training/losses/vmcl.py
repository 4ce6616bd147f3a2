"""Variable Margin Cosine Loss: larger margins between stages that must not be mixed up (section 4.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from cmsn_runtime.errors import SettingsError
from cmsn_training.losses.angles import narrowed
from cmsn_training.losses.softmax import cross_entropy, full_precision

MarginForm = Literal["worked-example", "printed"]
MarginSpace = Literal["cosine", "angle"]

# Figure 4: the six stages on a cycle laid out twice on 0..15, so that Follow and Background are neighbours too.
# The gaps between Ready and Start and between End and Follow are what the paper makes large.
STAGE_VALUES: tuple[tuple[int, ...], ...] = ((0, 8), (1, 9), (3, 11), (4, 12), (5, 13), (7, 15))


def stage_margins(
    m: float,
    n: float,
    *,
    values: Sequence[Sequence[int]] = STAGE_VALUES,
    form: MarginForm = "worked-example",
) -> torch.Tensor:
    """Margins f(j, i) between class j and the true class i, float32 [classes, classes], row = true class.

    m: growth of the margin with the distance of the two classes. n: the minimum margin.
    form: `worked-example` is (min|v(j) - v(i)| - 1) * m + n, which gives the figures the paper works out
        (Ready against the others: 0.15, 0, 0.25, 0.35, 0.45, 0.25) and makes n the minimum the text says it is;
        `printed` is equation 7 to the letter, min|v(j) - v(i)| * m + n, which gives 0.1 more.
    """
    offset = 1 if form == "worked-example" else 0

    def margin(i: int, j: int) -> float:
        distance = min(abs(a - b) for a in values[i] for b in values[j])
        return 0.0 if i == j else (distance - offset) * m + n

    classes = range(len(values))
    return torch.tensor([[margin(i, j) for j in classes] for i in classes])


class VariableMarginCosineLoss(nn.Module):
    """Equations 5 and 8: cross-entropy over s * cosine, a margin f(j, i) against every class but the true one.

    m, n: see `stage_margins`, both at least 0. form: likewise.
    scale: s, which the paper never gives; CosFace's bound for 6 classes at p = 0.999 is about 7, 16 is ours.
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
        margins = stage_margins(m, n, values=values, form=form)
        if not (m >= 0 and n >= 0):
            raise SettingsError(f"margins m = {m}, n = {n} of VMCL: give 0 or more; 0 and 0 is a normalised softmax")
        if space == "angle" and not margins.max() <= math.pi:
            raise SettingsError(
                f"m = {m}, n = {n} give VMCL margins up to {margins.max():.2f}; as angles they end at pi: lower m or n"
            )
        self.scale, self.space = scale, space
        self.register_buffer("margins", margins, persistent=False)

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Cosines [..., classes] and labels int64 [...] -> mean loss, in float32 or better."""
        cosines = full_precision(scores)
        margins = self.margins[labels].to(cosines.dtype)
        moved = cosines + margins if self.space == "cosine" else narrowed(cosines, margins)
        return cross_entropy(self.scale * moved, labels)
