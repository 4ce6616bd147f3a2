"""C3D from conv1a to conv5b: the feature extractor subnet (paper, section 3.1 and 5.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from cmsn_training.models.convolution import Convolution

TIME_STRIDE = 8  # frames in one feature step: pools 2, 3 and 4 halve the time axis
SPACE_STRIDE = 16  # pixels in one feature cell: all four pools halve the picture


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One 3x3x3 convolution and the max-pool after it: (time, height, width), or none."""

    name: str
    channels: int  # of the output, at width 1
    pool: tuple[int, int, int] | None


C3D_LAYERS = (
    LayerSpec("conv1a", 64, (1, 2, 2)),
    LayerSpec("conv2a", 128, (2, 2, 2)),
    LayerSpec("conv3a", 256, None),
    LayerSpec("conv3b", 256, (2, 2, 2)),
    LayerSpec("conv4a", 512, None),
    LayerSpec("conv4b", 512, (2, 2, 2)),
    LayerSpec("conv5a", 512, None),
    LayerSpec("conv5b", 512, None),
)


def scaled(channels: int, width: float) -> int:
    """Channels of a layer that has `channels` at width 1."""
    return max(1, round(channels * width))


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
            x = F.relu(x)  # after the pool, which changes nothing but the time it takes
        return x
