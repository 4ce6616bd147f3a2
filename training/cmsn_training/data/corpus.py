"""A folder of videos with an ActivityNet-format JSON, as frames and segments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.annotations import read_annotations
from cmsn_runtime.errors import SettingsError
from cmsn_training.data.cache import FrameCache

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
    truth = read_annotations(annotations)
    paths = {name: find_video(videos, name) for name in sorted(truth)}
    missing = [name for name, path in paths.items() if path is None]
    if missing or not paths:
        what = f"no video for {len(missing)} of its entries ({', '.join(missing[:5])}...)" if missing else "no entry"
        raise SettingsError(
            f"{annotations}: {what} in {videos}; each entry needs a file NAME{{{','.join(_SUFFIXES)}}} there"
        )
    corpus: list[AnnotatedVideo] = []
    for name, path in progress([(name, path) for name, path in paths.items() if path is not None]):
        segments = np.array([(float(a.start), float(a.end)) for a in truth[name].annotations]).reshape(-1, 2)
        corpus.append(AnnotatedVideo(name, cache.frames(path), segments))
    return corpus


def find_video(folder: Path, name: str) -> Path | None:
    candidates = (folder / f"{name}{suffix}" for suffix in _SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)
