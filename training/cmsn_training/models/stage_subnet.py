"""The Action Stage Subnet (ASS): two convolutions, a pool over space, a BiLSTM, a classifier (section 3.1)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from cmsn_runtime.stages import STAGE_COUNT
from cmsn_training.losses.softmax import full_precision
from cmsn_training.models.convolution import Convolution
from cmsn_training.models.cosine import CosineClassifier
from cmsn_training.vocabulary import LossKind


class StageEncoder(nn.Module):
    """The CNN of the ASS: processes each moment once, so it streams together with the extractor.

    Its output is both what the BiLSTM reads and what the PES pools (section 3.3).
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv1 = Convolution(in_channels, channels)
        self.conv2 = Convolution(channels, channels)
        self.out_channels = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Extractor features [N, C, n, h, w] -> step features [N, n, C']."""
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        return x.amax(dim=(3, 4)).transpose(1, 2)


class StageClassifier(nn.Module):
    """The rest of the ASS: a 2-layer bidirectional LSTM over the window, then the classifier that the loss needs.

    kind: the loss it is trained with: a linear layer with bias for `softmax`, cosines for the others.
    scale: s of the cosines, the loss's own; `softmax` has none.
    """

    def __init__(
        self,
        in_channels: int,
        hidden: int,
        *,
        dropout: float = 0.5,
        scale: float = 16.0,
        kind: LossKind = "vmcl",
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(in_channels, hidden, num_layers=2, bidirectional=True, batch_first=True, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        linear = kind == "softmax"
        self.classifier = nn.Linear(2 * hidden, STAGE_COUNT) if linear else CosineClassifier(2 * hidden, STAGE_COUNT)
        self.scale = 1.0 if linear else scale

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Step features [N, n, C] -> cosines, or logits, [N, n, 6]."""
        sequence, _ = self.lstm(features)
        scores: torch.Tensor = self.classifier(self.dropout(sequence))
        return scores

    def probabilities(self, features: torch.Tensor) -> torch.Tensor:
        """Step features [N, n, C] -> stage probabilities [N, n, 6]: softmax over s * cosines, or over logits."""
        return torch.softmax(self.scale * full_precision(self(features)), dim=-1)
