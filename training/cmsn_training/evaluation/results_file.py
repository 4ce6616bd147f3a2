"""Ranked proposals from ActivityNet's results format, as `cmsn run --results` writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cmsn_runtime.errors import AnnotationError
from cmsn_training.evaluation.tiou import Spans


def read_results(path: Path) -> dict[str, Spans]:
    """Video -> spans [K, 2] in seconds, best score first; equal scores keep the file's order.

    From {"results": {NAME: [{"score", "segment": [start, end]}]}}. Raises AnnotationError that names the place.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise AnnotationError(f"{path}: cannot be read as JSON ({error})") from error
    results = content.get("results") if isinstance(content, Mapping) else None
    if not isinstance(results, Mapping):
        raise AnnotationError(f'{path}: no "results"; ActivityNet\'s format is {{"results": {{NAME: [...]}}}}')
    return {str(name): _ranked(items, f"{path}: {name}") for name, items in results.items()}


def _ranked(items: Any, where: str) -> Spans:
    try:
        rows = np.array([(*item["segment"], item["score"]) for item in items], dtype=np.float64).reshape(-1, 3)
    except (TypeError, KeyError, ValueError) as error:
        raise AnnotationError(f'{where}: needs a list of {{"score": s, "segment": [start, end]}} ({error})') from error
    if not np.isfinite(rows).all() or (rows[:, 1] < rows[:, 0]).any():
        raise AnnotationError(f"{where}: a segment ends before it starts, or a number is not finite")
    return rows[np.argsort(-rows[:, 2], kind="stable"), :2]
