"""Measures the features of a backend against those of another before they are believed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import Floats, Moments, extract
from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Backend
from cmsn_runtime.backends.host_window import on_host
from cmsn_runtime.errors import OutputError
from cmsn_runtime.files import write_whole
from cmsn_runtime.manifest.contents import Manifest
from cmsn_runtime.pictures.example import moving_picture

_STEPS = 4  # measured, after those before the first frame


def feature_error(backend: Backend, reference: Backend, manifest: Manifest) -> float:
    """Largest absolute difference of the features of a short example, over their largest absolute value.

    Infinite where a feature is not finite.
    """
    moments = _example(manifest)
    found, expected = (_features(each, moments, manifest) for each in (backend, reference))
    if not np.isfinite(found).all():
        return float("inf")
    difference, largest = np.abs(found - expected).max(), np.abs(expected).max()
    return float(difference / largest if largest else difference)


def remembered(folder: Path | None, facts: list[str]) -> Path | None:
    """The file in which the error of such facts (graphs, library, processor ...) is kept; None without a folder."""
    if folder is None:
        return None
    return folder / f"self-check-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]}.json"


def read_error(file: Path | None) -> float | None:
    """The error that was measured before; None where there is none, or it cannot be read."""
    try:
        found = None if file is None else json.loads(file.read_bytes())["error"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return float(found) if isinstance(found, float | int) else None


def write_error(file: Path | None, error: float) -> None:
    """Keep an error; where that is impossible, it is measured again next time."""
    if file is None:
        return
    try:
        write_whole(file, json.dumps({"error": error}).encode())
    except OutputError:
        return


def _example(manifest: Manifest) -> Moments:
    rng = np.random.default_rng(0)
    count = (manifest.network.delay_steps + _STEPS) * manifest.grid.stride
    shape = manifest.input_shape
    if len(shape) == 3:
        return moving_picture(rng, (shape[0], shape[1]), count, channels=shape[2])
    rows: Floats = rng.normal(size=(count, *shape)).astype(np.float32)
    return rows


def _features(backend: Backend, moments: Moments, manifest: Manifest) -> Floats:
    """Features of a stream's beginning, without those of negative steps: float32 [steps, C]."""
    state, chunk = backend.new_state(), backend.chunk_frames or manifest.grid.stride
    try:
        parts = [
            on_host(
                answer_alone(
                    extract(moments[begin : begin + chunk], state, position=begin, length=UNKNOWN_LENGTH), backend
                )
            )
            for begin in range(0, len(moments), chunk)
        ]
    finally:
        state.close()
    return np.concatenate(parts)[manifest.network.delay_steps :]
