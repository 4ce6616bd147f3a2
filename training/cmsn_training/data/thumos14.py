"""THUMOS14's official annotations: a folder of text files, one a class, with their known faults mended or named."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from cmsn_runtime.annotations import Annotation, VideoAnnotations
from cmsn_runtime.errors import AnnotationError

AMBIGUOUS = "Ambiguous"
_ENDINGS = ("_val.txt", "_test.txt")


@dataclass(frozen=True, slots=True)
class ThumosAnnotations:
    """videos: name -> annotations, class by class in the order of the files, which THUMOS14's own mAP depends on.

    faults: what was mended or left out, one line each, in words.
    """

    videos: dict[str, VideoAnnotations]
    faults: tuple[str, ...]


def read_thumos14(
    folder: Path,
    *,
    ambiguous: Literal["drop", "keep"] = "drop",
    duplicates: Literal["keep", "drop"] = "keep",
    durations: Mapping[str, float] | None = None,
) -> ThumosAnnotations:
    """Read temporal_annotations_validation or temporal_annotations_test: CLASS_val.txt, CLASS_test.txt.

    ambiguous: segments that even people were not sure of; `drop` is the field's habit. A video that has nothing else
        stays, with no annotations. duplicates: every CliffDiving stands among Diving too; the field's counts (3,007
        and 3,358) keep both, `drop` keeps the more special one. durations: seconds of the videos; segments are clipped
        to them, those wholly outside are left out.
    A segment that does not go forward is left out, and so is a text file of another name. Raises AnnotationError that
    names file and line where a line cannot be read, and where the folder holds no such files.
    """
    texts = sorted(path for path in folder.glob("*.txt") if not path.name.startswith("."))
    files = [path for path in texts if path.name.endswith(_ENDINGS)]
    if not files:
        raise AnnotationError(f"{folder}: holds no CLASS_val.txt or CLASS_test.txt; give THUMOS14's annotation folder")
    faults = [f"{path}: is not named CLASS_val.txt or CLASS_test.txt; not read" for path in texts if path not in files]
    found: defaultdict[str, list[Annotation]] = defaultdict(list)
    for path in files:
        label = path.name.rsplit("_", 1)[0]
        for name, start, end in _lines(path):
            known = found[name]  # a video of Ambiguous alone is a video all the same
            limit = None if durations is None else durations.get(name)
            segment = _mended(name, label, start, end, limit, faults)
            if segment is None or (label == AMBIGUOUS and ambiguous == "drop"):
                continue
            if segment in known:
                faults.append(f"{name}: {label} {start:g} to {end:g} s stands there twice; taken once")
                continue
            known.append(segment)
    videos = {}
    for name in sorted(found):
        kept = _without_twins(name, found[name], faults) if duplicates == "drop" else found[name]
        if not kept:
            faults.append(f"{name}: has no annotation that counts (only {AMBIGUOUS} ones, or none that could be used)")
        videos[name] = VideoAnnotations(None if durations is None else durations.get(name), tuple(kept))
    return ThumosAnnotations(videos, tuple(faults))


def read_rates(path: Path) -> dict[str, Fraction]:
    """Video -> frames a second, from thumos14_test_groundtruth.csv (columns video-name and frame-rate)."""
    return {name: Fraction(rate).limit_denominator(1001) for name, rate in _column(path, "frame-rate").items()}


def read_durations(path: Path) -> dict[str, float]:
    """Video -> seconds, from thumos14_test_groundtruth.csv (columns video-name and video-duration)."""
    return _column(path, "video-duration")


def _column(path: Path, column: str) -> dict[str, float]:
    """Video -> a number above zero."""
    found: dict[str, float] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                found[row["video-name"]] = _positive(row[column])
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError, TypeError) as error:
        raise AnnotationError(
            f"{path}: cannot be read ({error!r}); columns video-name and {column} are needed, the latter above zero"
        ) from error
    return found


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError(f"{text} is not above zero")
    return value


def _lines(path: Path) -> list[tuple[str, float, float]]:
    try:
        content = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read ({error.strerror})") from error
    lines: list[tuple[str, float, float]] = []
    for number, line in enumerate(content.splitlines(), start=1):
        parts = line.split()
        if not parts:
            continue
        try:
            name, start, end = parts[0], *(float(part) for part in parts[1:])
        except ValueError:
            name, start, end = line, math.nan, math.nan
        if not (math.isfinite(start) and math.isfinite(end)):
            raise AnnotationError(f"{path}, line {number}: {line!r}; it must be 'video start end', in seconds")
        lines.append((name, start, end))
    return lines


def _mended(
    name: str, label: str, start: float, end: float, duration: float | None, faults: list[str]
) -> Annotation | None:
    """The annotation as it can be used, or none; each change leaves a line."""
    if not start < end:
        faults.append(f"{name}: {label} {start:g} to {end:g} s does not go forward; left out")
        return None
    if end <= 0:
        faults.append(f"{name}: {label} {start:g} to {end:g} s lies before the video; left out")
        return None
    if start < 0:
        faults.append(f"{name}: {label} {start:g} to {end:g} s begins before the video, clipped to 0 s")
        start = 0.0
    if duration is not None and start >= duration:
        faults.append(f"{name}: {label} {start:g} to {end:g} s begins after the video's end, {duration:g} s; left out")
        return None
    if duration is not None and end > duration:
        faults.append(f"{name}: {label} {start:g} to {end:g} s ends after the video, clipped to {duration:g} s")
        end = duration
    return Annotation(start, end, label)


def _without_twins(name: str, annotations: list[Annotation], faults: list[str]) -> list[Annotation]:
    """CliffDiving is Diving too; one segment of both is kept under the more special name."""
    special = {(one.start, one.end) for one in annotations if one.label == "CliffDiving"}
    twins = [one for one in annotations if one.label == "Diving" and (one.start, one.end) in special]
    if twins:
        faults.append(f"{name}: {len(twins)} segments of CliffDiving stand under Diving too; taken once")
    return [one for one in annotations if one not in twins]
