"""Labels of the videos that a calibration compares on, and which of these videos it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cmsn_runtime.annotations import read_annotations
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.names import ByName, first_few
from cmsn_training.evaluation import Spans


def labels_of(annotations: Sequence[Path], videos: Sequence[Path]) -> Mapping[str, Spans]:
    """Labels, [G, 2] in seconds, by the paths of the videos; those of other videos are left out.

    Raises SettingsError where a file has none of these videos, two videos have the name of an entry, or two files have
    an entry of one video.
    """
    found: dict[str, Spans] = {}
    for path in annotations:
        labels = _labels_in(path, videos)
        twice = sorted(set(labels) & set(found))
        if twice:
            raise SettingsError(f"{path}: another --annotations has labels of {first_few(twice)} too; give one of them")
        found |= labels
    return found


def chosen_videos(videos: Sequence[Path], truth: Mapping[str, Spans], most: int) -> list[Path]:
    """At most so many, those with labels where there are any; evenly spread over the list."""
    labelled = [video for video in videos if str(video) in truth]
    pool = labelled or list(videos)
    return pool[:: max(1, -(-len(pool) // most))][:most]


def _labels_in(path: Path, videos: Sequence[Path]) -> Mapping[str, Spans]:
    by_name = ByName(read_annotations(path))
    entries = {str(video): by_name.get(video.stem) for video in videos}
    labelled = {
        name: np.array([(item.start, item.end) for item in entry.annotations]).reshape(-1, 2)
        for name, entry in entries.items()
        if entry is not None
    }
    stems = Counter(Path(name).stem for name in labelled)
    twice = sorted(stem for stem, count in stems.items() if count > 1)
    if twice:
        raise SettingsError(
            f"{path}: {first_few(twice)} names more than one video; give each its own name, or another folder"
        )
    if not labelled:
        raise SettingsError(f"{path}: none of its entries is one of the videos; NAME, v_NAME and NAME.mp4 are one")
    return labelled
