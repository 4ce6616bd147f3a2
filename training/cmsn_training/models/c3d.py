"""C3D from conv1a to conv5b: the feature extractor subnet (paper, section 3.1 and 5.1)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from cmsn_training.models.c3d_layers import C3D_LAYERS, scaled
from cmsn_training.models.convolution import Convolution


class C3D(nn.Module):
    """The eight convolutions of C3D with their four pools; `width` scales every layer (1.0: 64..512)."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        self.out_channels = scaled(C3D_LAYERS[-1].channels, width)
        channels = 3
        for spec in C3D_LAYERS:
            conv = Convolution(channels, scaled(spec.channels, width))
            self.add_module(spec.name, conv)
            channels = conv.out_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised frames [N, 3, T, H, W] -> features [N, C, T // 8, H // 16, W // 16]."""
        for spec in C3D_LAYERS:
            x = self.get_submodule(spec.name)(x)
            if spec.pool is not None:
                x = F.max_pool3d(x, spec.pool)
            x = F.relu(x)  # after the pool, which gives the same result faster
        return x
