"""A folder of videos with its ground truth, as frames and segments."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError
from cmsn_training.data.cache import FrameCache
from cmsn_training.data.truth import read_truth, segments_of

_LOG = logging.getLogger(__name__)
_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".ts")


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
    progress: Callable[[Iterable[tuple[str, Path]]], Iterable[tuple[str, Path]]] = iter,
) -> list[AnnotatedVideo]:
    """Every annotated video of a folder, decoded through the cache.

    progress: wraps the iteration, for a progress bar. Raises SettingsError where an annotated video has no file
    (all missing names at once), AnnotationError's like where the JSON is wrong, SourceError where a video is broken.
    """
    truth = read_truth(annotations)
    paths = {name: find_video(videos, name) for name in sorted(truth)}
    missing = [name for name, path in paths.items() if path is None]
    if missing or not paths:
        what = f"no video for {len(missing)} of its entries ({', '.join(missing[:5])}...)" if missing else "no entry"
        raise SettingsError(
            f"{annotations}: {what} in {videos}; each entry needs a file NAME{{{','.join(_SUFFIXES)}}} there"
        )
    corpus: list[AnnotatedVideo] = []
    for name, path in progress([(name, path) for name, path in paths.items() if path is not None]):
        frames = cache.frames(path)
        segments = _within(segments_of(truth[name]), len(frames) / float(cache.grid.fps), name)
        corpus.append(AnnotatedVideo(name, frames, segments))
    return corpus


def _within(segments: npt.NDArray[np.float64], duration: float, name: str) -> npt.NDArray[np.float64]:
    """Segments clipped to the video's frames; what lies wholly behind them is left out. Both are told."""
    inside = segments[segments[:, 0] < duration]
    if len(inside) < len(segments) or (inside[:, 1] > duration + 1).any():
        _LOG.warning(
            "%s: lasts %.3f s; %d of its %d segments begin later and are left out, %d are clipped",
            name,
            duration,
            len(segments) - len(inside),
            len(segments),
            int((inside[:, 1] > duration).sum()),
        )
    return np.minimum(inside, duration)


def find_video(folder: Path, name: str) -> Path | None:
    # ActivityNet's annotations leave out the "v_" that its files begin with.
    candidates = (folder / f"{prefix}{name}{suffix}" for prefix in ("", "v_") for suffix in _SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)
