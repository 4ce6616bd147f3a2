"""What is in a stretch of film, in four numbers: light, contrast, motion, smoothness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_LOOKS = 8  # pictures of a stretch that are looked at


@dataclass(frozen=True, slots=True)
class Look:
    """light: mean of the pixels. contrast: their standard deviation. motion: mean absolute difference of neighbouring
    frames. All from 0 to 255. smoothness: correlation of neighbouring pixels, about 0.9 in pictures and 0 in noise.
    """

    light: float
    contrast: float
    motion: float
    smoothness: float


def look_of(frames: Pixels) -> Look:
    """Of frames uint8 [T, height, width, 3], at least two."""
    places = np.unique(np.linspace(0, len(frames) - 2, _LOOKS).astype(int))
    looks, after = _grey(frames[places]), _grey(frames[places + 1])
    return Look(
        light=float(looks.mean()),
        contrast=float(looks.std()),
        motion=float(np.abs(after - looks).mean()),
        smoothness=_smoothness(looks),
    )


def _grey(pixels: Pixels) -> npt.NDArray[np.float32]:
    grey: npt.NDArray[np.float32] = pixels.mean(axis=-1, dtype=np.float32)
    return grey


def _smoothness(looks: npt.NDArray[np.float32]) -> float:
    """Correlation of each pixel with its right neighbour; 1 where all are equal."""
    left, right = looks[:, :, :-1].ravel(), looks[:, :, 1:].ravel()
    if not (left.std() and right.std()):
        return 1.0
    return float(np.corrcoef(left, right)[0, 1])
