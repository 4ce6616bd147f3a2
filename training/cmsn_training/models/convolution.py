"""A 3x3x3 convolution that can be trained with batch normalisation, which is folded into its weights afterwards."""

from __future__ import annotations

import torch
from torch import nn

# A window is a batch of one scene: the running statistics must cover many.
_MOMENTUM = 0.02


class Convolution(nn.Conv3d):
    """3x3x3, zero-padded. The paper's C3D has no normalisation and starts from pre-trained weights; from scratch
    it hardly learns. So a training from scratch adds batch normalisation, and folds it into the weights at the end:
    what is exported is the paper's network.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)
        self.norm: nn.BatchNorm3d | None = None
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, T, H, W] -> [N, C', T, H, W]."""
        y = super().forward(x)
        if self.norm is not None:
            y = self.norm(y)
        return y

    def add_norm(self) -> None:
        """Normalise the output from now on."""
        self.norm = nn.BatchNorm3d(self.out_channels, momentum=_MOMENTUM)

    @torch.no_grad()
    def fold_norm(self) -> None:
        """Fold the normalisation, with its running statistics, into weight and bias."""
        norm = self.norm
        if norm is None or self.bias is None or norm.running_mean is None or norm.running_var is None:
            return
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        self.weight.mul_(gain[:, None, None, None, None])
        self.bias.sub_(norm.running_mean).mul_(gain).add_(norm.bias)
        self.norm = None


def convolutions(module: nn.Module) -> list[Convolution]:
    """All convolutions of this class in a network."""
    return [part for part in module.modules() if isinstance(part, Convolution)]
