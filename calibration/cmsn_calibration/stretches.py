"""Chooses the stretches of video that a network is calibrated on: spread over videos, motion and light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_calibration.excerpts import Excerpt

Pixels = npt.NDArray[np.uint8]

_THIRDS = 3
_LOOKS = 8  # pictures of a stretch that are looked at


@dataclass(frozen=True, slots=True)
class Stretch:
    """An excerpt of a video, and what is in it.

    light: mean of the pixels. contrast: their standard deviation. motion: mean absolute difference of neighbouring
    frames. All from 0 to 255. smoothness: correlation of neighbouring pixels, about 0.9 in pictures and 0 in noise.
    """

    excerpt: Excerpt
    light: float
    contrast: float
    motion: float
    smoothness: float


def look_at(excerpt: Excerpt, frames: Pixels) -> Stretch:
    """What is in an excerpt: uint8 [T, height, width, 3], at least two frames."""
    places = np.unique(np.linspace(0, len(frames) - 2, _LOOKS).astype(int))
    looks, after = _grey(frames[places]), _grey(frames[places + 1])
    return Stretch(
        excerpt,
        light=float(looks.mean()),
        contrast=float(looks.std()),
        motion=float(np.abs(after - looks).mean()),
        smoothness=_smoothness(looks),
    )


def choose(found: Iterable[Stretch], *, count: int, seed: int) -> tuple[Stretch, ...]:
    """So many of the stretches, or all where there are fewer; in order of video and time.

    The stretches are divided into thirds by motion and each of these by light. The next one taken is of a video that
    has given the fewest so far, and among these of a part that has; the seed decides between equals. The order in which
    the videos come does not matter.
    """
    pool = sorted(found, key=_place)
    part_of = {stretch: number for number, part in enumerate(_parts(pool)) for stretch in part}
    left = [pool[place] for place in np.random.default_rng(seed).permutation(len(pool))]
    taken: list[Stretch] = []
    of_video: Counter[Path] = Counter()
    of_part: Counter[int] = Counter()
    while left and len(taken) < count:
        best = min(left, key=lambda stretch: (of_video[stretch.excerpt.video], of_part[part_of[stretch]]))
        left.remove(best)
        taken.append(best)
        of_video[best.excerpt.video] += 1
        of_part[part_of[best]] += 1
    return tuple(sorted(taken, key=_place))


def _place(stretch: Stretch) -> tuple[str, Fraction]:
    return str(stretch.excerpt.video), stretch.excerpt.begin


def _parts(pool: Sequence[Stretch]) -> Iterator[Sequence[Stretch]]:
    by_motion = sorted(pool, key=lambda stretch: stretch.motion)
    for third in _thirds(by_motion):
        yield from _thirds(sorted(third, key=lambda stretch: stretch.light))


def _thirds(items: Sequence[Stretch]) -> Iterator[Sequence[Stretch]]:
    for index in range(_THIRDS):
        yield items[len(items) * index // _THIRDS : len(items) * (index + 1) // _THIRDS]


def _grey(pixels: Pixels) -> npt.NDArray[np.float32]:
    grey: npt.NDArray[np.float32] = pixels.mean(axis=-1, dtype=np.float32)
    return grey


def _smoothness(looks: npt.NDArray[np.float32]) -> float:
    """Correlation of each pixel with its right neighbour; 1 where all are equal."""
    left, right = looks[:, :, :-1].ravel(), looks[:, :, 1:].ravel()
    if not (left.std() and right.std()):
        return 1.0
    return float(np.corrcoef(left, right)[0, 1])


def videos_of(stretches: Iterable[Stretch]) -> Mapping[Path, int]:
    """Video -> its number of stretches."""
    return Counter(stretch.excerpt.video for stretch in stretches)
