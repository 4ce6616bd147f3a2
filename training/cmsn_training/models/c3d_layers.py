"""C3D's layers as a table (paper, section 5.1); importing it loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

TIME_STRIDE = 8  # frames in one feature step: pools 2, 3 and 4 halve the time axis


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One 3x3x3 convolution and the max-pool after it: (time, height, width), or None."""

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
