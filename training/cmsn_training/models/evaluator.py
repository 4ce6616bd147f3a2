"""The Proposal Evaluation Subnet (PES): temporal RoI max-pooling, two hidden layers, one score (section 3.3)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from cmsn_training.models.tiou_heads import build_head
from cmsn_training.vocabulary import HeadKind


def sparse_max_table(features: torch.Tensor, levels: int) -> torch.Tensor:
    """Step features [n, C] -> [levels * n, C]: row l * n + i is the maximum over the 2**l steps from i on.

    With it the maximum over any span is the larger of two rows, whatever the span's length: RoI
    max-pooling becomes two gathers, in plain operators that every inference engine has.
    Rows that would extend past the end hold the maximum over the steps that exist.
    """
    steps = features.shape[0]
    index = torch.arange(steps, device=features.device)
    rows = [features]
    for level in range(1, levels):
        behind = torch.clamp(index + 2 ** (level - 1), max=steps - 1)
        rows.append(torch.maximum(rows[-1], rows[-1][behind]))
    return torch.cat(rows)


class ProposalEvaluator(nn.Module):
    """Predicts the tIoU of a candidate proposal with the action it overlaps.

    bins: temporal bins of the RoI pooling. hidden: units of both hidden layers (2048 in the paper).
    levels: levels of the sparse table, 7 for windows of 64 to 127 steps. head: the last layer and its loss.
    """

    def __init__(
        self,
        in_channels: int,
        hidden: int,
        *,
        bins: int = 8,
        levels: int = 7,
        dropout: float = 0.5,
        head: HeadKind = "sigmoid",
    ) -> None:
        super().__init__()
        self.levels = levels
        self.fc1 = nn.Linear(bins * in_channels, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.score = build_head(head, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Step features [n, C], table rows left and right [K, bins] -> predicted tIoU [K] in 0..1."""
        predicted: torch.Tensor = self.score(self._hidden(features, left, right))
        return predicted

    def loss(self, features: torch.Tensor, left: torch.Tensor, right: torch.Tensor, tiou: torch.Tensor) -> torch.Tensor:
        """The same and the true tIoU [K] -> mean loss of the head."""
        loss: torch.Tensor = self.score.loss(self._hidden(features, left, right), tiou)
        return loss

    def _hidden(self, features: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """RoI max-pooling and both hidden layers -> [K, hidden]."""
        table = sparse_max_table(features, self.levels)
        pooled = torch.maximum(table[left], table[right])  # [K, bins, C]
        x = self.dropout(F.relu(self.fc1(pooled.flatten(1))))
        hidden: torch.Tensor = self.dropout(F.relu(self.fc2(x)))
        return hidden
