"""Ground truth in ActivityNet's format, as it is published."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cmsn_runtime.annotation_units import VideoLength, unit_of
from cmsn_runtime.errors import AnnotationError, AnnotationWarning
from cmsn_runtime.json_files import read_json
from cmsn_runtime.segments import Account, number_of, segment_of, shown, within_video

# BSN's and mmaction2's copies of ActivityNet's annotations use longer names; many also give frame counts.
_DURATION_KEYS = ("duration", "duration_second")
_RATE_KEYS = ("fps", "frame_rate", "frame-rate", "rfps")
_FRAME_KEYS = ("frame", "duration_frame", "numFrame", "num_frames")


@dataclass(frozen=True, slots=True)
class Annotation:
    """One action: start and end in seconds, and its label."""

    start: float
    end: float
    label: str

    def tiou(self, start: float, end: float) -> float:
        """Temporal intersection over union with [start, end), in 0..1."""
        intersection = max(0.0, min(self.end, end) - max(self.start, start))
        return intersection / (self.end - self.start + end - start - intersection)


@dataclass(frozen=True, slots=True)
class VideoAnnotations:
    """Annotations of one video. duration: seconds, where the file has it. annotations: in order of time.

    subset: the part of the data set it belongs to ("training", "validation", "testing" in ActivityNet's).
    """

    duration: float | None
    annotations: tuple[Annotation, ...]
    subset: str | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One video as read from the file.

    rate: frames per second, where known. stated: number of segments in the file. segments: those that are
    numbers, in the file's unit.
    """

    duration: float | None
    rate: float | None
    subset: str | None
    stated: int
    segments: list[Annotation]


def _warn(line: str) -> None:
    warnings.warn(line, AnnotationWarning, stacklevel=3)


def read_annotations(path: Path, *, note: Callable[[str], object] = _warn) -> dict[str, VideoAnnotations]:
    """Video name -> its annotations, from {"database": {NAME: {"duration", "annotations": [{"segment", "label"}]}}}.

    An entry may also have a "subset"; other fields are ignored, and the object around {NAME: ...} may be missing.
    Numbers may be text. Segments in milliseconds or frames are recognised where durations (and rates) are given.
    Invalid segments are ignored; those that begin before or end after their video are clipped.

    note: called with one line that counts what was ignored or changed; by default an AnnotationWarning.
    Raises AnnotationError where nothing in the file can be used.
    """
    file = read_json(path)
    account = Account(str(path))
    entries = {str(name): _entry(item, str(name), account) for name, item in _database(file.content, path).items()}
    for name in sorted(file.repeated & set(entries)):
        account.add("named twice, the last is taken", name)
    factors = _seconds_per_unit(entries, account)
    videos = {name: _video(entry, name, factors[name], account) for name, entry in entries.items()}
    if any(entry.stated for entry in entries.values()) and not any(video.annotations for video in videos.values()):
        raise AnnotationError(f'{account}; nothing is left to use: give "segment": [start, end] in seconds')
    if account:
        note(str(account))
    return videos


def _database(content: object, path: Path) -> Mapping[str, object]:
    if isinstance(content, Mapping):
        database = content.get("database")
        if isinstance(database, Mapping):
            return database
        bare = database is None and bool(content)
        if bare and all(isinstance(entry, Mapping) and "annotations" in entry for entry in content.values()):
            return content
    raise AnnotationError(f'{path}: no "database"; ActivityNet\'s format is {{"database": {{NAME: ...}}}}')


def _entry(item: object, name: str, account: Account) -> _Entry:
    fields = item if isinstance(item, Mapping) else {"annotations": item}
    found = fields.get("annotations")
    items = found if isinstance(found, list) else []
    if not (found is None or isinstance(found, list)):
        account.add("left out, no list of annotations", name)
        items = [None]
    duration = _positive(fields, _DURATION_KEYS, name, account)
    rate = _positive(fields, _RATE_KEYS, name, account)
    frames = _positive(fields, _FRAME_KEYS, name, account)
    if rate is None and frames is not None and duration is not None:
        rate = frames / duration
    subset = fields.get("subset")
    usable = [segment for one in items if one is not None and (segment := _segment(one, name, account)) is not None]
    return _Entry(duration, rate, None if subset in (None, "") else str(subset), len(items), usable)


def _segment(item: object, name: str, account: Account) -> Annotation | None:
    fields = item if isinstance(item, Mapping) else {}
    value = fields.get("segment")
    segment = segment_of(value)
    if segment is None:
        account.add("left out, not [start, end]", f"{name} {value if fields else item!r:.40}")
        return None
    label = fields.get("label")
    return Annotation(*segment, "" if label is None else str(label))


def _positive(fields: Mapping[str, object], keys: tuple[str, ...], name: str, account: Account) -> float | None:
    """The first of these fields that exists, where it is a number above zero."""
    key = next((key for key in keys if fields.get(key) is not None), None)
    number = None if key is None else number_of(fields[key])
    if number is not None and number > 0:
        return number
    if key is not None:
        account.add(f"{key} ignored, no number above zero", f"{name} {fields[key]!r:.40}")
    return None


def _seconds_per_unit(entries: Mapping[str, _Entry], account: Account) -> dict[str, float | None]:
    """Name -> factor for its segments; None where their unit is unknown."""
    timed = {
        name: VideoLength(tuple(one.end for one in entry.segments), entry.duration, entry.rate)
        for name, entry in entries.items()
        if entry.duration is not None and entry.segments
    }
    unit = unit_of(list(timed.values()))
    if unit == "seconds":
        return dict.fromkeys(entries, 1.0)
    name, length = max(timed.items(), key=lambda item: item[1].ratio)
    example = f"{name} ends at {max(length.ends):g}, its duration is {length.duration:g} s"
    account.add("in no known unit, left out where far beyond" if unit == "unknown" else f"taken as {unit}", example)
    if unit == "milliseconds":
        return dict.fromkeys(entries, 1e-3)
    if unit == "frames":
        return {name: None if entry.rate is None else 1.0 / entry.rate for name, entry in entries.items()}
    beyond = {name for name, length in timed.items() if length.is_beyond}
    return {name: None if name in beyond else 1.0 for name in entries}


def _video(entry: _Entry, name: str, factor: float | None, account: Account) -> VideoAnnotations:
    kept: list[Annotation] = []
    for one in entry.segments:
        place = shown(name, one.start, one.end)
        if factor is None:
            account.add("left out, not in seconds, and no fps is given", place)
            continue
        segment = within_video((one.start * factor, one.end * factor), entry.duration, account, place)
        if segment is not None:
            kept.append(Annotation(*segment, one.label))
    return VideoAnnotations(entry.duration, tuple(sorted(kept, key=lambda one: (one.start, one.end))), entry.subset)
