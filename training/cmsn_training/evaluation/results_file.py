"""Ranked proposals and detections from ActivityNet's results format, as `cmsn run --results` writes it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cmsn_runtime.errors import AnnotationError
from cmsn_training.evaluation.detection import Detections
from cmsn_training.evaluation.tiou import Spans


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """proposals: video -> spans [K, 2] in seconds, best score first; equal scores keep the file's order.

    detections: class -> video -> what was found of it; empty where the file names no labels.
    """

    proposals: dict[str, Spans]
    detections: dict[str, dict[str, Detections]]


def read_results(path: Path, *, most: int | None = None) -> Results:
    """From {"results": {NAME: [{"score", "segment": [start, end], "label"}]}}; labels may be left out, all of them.

    most: keep only so many of each video, by score. Raises AnnotationError that names the place.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise AnnotationError(f"{path}: cannot be read as JSON ({error})") from error
    results = content.get("results") if isinstance(content, Mapping) else None
    if not isinstance(results, Mapping):
        raise AnnotationError(f'{path}: no "results"; ActivityNet\'s format is {{"results": {{NAME: [...]}}}}')
    proposals: dict[str, Spans] = {}
    detections: defaultdict[str, dict[str, Detections]] = defaultdict(dict)
    for name, items in results.items():
        rows, labels = _ranked(items, f"{path}: {name}", most)
        proposals[name] = rows[:, :2]
        for label in sorted(set(labels)):
            mine = rows[[one == label for one in labels]]
            detections[label][name] = Detections(mine[:, :2], mine[:, 2])
    labelled = {name for of_class in detections.values() for name in of_class}
    if labelled and any(len(spans) and name not in labelled for name, spans in proposals.items()):
        raise AnnotationError(f"{path}: some videos have labels and some have none; give all of them, or leave all out")
    return Results(proposals, dict(detections))


def _ranked(items: Any, where: str, most: int | None) -> tuple[Spans, list[str]]:
    """Rows of start, end, score [K, 3], best first, and their labels: as many, or none."""
    try:
        rows = np.array([(*item["segment"], item["score"]) for item in items], dtype=np.float64).reshape(-1, 3)
        labels = [item["label"] for item in items if "label" in item]
    except (TypeError, KeyError, ValueError) as error:
        raise AnnotationError(f'{where}: needs a list of {{"score": s, "segment": [start, end]}} ({error})') from error
    if not np.isfinite(rows).all() or (rows[:, 1] < rows[:, 0]).any():
        raise AnnotationError(f"{where}: a segment ends before it starts, or a number is not finite")
    if len(labels) not in (0, len(rows)) or not all(isinstance(label, str) for label in labels):
        raise AnnotationError(
            f"{where}: {len(labels)} labels for {len(rows)} segments; each needs one in words, or none"
        )
    order = np.argsort(-rows[:, 2], kind="stable")[:most]
    return rows[order], [labels[place] for place in order] if labels else []
