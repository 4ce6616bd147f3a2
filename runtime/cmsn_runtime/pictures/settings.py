"""How a picture is prepared for the model; part of every bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cmsn_runtime.errors import SettingsError

ChannelOrder = Literal["rgb", "bgr"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Resize (bilinear, as libswscale does it), centre crop; the rest happens inside the graph.

    resize: (height, width) in pixels to which the whole picture is scaled.
    crop: (height, width) of its centre, which the extractor takes.
    mean, scale: the graph computes (pixel - mean) * scale per channel, in `channels` order, 0..255 pixels.
    channels: order of the channels the weights were trained with. Frames are always RGB; the graph reorders.
    """

    resize: tuple[int, int] = (128, 171)
    crop: tuple[int, int] = (112, 112)
    mean: tuple[float, float, float] = (90.0, 98.0, 102.0)
    scale: float = 1.0
    channels: ChannelOrder = "bgr"

    def __post_init__(self) -> None:
        if self.crop[0] > self.resize[0] or self.crop[1] > self.resize[1] or min(self.crop) < 16:
            raise SettingsError(
                f"crop {self.crop} of pictures resized to {self.resize}: "
                "it must fit inside, and have at least 16 pixels in each direction (the extractor scales by 16)"
            )
