"""Which truth results are measured against: videos matched by name, subsets by which videos have results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from cmsn_runtime.annotations import VideoAnnotations
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.names import ByName, first_few
from cmsn_runtime.truth import counted_subsets
from cmsn_training.data.truth import read_whole_truth, segments_of, truth_subset
from cmsn_training.evaluation.tiou import Spans

Note = Callable[[str], object]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Truth:
    """The videos that count. whole: with THUMOS14's Ambiguous segments, which mAP treats in its own way.

    others: of the same file, and of subsets that do not count.
    """

    path: Path
    videos: ByName[VideoAnnotations]
    whole: Mapping[str, VideoAnnotations]
    others: ByName[VideoAnnotations]

    def segments(self) -> dict[str, Spans]:
        """Video -> its true segments in seconds, float64 [G, 2]."""
        return {name: segments_of(video) for name, video in self.videos.items()}


@dataclass(frozen=True, slots=True)
class Names:
    """How a file's names of videos match the truth's.

    own: a file's name -> the truth's. strange: nowhere in the truth. elsewhere: of subsets that do not count.
    doubled: of a video that another name, closer to the truth's, was matched with.
    """

    own: Mapping[str, str]
    strange: tuple[str, ...]
    elsewhere: tuple[str, ...]
    doubled: tuple[str, ...]

    def of_truth(self, found: Mapping[str, Value]) -> dict[str, Value]:
        """The matched entries, by the truth's names."""
        return {self.own[name]: value for name, value in found.items() if name in self.own}


def read_truth_for(
    path: Path,
    files: Iterable[Collection[str]],
    *,
    ambiguous: Literal["drop", "keep"],
    subset: str | None,
    note: Note,
) -> Truth:
    """The truth that files are measured against.

    files: names of the videos in each. subset: the one that counts; by default all that any file has results for.
    note: is called with one line about what was left out of the file, and one about the choice of subsets. Raises
    AnnotationError, and SettingsError where there is no such subset.
    """
    videos = read_whole_truth(path, ambiguous=ambiguous, note=note)
    whole = read_whole_truth(path, ambiguous="keep", note=lambda line: None) if path.is_dir() else videos
    counted: Mapping[str, VideoAnnotations]
    if subset is not None:
        counted = truth_subset(videos, subset, path)
    else:
        counted = _with_results(videos, {name for names in files for name in names}, path, note)
    others = {name: video for name, video in videos.items() if name not in counted}
    return Truth(path, ByName(counted), {name: whole[name] for name in counted}, ByName(others))


def match_names(found: Collection[str], truth: Truth, file: Path, *, note: Note) -> Names:
    """Match a file's names with the truth's. Those without a match are counted, in one line per reason.

    Raises SettingsError where no name matches.
    """
    names = _matched(found, truth)
    if not names.own:
        raise SettingsError(
            f"{file}: none of its {len(found)} videos ({first_few(list(found))}) is among the {len(truth.videos)} of "
            f"{truth.path} ({first_few(list(truth.videos))}): no video in common; "
            "check that both are of the same videos, under the same names"
        )
    renamed = [f"{name} is {known}" for name, known in names.own.items() if name != known]
    for cases, what in (
        (names.strange, "not in the truth"),
        (names.elsewhere, "of subsets that do not count, and left out"),
        (names.doubled, "left out, named as another is"),
        # Where all names differ from the truth's, it is the dataset's convention; where some do, perhaps a mistake.
        (renamed if len(renamed) < len(names.own) else [], "taken by another name than the truth's"),
    ):
        if cases:
            note(f"{len(cases)} of {len(found)} videos of {file} are {what}: {first_few(cases)}")
    met = set(names.own.values())
    missed = [name for name in truth.videos if name not in met]
    if missed:
        total = len(truth.videos)
        note(f"{len(missed)} of {total} videos of the truth are not in {file}, and missed: {first_few(missed)}")
    return names


def _matched(found: Collection[str], truth: Truth) -> Names:
    own: dict[str, str] = {}
    strange: list[str] = []
    elsewhere: list[str] = []
    doubled: list[str] = []
    taken: set[str] = set()
    # Exact names first: of NAME and v_NAME in one file, the truth's own is taken.
    for name in sorted(found, key=lambda name: name not in truth.whole):
        known = truth.videos.own_name(name)
        if known is None:
            (strange if truth.others.own_name(name) is None else elsewhere).append(name)
        elif known in taken:
            doubled.append(f"{name} ({known})")
        else:
            taken.add(known)
            own[name] = known
    return Names(own, tuple(strange), tuple(elsewhere), tuple(doubled))


def _with_results(
    videos: Mapping[str, VideoAnnotations], names: set[str], path: Path, note: Note
) -> Mapping[str, VideoAnnotations]:
    """The videos of all subsets that have results."""
    totals = Counter(video.subset for video in videos.values())
    by_name = ByName(videos)
    met = {own for name in names if (own := by_name.own_name(name)) is not None}
    counts = Counter(videos[name].subset for name in met)
    if len(totals) < 2 or not counts:
        return videos
    taken = ", ".join(
        f"{subset or 'none'} ({count} of {totals[subset]} videos have results)" for subset, count in counts.items()
    )
    rest = counted_subsets(video for video in videos.values() if video.subset not in counts)
    left = f"; not on {rest}" if len(counts) < len(totals) else ""
    note(f"{path}: evaluated on {taken}{left}; choose one by --subset")
    return {name: video for name, video in videos.items() if video.subset in counts}
