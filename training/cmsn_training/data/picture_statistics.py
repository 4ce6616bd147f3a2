"""Light, contrast and motion of the pictures that a model is trained on, for whoever shows it others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from cmsn_runtime.pictures.looks import Look, Pixels, look_of

_FRAMES = 100  # of a place
_PLACES = 4  # of a video

# Figure of a Look -> its mean and standard deviation.
PictureStatistics = dict[str, list[float]]


def picture_statistics(videos: Sequence[Pixels]) -> PictureStatistics:
    """Over places of 100 frames, four of each video, evenly spread.

    videos: uint8 [T, height, width, 3] each; those with a single frame are left out. Empty where no others are there.
    """
    looks = [asdict(look) for frames in videos for look in _looks(frames)]
    return {
        name: [round(float(np.mean(values)), 4), round(float(np.std(values)), 4)]
        for name in (Look.__dataclass_fields__ if looks else ())
        for values in [[look[name] for look in looks]]
    }


def _looks(frames: Pixels) -> list[Look]:
    if len(frames) < 2:
        return []
    begins = np.unique(np.linspace(0, max(0, len(frames) - _FRAMES), _PLACES).astype(int))
    return [look_of(frames[begin : begin + _FRAMES]) for begin in begins]
