"""A folder of videos with its ground truth, as frames and segments."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.annotations import VideoAnnotations
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.segments import Account, shown
from cmsn_training.data.decoding import ensure_all
from cmsn_training.data.finding import VIDEOS_WANTED, find_videos, those_there
from cmsn_training.data.truth import read_truth, segments_of
from cmsn_training.data.video_cache import VideoCache
from cmsn_training.vocabulary import Missing

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedVideo:
    """frames: uint8 [T, height, width, 3] at the model's rate, or feature rows float32 [T, width].

    segments: float64 [K, 2] seconds.
    """

    name: str
    frames: npt.NDArray[Any]
    segments: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FoundCorpus:
    """Videos with their annotations, found but not decoded yet: faults of annotations and missing files are known."""

    annotations: Path
    truth: Mapping[str, VideoAnnotations]
    paths: Mapping[str, Path]

    def decode(
        self,
        cache: VideoCache[Any],
        *,
        rate: Fraction,
        decoders: int = 1,
        progress: Callable[[Iterable[tuple[str, Path]]], Iterable[tuple[str, Path]]] = iter,
    ) -> list[AnnotatedVideo]:
        """Every video, decoded through the cache.

        rate: frames, or rows, per second in the cache. decoders: see `ensure_all`. progress: wraps the iteration, for a
        progress bar. Faults of the videos are logged as warnings, one line each. Raises SourceError where a video
        cannot be decoded at all, SettingsError where no segment lies in its video.
        """
        corpus: list[AnnotatedVideo] = []
        account = Account(str(self.annotations))
        with closing(ensure_all(cache, list(self.paths.values()), decoders=decoders)) as decoded:
            for name, path in progress(list(self.paths.items())):
                next(decoded)
                frames = cache.array(path)
                step, duration = float(cache.grid.step_seconds), len(frames) / float(rate)
                segments = within(segments_of(self.truth[name]), duration, name, account, tolerance=step)
                corpus.append(AnnotatedVideo(name, frames, segments))
        require_segments(corpus, self.truth, account)
        return corpus


def find_corpus(
    videos: Path, annotations: Path, *, subset: str | None = None, missing: Missing = "error"
) -> FoundCorpus:
    """Every annotated video of a folder.

    annotations: an ActivityNet JSON, or a folder of THUMOS14's files. subset: see `read_truth`. missing: annotated
    videos without a file are an error, or left out with a warning. Faults of the annotations are logged as warnings,
    one line each. Raises SettingsError where annotated videos have no file, AnnotationError where the annotations are
    wrong.
    """
    truth = read_truth(annotations, subset=subset, note=_LOG.warning)
    found = find_videos(videos, sorted(truth))
    return FoundCorpus(
        annotations, truth, those_there(found, annotations, videos, wanted=VIDEOS_WANTED, missing=missing)
    )


def within(
    segments: npt.NDArray[np.float64], duration: float, name: str, account: Account, *, tolerance: float
) -> npt.NDArray[np.float64]:
    """Segments clipped to the video's frames; what lies wholly outside is left out. Both are counted in the account.

    tolerance: seconds that annotations may be off without a report, since published durations are rounded.
    """
    inside = (segments[:, 0] < duration) & (segments[:, 1] > 0)
    beyond = (segments[:, 1] > duration + tolerance) | (segments[:, 0] < -tolerance)
    for kind, which in (("left out, outside the video", ~inside), ("clipped to the video", inside & beyond)):
        for start, end in segments[which].tolist():
            account.add(kind, f"{shown(name, start, end)} of {duration:.3f} s")
    return np.clip(segments[inside], 0.0, duration)


def require_segments(corpus: Sequence[AnnotatedVideo], truth: Mapping[str, VideoAnnotations], account: Account) -> None:
    """Log what did not fit the videos, in one line. Raises SettingsError where no segment fitted."""
    if any(truth[video.name].annotations for video in corpus) and not any(len(video.segments) for video in corpus):
        raise SettingsError(
            f"{account}; no segment is left to learn from; check that they are in seconds, and of these videos"
        )
    if account:
        _LOG.warning("%s", account)
