"""Ground truth in ActivityNet's format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cmsn_runtime.errors import AnnotationError


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
    """duration: seconds, where the file says it. annotations: in order of time.

    subset: the part of the data set that the file puts it in ("training", "validation", "testing" in ActivityNet's).
    """

    duration: float | None
    annotations: tuple[Annotation, ...]
    subset: str | None = None


def read_annotations(path: Path) -> dict[str, VideoAnnotations]:
    """Video name -> its annotations, from {"database": {NAME: {"duration", "annotations": [{"segment", "label"}]}}}.

    An entry may also have a "subset"; whatever else stands there is passed over. Raises AnnotationError that names the
    video and the field.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise AnnotationError(f"{path}: cannot be read as JSON ({error})") from error
    database = content.get("database") if isinstance(content, Mapping) else None
    if not isinstance(database, Mapping):
        raise AnnotationError(f'{path}: no "database"; ActivityNet\'s format is {{"database": {{NAME: ...}}}}')
    return {str(name): _video(entry, f"{path}: {name}") for name, entry in database.items()}


def _video(entry: Any, where: str) -> VideoAnnotations:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("annotations", []), list):
        raise AnnotationError(f'{where}: needs an object with a list "annotations"')
    duration = entry.get("duration")
    if duration is not None and not _is_number(duration):
        raise AnnotationError(f"{where}: duration {duration!r} is not a number of seconds")
    subset = entry.get("subset")
    if subset is not None and not isinstance(subset, str):
        raise AnnotationError(f'{where}: its subset is {subset!r}; it must be a word such as "training"')
    found = [
        _annotation(item, f"{where}, annotation {number}") for number, item in enumerate(entry.get("annotations", []))
    ]
    ordered = tuple(sorted(found, key=lambda annotation: (annotation.start, annotation.end)))
    return VideoAnnotations(None if duration is None else float(duration), ordered, subset)


def _annotation(item: Any, where: str) -> Annotation:
    segment = item.get("segment") if isinstance(item, Mapping) else None
    if not (isinstance(segment, list) and len(segment) == 2 and all(_is_number(value) for value in segment)):
        raise AnnotationError(f'{where}: "segment" is {segment!r}; it must be [start, end] in seconds')
    start, end = (float(value) for value in segment)
    if not start < end:
        raise AnnotationError(f"{where}: its segment {segment} ends before it starts")
    return Annotation(start, end, str(item.get("label", "")))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
