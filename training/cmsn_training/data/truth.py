"""Ground truth of either kind: an ActivityNet JSON, or the folder of THUMOS14's annotation files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from cmsn_runtime.annotations import VideoAnnotations, read_annotations
from cmsn_runtime.errors import SettingsError
from cmsn_training.data.thumos14 import read_thumos14
from cmsn_training.evaluation.tiou import Spans


def read_truth(
    path: Path,
    *,
    ambiguous: Literal["drop", "keep"] = "drop",
    subset: str | None = None,
    tell: Callable[[str], object] = lambda line: None,
) -> dict[str, VideoAnnotations]:
    """Video -> its annotations.

    ambiguous: what becomes of THUMOS14's Ambiguous ones. subset: only the entries of this one ("training",
    "validation"); none takes all. tell: is called with each line about what was mended, left out, or taken together.
    Raises AnnotationError, and SettingsError where the subset is not there.
    """
    if path.is_dir():
        if subset is not None:
            raise SettingsError(f"{path}: a folder of THUMOS14 is one subset; leave {subset!r} out and give its folder")
        thumos = read_thumos14(path, ambiguous=ambiguous)
        for fault in thumos.faults:
            tell(fault)
        return thumos.videos
    videos = read_annotations(path)
    if subset is not None:
        return _only(videos, subset, path)
    if len({video.subset for video in videos.values()}) > 1:
        tell(f"{path}: holds several subsets ({_subsets(videos)}), all are taken; name one to take it alone")
    return videos


def _only(videos: Mapping[str, VideoAnnotations], subset: str, path: Path) -> dict[str, VideoAnnotations]:
    chosen = {name: video for name, video in videos.items() if video.subset == subset}
    if not chosen:
        raise SettingsError(f"{path}: no entry is of subset {subset!r}; it holds {_subsets(videos)}")
    return chosen


def _subsets(videos: Mapping[str, VideoAnnotations]) -> str:
    counts = Counter(video.subset or "none" for video in videos.values())
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())) or "no entry"


def segments_of(video: VideoAnnotations) -> Spans:
    """Its true segments in seconds, float64 [K, 2]."""
    return np.array([(one.start, one.end) for one in video.annotations], dtype=np.float64).reshape(-1, 2)
