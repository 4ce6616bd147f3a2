"""The Action Stage Subnet (ASS): two convolutions, a pool over space, a BiLSTM, a cosine classifier (section 3.1)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from cmsn_runtime.stages import STAGE_COUNT
from cmsn_training.models.convolution import Convolution


class StageEncoder(nn.Module):
    """The CNN of the ASS: looks at each moment once, so it streams together with the extractor.

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


class CosineClassifier(nn.Module):
    """Cosine between a feature and one weight vector a class: no bias, both normalised (equation 4)."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, features))
        nn.init.xavier_normal_(self.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features [..., F] -> cosines [..., classes], always in float32: norms lose too much in half precision."""
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(F.normalize(x.float(), dim=-1), F.normalize(self.weight.float(), dim=-1))


class StageClassifier(nn.Module):
    """The rest of the ASS: a 2-layer bidirectional LSTM over the window, then the cosine classifier."""

    def __init__(self, in_channels: int, hidden: int, *, dropout: float = 0.5, scale: float = 16.0) -> None:
        super().__init__()
        self.lstm = nn.LSTM(in_channels, hidden, num_layers=2, bidirectional=True, batch_first=True, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.classifier = CosineClassifier(2 * hidden, STAGE_COUNT)
        self.scale = scale

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Step features [N, n, C] -> cosines [N, n, 6]."""
        sequence, _ = self.lstm(features)
        cosines: torch.Tensor = self.classifier(self.dropout(sequence))
        return cosines

    def probabilities(self, features: torch.Tensor) -> torch.Tensor:
        """Step features [N, n, C] -> stage probabilities [N, n, 6]: softmax over s times the cosines."""
        return torch.softmax(self.scale * self(features), dim=-1)
