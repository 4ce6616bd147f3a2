"""THUMOS14's official annotations: a folder of text files, one per class, with known faults corrected or reported."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from cmsn_runtime.annotations import Annotation, VideoAnnotations
from cmsn_runtime.errors import AnnotationError
from cmsn_runtime.segments import Account, shown, within_video
from cmsn_runtime.text_files import read_text

AMBIGUOUS = "Ambiguous"
_ENDINGS = ("_val.txt", "_test.txt")


@dataclass(frozen=True, slots=True)
class ThumosAnnotations:
    """videos: name -> annotations, class by class in the order of the files, which THUMOS14's own mAP depends on.

    account: what was changed or left out.
    """

    videos: dict[str, VideoAnnotations]
    account: Account


def read_thumos14(folder: Path, *, ambiguous: Literal["drop", "keep"] = "drop") -> ThumosAnnotations:
    """Read temporal_annotations_validation or temporal_annotations_test: CLASS_val.txt, CLASS_test.txt.

    ambiguous: segments that annotators were unsure about; `drop` is the field's convention. A video that has
        nothing else is kept, without annotations. Every CliffDiving is in Diving too, and both count, as in the field's
        figures (3,007 and 3,358).
    A segment of no length, reversed, or before its video is left out; one that is given twice is taken once; a text
    file of another name is not read. Raises AnnotationError that names file and line where a line cannot be read, and
    where the folder holds no such files.
    """
    texts = sorted(path for path in folder.glob("*.txt") if not path.name.startswith("."))
    files = [path for path in texts if path.name.endswith(_ENDINGS)]
    if not files:
        raise AnnotationError(f"{folder}: holds no CLASS_val.txt or CLASS_test.txt; give THUMOS14's annotation folder")
    account = Account(str(folder))
    for path in texts:
        if path not in files:
            account.add("not read, not named CLASS_val.txt or CLASS_test.txt", path.name)
    found: defaultdict[str, list[Annotation]] = defaultdict(list)
    for path in files:
        label = path.name.rsplit("_", 1)[0]
        for name, start, end in _lines(path):
            known = found[name]  # a video with only Ambiguous segments is kept too
            place = shown(f"{name} {label}", start, end)
            segment = within_video((start, end), None, account, place)
            if segment is None or (label == AMBIGUOUS and ambiguous == "drop"):
                continue
            annotation = Annotation(*segment, label)
            if annotation in known:
                account.add("taken once, given twice", place)
                continue
            known.append(annotation)
    for name in sorted(found):
        if not found[name]:
            account.add(f"without an annotation that counts (only {AMBIGUOUS} ones, or none that can be used)", name)
    return ThumosAnnotations({name: VideoAnnotations(None, tuple(found[name])) for name in sorted(found)}, account)


def read_rates(path: Path) -> dict[str, Fraction]:
    """Video -> frames per second, from thumos14_test_groundtruth.csv (columns video-name and frame-rate).

    Raises AnnotationError.
    """
    found: dict[str, Fraction] = {}
    try:
        for row in csv.DictReader(io.StringIO(read_text(path), newline="")):
            found[row["video-name"]] = Fraction(_positive(row["frame-rate"])).limit_denominator(1001)
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError, TypeError) as error:
        raise AnnotationError(
            f"{path}: cannot be read ({error!r}); columns video-name and frame-rate are needed, the latter above zero"
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
