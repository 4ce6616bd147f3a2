"""Chooses the stretches of video that a network is calibrated on: spread over videos, motion and light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from cmsn_calibration.excerpts import Excerpt
from cmsn_runtime.pictures.looks import Pixels, look_of

_THIRDS = 3


@dataclass(frozen=True, slots=True)
class Stretch:
    """An excerpt of a video, and what is in it, as a `Look` has it."""

    excerpt: Excerpt
    light: float
    contrast: float
    motion: float
    smoothness: float


def look_at(excerpt: Excerpt, frames: Pixels) -> Stretch:
    """What is in an excerpt: uint8 [T, height, width, 3], at least two frames."""
    return Stretch(excerpt, *astuple(look_of(frames)))


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


def videos_of(stretches: Iterable[Stretch]) -> Mapping[Path, int]:
    """Video -> its number of stretches."""
    return Counter(stretch.excerpt.video for stretch in stretches)
