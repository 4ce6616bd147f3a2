"""Ground truth of either kind: an ActivityNet JSON, or the folder of THUMOS14's annotation files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from cmsn_runtime.annotations import VideoAnnotations, read_annotations
from cmsn_training.data.thumos14 import read_thumos14
from cmsn_training.evaluation.tiou import Spans


def read_truth(path: Path, *, ambiguous: Literal["drop", "keep"] = "drop") -> dict[str, VideoAnnotations]:
    """Video -> its annotations. ambiguous: what becomes of THUMOS14's Ambiguous ones. Raises AnnotationError."""
    return read_thumos14(path, ambiguous=ambiguous).videos if path.is_dir() else read_annotations(path)


def segments_of(video: VideoAnnotations) -> Spans:
    """Its true segments in seconds, float64 [K, 2]."""
    return np.array([(one.start, one.end) for one in video.annotations], dtype=np.float64).reshape(-1, 2)
