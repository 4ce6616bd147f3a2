"""Says what is wrong with the videos that a network is to be calibrated on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cmsn_calibration.stretches import Stretch, videos_of

_FEWEST_STRETCHES, _FEWEST_VIDEOS = 20, 3
_DARK, _FLAT, _STILL, _NOISY = 8.0, 2.0, 0.05, 0.3
_FAR = 3.0  # standard deviations of the training's pictures
_LEAST_SPREAD = 0.05  # of a mean: what is alike in a training may differ as much
_SOME, _MANY = 0.1, 0.5  # of the stretches


def faults(stretches: Sequence[Stretch]) -> Iterator[str]:
    """What makes ranges of these stretches worthless, each in one line; nothing where they will do."""
    if not stretches:
        yield "there is no video with two frames or more; give --videos a folder of videos as the cameras record them"
    elif sum(map(len, _useless(stretches).values())) > _MANY * len(stretches):
        yield (
            f"{_listed(stretches)}; a network that is calibrated on them is wrong on real pictures; take videos as the "
            "cameras record them"
        )


def doubts(stretches: Sequence[Stretch]) -> Iterator[str]:
    """What may make the ranges too narrow or too wide, each in one line."""
    videos = videos_of(stretches)
    if len(stretches) < _FEWEST_STRETCHES or len(videos) < _FEWEST_VIDEOS:
        yield (
            f"{len(stretches)} stretches of {len(videos)} videos are few; at least {_FEWEST_STRETCHES} of "
            f"{_FEWEST_VIDEOS} are better: other light or motion may exceed the ranges"
        )
    if sum(map(len, _useless(stretches).values())) > _SOME * len(stretches):
        yield f"{_listed(stretches)}; the ranges are theirs too; leave such videos out"
    still = [item for item in stretches if item.motion < _STILL]
    if len(still) > _MANY * len(stretches):
        yield (
            f"{len(still)} of {len(stretches)} stretches are frozen ({_examples(still)}); nothing moves in them, and "
            "actions may exceed the ranges; add videos with actions"
        )


def strangeness(stretches: Sequence[Stretch], training: object) -> Iterator[str]:
    """Where the pictures are unlike those of the training, in one line.

    training: of a manifest's training, "pictures": figure -> mean and standard deviation; None for a bundle that
    does not know them.
    """
    if not isinstance(training, Mapping) or not stretches:
        return
    far = []
    for name, (mean, spread) in training.items():
        found = float(np.mean([getattr(item, name) for item in stretches]))
        if abs(found - mean) > _FAR * max(spread, _LEAST_SPREAD * abs(mean)):
            far.append(f"{name} {found:.3g} instead of {mean:.3g} +- {spread:.2g}")
    if far:
        yield (
            f"the pictures are unlike those that the network was trained on ({', '.join(far)}); their ranges may be "
            "right and the network still wrong on them: compare with labels, or train on such videos"
        )


def _useless(stretches: Sequence[Stretch]) -> Mapping[str, Sequence[Stretch]]:
    """Kind -> the stretches of it: what no camera records."""
    lit = [item for item in stretches if item.light >= _DARK]
    return {
        "black": [item for item in stretches if item.light < _DARK],
        "of one colour": [item for item in lit if item.contrast < _FLAT],
        "noise": [item for item in lit if item.contrast >= _FLAT and item.smoothness < _NOISY],
    }


def _listed(stretches: Sequence[Stretch]) -> str:
    found = [f"{len(items)} {kind} ({_examples(items)})" for kind, items in _useless(stretches).items() if items]
    return f"of {len(stretches)} stretches, {', '.join(found)}"


def _examples(stretches: Sequence[Stretch]) -> str:
    names = [video.name for video in videos_of(stretches)]
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
