"""Views of a picture that rows are computed from: its centre, corners, and mirror images (TSN)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmsn_training.extractor_config import Crops

Pixels = npt.NDArray[np.uint8]

_PLACES = {"centre": (0.5, 0.5), "top-left": (0, 0), "top-right": (0, 1), "bottom-left": (1, 0), "bottom-right": (1, 1)}


@dataclass(frozen=True, slots=True)
class PictureView:
    """A crop at a share (down, right) of the space around it; mirrored left to right where `mirrored`."""

    name: str
    place: tuple[float, float]
    mirrored: bool = False

    def of(self, picture: Pixels, crop: tuple[int, int]) -> Pixels:
        """Uint8 [H, W, 3] -> [crop height, crop width, 3]."""
        space = picture.shape[0] - crop[0], picture.shape[1] - crop[1]
        top, left = (int(share * room) for share, room in zip(self.place, space, strict=True))
        cut = picture[top : top + crop[0], left : left + crop[1]]
        return np.ascontiguousarray(cut[:, ::-1] if self.mirrored else cut)


CENTRE = PictureView("centre", (0.5, 0.5))


def views(crops: Crops) -> list[PictureView]:
    """The views of a setting, the centre first."""
    upright = [PictureView(name, place) for name, place in _PLACES.items()]
    if crops == "centre":
        return [CENTRE]
    if crops == "mirrored":
        return [CENTRE, PictureView("centre, mirrored", CENTRE.place, mirrored=True)]
    mirrored = [PictureView(f"{view.name}, mirrored", view.place, mirrored=True) for view in upright]
    return upright if crops == "five" else upright + mirrored
