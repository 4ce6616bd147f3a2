"""The truth that sources are compared with: one subset of a file, found by the one rule for names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from cmsn_runtime.annotations import VideoAnnotations, read_annotations
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.names import ByName, first_few, video_id

Videos = Mapping[str, VideoAnnotations]
_NO_SUBSET = "none"


def read_truth_of(
    path: Path, sources: Sequence[str], *, subset: str | None = None, note: Callable[[str], object]
) -> ByName[VideoAnnotations]:
    """The annotations that sources are compared with, by any name of theirs.

    subset: only the entries of this one. note: is called with one line about what was left out of the file, and one
    about sources that it does not have. Raises AnnotationError, and SettingsError where it has none of the sources.
    """
    videos = read_annotations(path, note=note)
    if subset is not None:
        videos = only_subset(videos, subset, path)
    truth = ByName(videos)
    names = {video_id(source): None for source in sources}
    strange = [name for name in names if truth.own_name(name) is None]
    if strange and len(strange) == len(names):
        raise SettingsError(
            f"{path}: has none of {first_few(strange)}; its videos are {first_few(list(videos)) or 'none'}; "
            "give the annotations of these sources, or the same names to both"
        )
    if strange:
        note(f"{len(strange)} of {len(names)} sources are not in {path}, and shown without it: {first_few(strange)}")
    return truth


def only_subset(videos: Videos, subset: str, path: Path) -> dict[str, VideoAnnotations]:
    """The entries of one subset; upper and lower case matter only where both are there.

    Raises SettingsError where no entry is of it.
    """
    exact = {name: video for name, video in videos.items() if video.subset == subset}
    alike = {name: video for name, video in videos.items() if (video.subset or "").casefold() == subset.casefold()}
    if not (exact or alike):
        raise SettingsError(f"{path}: no entry is of subset {subset!r}; it holds {counted_subsets(videos.values())}")
    return exact or alike


def counted_subsets(videos: Iterable[VideoAnnotations]) -> str:
    """How many videos are of each subset: "training: 10024, validation: 4926"."""
    counts = Counter(video.subset or _NO_SUBSET for video in videos)
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())) or "no entry"
