"""A folder of videos with its ground truth, as frames and segments."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_training.data.cache import FrameCache
from cmsn_training.data.decoding import ensure_all
from cmsn_training.data.finding import VIDEOS_WANTED, Missing, find_videos, those_there
from cmsn_training.data.truth import read_truth, segments_of

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedVideo:
    """frames: uint8 [T, height, width, 3] at the model's rate, or feature rows float32 [T, width].

    segments: float64 [K, 2] seconds.
    """

    name: str
    frames: npt.NDArray[Any]
    segments: npt.NDArray[np.float64]


def load_corpus(
    videos: Path,
    annotations: Path,
    cache: FrameCache,
    *,
    subset: str | None = None,
    missing: Missing = "error",
    decoders: int = 1,
    progress: Callable[[Iterable[tuple[str, Path]]], Iterable[tuple[str, Path]]] = iter,
) -> list[AnnotatedVideo]:
    """Every annotated video of a folder, decoded through the cache.

    annotations: an ActivityNet JSON, or a folder of THUMOS14's files. subset: see `read_truth`. missing: annotated
    videos without a file are an error, or left out with a warning. decoders: see `ensure_all`. progress: wraps the
    iteration, for a progress bar. Faults of the annotations and of the videos are logged as warnings, one line each.

    Raises SettingsError where annotated videos have no file, AnnotationError where the annotations are wrong,
    SourceError where a video cannot be decoded at all.
    """
    truth = read_truth(annotations, subset=subset, note=_LOG.warning)
    found = find_videos(videos, sorted(truth))
    paths = those_there(found, annotations, videos, wanted=VIDEOS_WANTED, missing=missing)
    corpus: list[AnnotatedVideo] = []
    with closing(ensure_all(cache, list(paths.values()), decoders=decoders)) as decoded:
        for name, path in progress(list(paths.items())):
            next(decoded)
            frames = cache.frames(path)
            step, duration = float(cache.grid.step_seconds), len(frames) / float(cache.grid.fps)
            segments = within(segments_of(truth[name]), duration, name, tolerance=step)
            corpus.append(AnnotatedVideo(name, frames, segments))
    return corpus


def within(
    segments: npt.NDArray[np.float64], duration: float, name: str, *, tolerance: float
) -> npt.NDArray[np.float64]:
    """Segments clipped to the video's frames; what lies wholly outside is left out. Both are logged.

    tolerance: seconds that annotations may be off by without a report; durations are rounded everywhere.
    """
    inside = segments[(segments[:, 0] < duration) & (segments[:, 1] > 0)]
    outside = len(segments) - len(inside)
    clipped = int(((inside[:, 1] > duration + tolerance) | (inside[:, 0] < -tolerance)).sum())
    if outside or clipped:
        _LOG.warning(
            "%s: lasts %.3f s; of its %d segments %d lie outside and are left out, %d reach beyond and are clipped",
            name,
            duration,
            len(segments),
            outside,
            clipped,
        )
    return np.clip(inside, 0.0, duration)
