"""VMCL for a number in 0..1 instead of a class: 100 classes in a row, v(i) = i (section 5.3)."""

from __future__ import annotations

import torch
from torch import nn

from cmsn_training.losses.vmcl import VariableMarginCosineLoss

CLASSES = 100


def class_centres() -> torch.Tensor:
    """Middle of each class's interval, float32 [100]: 0.005, 0.015, ..., 0.995."""
    return (torch.arange(CLASSES) + 0.5) / CLASSES


def classes_of(values: torch.Tensor) -> torch.Tensor:
    """Numbers in 0..1 [...] -> the class whose interval holds each, int64 [...]; 1 is in the last."""
    return (values * CLASSES).long().clamp(0, CLASSES - 1)


def expected_values(cosines: torch.Tensor, *, scale: float, centres: torch.Tensor) -> torch.Tensor:
    """Cosines [..., 100] -> the mean of the classes' centres under softmax(scale * cosines) [...]."""
    return (torch.softmax(scale * cosines, dim=-1) * centres).sum(
        -1
    )  # no matmul: autocast would run it in half precision


class VariableMarginRegressionLoss(nn.Module):
    """Equation 5 with the margins of equation 6 as printed, f(j, i) = |j - i| * m + n.

    m, n: neighbours differ by a tIoU of 0.01 and need hardly be separated, so n = 0; with m = 0.005 the ends of 0..1
        are kept about 0.5 apart, as much as the farthest stages are. The paper gives neither.
    scale: s; CosFace's bound for 100 classes at p = 0.999 is about 11.4.
    """

    def __init__(self, *, m: float = 0.005, n: float = 0.0, scale: float = 16.0) -> None:
        super().__init__()
        places = [(place,) for place in range(CLASSES)]
        self.scale = scale
        self.loss = VariableMarginCosineLoss(m=m, n=n, scale=scale, form="printed", values=places)

    def forward(self, scores: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Cosines [..., 100] and true numbers 0..1 [...] -> mean loss, in float32 or better."""
        loss: torch.Tensor = self.loss(scores, classes_of(values))
        return loss
