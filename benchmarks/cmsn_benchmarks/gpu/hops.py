"""Whole hops of cameras through the deployed stream, from the frame that completes them to their proposals."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from cmsn_benchmarks.device.cameras import SteadyCameras
from cmsn_benchmarks.device.scenarios import run_scenario
from cmsn_benchmarks.device.scripted_bundle import ScriptedBundle
from cmsn_runtime.bundle import Bundle

_WARM_UP = 0.25  # of the measured seconds


def time_hops(bundle: Bundle, cameras: int, *, seconds: float) -> dict[str, Any]:
    """Hops of so many cameras, measured as `cmsn bench` measures them -> milliseconds of each part, and of the whole.

    A camera's resampler holds each frame until the next one comes; that wait is not included. A device that is not
    waited for after `extract` is waited for in `stages`.
    """
    scripted = ScriptedBundle(bundle)
    with SteadyCameras(scripted, cameras) as steady:
        scenario = run_scenario(steady, warm_up=_WARM_UP * seconds, duration=seconds)
    candidates = scripted.scripted.candidates
    return {
        "cameras": cameras,
        "largest_batch": bundle.backend.largest_batch,
        "frames_per_second": round(scenario.frames_per_second, 2),
        "hop_ms": asdict(scenario.latency),
        "parts_ms": {part: asdict(latency) for part, latency in scenario.parts.items()},
        "candidates_p50": float(np.median(candidates)),
        "candidates_most": max(candidates),
    }
