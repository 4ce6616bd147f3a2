"""Variable Margin Cosine Loss: larger margins between stages that must not be mixed up (section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

MarginForm = Literal["worked-example", "printed"]

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
    count = len(values)
    margins = torch.zeros(count, count)
    for i in range(count):
        for j in range(count):
            if i != j:
                distance = min(abs(a - b) for a in values[i] for b in values[j])
                margins[i, j] = (distance - offset) * m + n
    return margins


class VariableMarginCosineLoss(nn.Module):
    """Equation 5: cross-entropy over s * cosine, the margin f(j, i) added to every class but the true one.

    scale: s, which the paper never gives; CosFace's bound for 6 classes at p = 0.999 is about 7, 16 is ours.
    """

    margins: torch.Tensor

    def __init__(
        self, *, m: float = 0.1, n: float = 0.15, scale: float = 16.0, form: MarginForm = "worked-example"
    ) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("margins", stage_margins(m, n, form=form), persistent=False)

    def forward(self, cosines: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Cosines [..., classes] and true classes int64 [...] -> mean loss, computed in float32."""
        logits = cosines.float() + self.margins[labels]
        return F.cross_entropy(self.scale * logits.flatten(0, -2), labels.flatten())
