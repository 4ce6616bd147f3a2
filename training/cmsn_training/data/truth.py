"""Ground truth of either kind: an ActivityNet JSON, or the folder of THUMOS14's annotation files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from cmsn_runtime.annotations import VideoAnnotations, read_annotations
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.truth import counted_subsets, only_subset
from cmsn_training.data.thumos14 import read_thumos14
from cmsn_training.evaluation.tiou import Spans


def read_truth(
    path: Path,
    *,
    ambiguous: Literal["drop", "keep"] = "drop",
    subset: str | None = None,
    note: Callable[[str], object] = lambda line: None,
) -> dict[str, VideoAnnotations]:
    """Video -> its annotations.

    ambiguous: how THUMOS14's Ambiguous segments are treated. subset: only the entries of this one ("training",
    "validation"); None takes all. note: is called with each line about what was changed, left out, or merged.
    Raises AnnotationError, and SettingsError where the subset does not exist.
    """
    videos = read_whole_truth(path, ambiguous=ambiguous, note=note)
    if subset is not None:
        return truth_subset(videos, subset, path)
    if len({video.subset for video in videos.values()}) > 1:
        counts = counted_subsets(videos.values())
        note(f"{path}: holds several subsets ({counts}), all are used; name one to use it alone")
    return videos


def read_whole_truth(
    path: Path, *, ambiguous: Literal["drop", "keep"], note: Callable[[str], object]
) -> dict[str, VideoAnnotations]:
    """Video -> its annotations, of all subsets; see `read_truth`. Raises AnnotationError."""
    if not path.is_dir():
        return read_annotations(path, note=note)
    thumos = read_thumos14(path, ambiguous=ambiguous)
    if thumos.account:
        note(str(thumos.account))
    return thumos.videos


def truth_subset(videos: Mapping[str, VideoAnnotations], subset: str, path: Path) -> dict[str, VideoAnnotations]:
    """The entries of one subset. Raises SettingsError where there is no such subset."""
    if path.is_dir():
        raise SettingsError(f"{path}: a folder of THUMOS14 is one subset; omit {subset!r} and give its folder")
    return only_subset(videos, subset, path)


def segments_of(video: VideoAnnotations) -> Spans:
    """Its true segments in seconds, float64 [K, 2]."""
    return np.array([(one.start, one.end) for one in video.annotations], dtype=np.float64).reshape(-1, 2)
