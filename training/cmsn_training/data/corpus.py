"""A folder of videos with its ground truth, as frames and segments."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError
from cmsn_training.data.cache import FrameCache
from cmsn_training.data.decoding import ensure_all
from cmsn_training.data.truth import read_truth, segments_of

_LOG = logging.getLogger(__name__)
# Where one name has several files, the earlier one is taken.
_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp")
_PREFIXES = ("", "v_")  # ActivityNet's annotations leave out the "v_" that its files begin with

Missing = Literal["error", "skip"]
Address = TypeVar("Address", Path, str)


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
    truth = read_truth(annotations, subset=subset, tell=_LOG.warning)
    wanted = f"NAME or v_NAME, with {', '.join(_SUFFIXES)}"
    paths = those_there(find_videos(videos, sorted(truth)), annotations, videos, wanted=wanted, missing=missing)
    corpus: list[AnnotatedVideo] = []
    with closing(ensure_all(cache, list(paths.values()), decoders=decoders)) as decoded:
        for name, path in progress(list(paths.items())):
            next(decoded)
            frames = cache.frames(path)
            step, duration = float(cache.grid.step_seconds), len(frames) / float(cache.grid.fps)
            segments = _within(segments_of(truth[name]), duration, name, tolerance=step)
            corpus.append(AnnotatedVideo(name, frames, segments))
    return corpus


def those_there(
    found: Mapping[str, Address | None], annotations: Path, folder: Path, *, wanted: str, missing: Missing
) -> dict[str, Address]:
    """The entries that have a file. Raises SettingsError where one has none (or, with `skip`, where all have none).

    wanted: what a file has to be called, in words.
    """
    there = {name: address for name, address in found.items() if address is not None}
    absent = [name for name in found if name not in there]
    if not found:
        raise SettingsError(f"{annotations}: has no entry; it must name the videos in {folder}")
    if not absent:
        return there
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    what = f"{len(absent)} of {len(found)} entries have no file in {folder}: {', '.join(absent[:5])}{more}"
    if missing == "skip" and there:
        _LOG.warning("%s: %s; left out", annotations, what)
        return there
    hint = "" if missing == "skip" else '; add them, or leave them out by data.missing = "skip"'
    raise SettingsError(f"{annotations}: {what}; each needs a file {wanted}{hint}")


def _within(
    segments: npt.NDArray[np.float64], duration: float, name: str, *, tolerance: float
) -> npt.NDArray[np.float64]:
    """Segments clipped to the video's frames; what lies wholly outside is left out. Both are told.

    tolerance: seconds that annotations may be off by without a word; durations are rounded everywhere.
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


def find_video(folder: Path, name: str) -> Path | None:
    """The video NAME or v_NAME of a folder. Raises SettingsError where there is no such folder."""
    return find_videos(folder, [name])[name]


def find_videos(folder: Path, names: Iterable[str]) -> dict[str, Path | None]:
    """Name -> its video, with one look at the folder. Raises SettingsError where there is no such folder."""
    rank = {suffix: number for number, suffix in enumerate(_SUFFIXES)}
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() in rank and path.is_file()]
    except OSError as error:
        raise SettingsError(f"{folder}: cannot be read ({error.strerror}); give a folder of videos") from error
    by_stem = {path.stem: path for path in sorted(files, key=lambda path: (-rank[path.suffix.lower()], path.name))}
    candidates = {name: [by_stem.get(prefix + name) for prefix in _PREFIXES] for name in names}
    return {name: next((path for path in paths if path is not None), None) for name, paths in candidates.items()}
