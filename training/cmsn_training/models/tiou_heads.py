"""Last layers of the PES: from hidden units to a predicted tIoU, each with its loss."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from cmsn_training.losses.regression import CLASSES, VariableMarginRegressionLoss, class_centres, expected_values
from cmsn_training.losses.softmax import full_precision
from cmsn_training.models.cosine import CosineClassifier
from cmsn_training.vocabulary import HeadKind


class SigmoidHead(nn.Linear):
    """One unit, squashed to 0..1 and fitted by Smooth L1 (section 3.4)."""

    def __init__(self, features: int) -> None:
        super().__init__(features, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Hidden units [K, F] -> predicted tIoU [K], in float32 or better."""
        return torch.sigmoid(full_precision(super().forward(x))).squeeze(-1)

    def loss(self, x: torch.Tensor, tiou: torch.Tensor) -> torch.Tensor:
        """Hidden units [K, F] and true tIoU [K] -> mean Smooth L1."""
        return F.smooth_l1_loss(self(x), tiou)


class VariableMarginHead(CosineClassifier):
    """100 cosine classes over 0..1, fitted by VMCL; predicts their expectation (section 5.3)."""

    centres: torch.Tensor

    def __init__(self, features: int) -> None:
        super().__init__(features, CLASSES)
        self.criterion = VariableMarginRegressionLoss()
        self.register_buffer("centres", class_centres(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Hidden units [K, F] -> predicted tIoU [K], in float32 or better."""
        return expected_values(super().forward(x), scale=self.criterion.scale, centres=self.centres)

    def loss(self, x: torch.Tensor, tiou: torch.Tensor) -> torch.Tensor:
        """Hidden units [K, F] and true tIoU [K] -> mean VMCL."""
        loss: torch.Tensor = self.criterion(super().forward(x), tiou)
        return loss


def build_head(kind: HeadKind, features: int) -> SigmoidHead | VariableMarginHead:
    """The head of a kind, for `features` hidden units."""
    return SigmoidHead(features) if kind == "sigmoid" else VariableMarginHead(features)
