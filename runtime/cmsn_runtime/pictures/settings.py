"""How a picture is prepared for the model; part of every bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cmsn_runtime.checking import require
from cmsn_runtime.errors import SettingsError

ChannelOrder = Literal["rgb", "bgr"]
FlowMethod = Literal["dis", "tv-l1"]


@dataclass(frozen=True, slots=True)
class FlowSettings:
    """Optical flow from each model frame to the next, as TSN stores it (Wang et al., ECCV 2016).

    method: `dis` (Kroeger et al., ECCV 2016), or `tv-l1` (Zach et al., DAGM 2007), TSN's own, many times as slow.
    bound: pixels per frame; displacements are clipped at it, and -bound..bound becomes 0..255.
    warped: the camera's own motion, a homography, is taken out first.
    """

    method: FlowMethod = "dis"
    bound: float = 20.0
    warped: bool = False

    def __post_init__(self) -> None:
        require(0 < self.bound < 1000, "flow.bound", self.bound, "above 0 and below 1000 pixels")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Resize (bilinear, as libswscale does it), centre crop, optical flow; the rest happens inside the graph.

    resize: (height, width) in pixels to which the whole picture is scaled.
    crop: (height, width) of its centre, which the extractor takes.
    mean, scale: the graph computes (pixel - mean) * scale per channel, in `channels` order, 0..255 pixels.
    channels: order of the channels the weights were trained with. Frames are always RGB; the graph reorders.
    flow: where set, two channels are appended to the three: horizontal and vertical flow of the crop.
    """

    resize: tuple[int, int] = (128, 171)
    crop: tuple[int, int] = (112, 112)
    mean: tuple[float, float, float] = (90.0, 98.0, 102.0)
    scale: float = 1.0
    channels: ChannelOrder = "bgr"
    flow: FlowSettings | None = None

    def __post_init__(self) -> None:
        if self.crop[0] > self.resize[0] or self.crop[1] > self.resize[1] or min(self.crop) < 16:
            raise SettingsError(
                f"crop {self.crop} of pictures resized to {self.resize}: "
                "it must fit inside, and have at least 16 pixels in each direction (the extractor scales by 16)"
            )

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of a picture as the extractor takes it."""
        return (*self.crop, 3 if self.flow is None else 5)
