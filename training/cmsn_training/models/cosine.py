"""A classifier by angles: cosines between features and one weight vector per class (equation 4)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from cmsn_training.losses.softmax import full_precision

# A feature shorter than this is not scaled up to length 1: 1 / length is the slope of its cosines, and half precision
# ends at 65,504.
_SHORTEST = 1e-3


def unit_vectors(x: torch.Tensor) -> torch.Tensor:
    """Vectors [..., F] -> the same at length 1, in float32 or better; those shorter than 0.001 stay shorter than 1.

    Finite, and with finite gradients, for zeros and for values whose squares float32 cannot hold.
    """
    x = full_precision(x)
    # Dividing by a constant changes neither the direction nor, therefore, the gradient.
    peak = x.detach().abs().amax(dim=-1, keepdim=True).clamp_min(1.0)
    return F.normalize(x / peak, dim=-1, eps=_SHORTEST)


class CosineClassifier(nn.Module):
    """Cosine between a feature and one weight vector per class: no bias, both normalised (equation 4)."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, features))
        nn.init.xavier_normal_(self.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features [..., F] -> cosines [..., classes], never in half precision, which loses too much in norms."""
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(unit_vectors(x), unit_vectors(self.weight))
