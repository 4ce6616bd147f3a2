"""One camera's whole hop, from the frame that completes it to its proposals, through the deployed stream."""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.asks import Evaluate, Stages
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.stages import STAGE_COUNT, Stage

# Stages of one action after another, in steps: 20 of them are 6.4 seconds at 25 frames per second.
_SCRIPT = (
    [Stage.BACKGROUND] * 6
    + [Stage.READY] * 2
    + [Stage.START] * 3
    + [Stage.CONFIRM] * 4
    + [Stage.END] * 3
    + [Stage.FOLLOW] * 2
)
_SURE = 0.9  # probability of the scripted stage
_POOL = 16  # different pictures, shown in rotation


class ScriptedStages:
    """A backend whose stage network runs, and whose answer is then replaced by a script.

    The networks are untrained, and the pictures are noise: with the script every hop has proposals to evaluate and
    rank.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.hops = 0
        self.candidates: list[int] = []
        self.stages_seconds: list[float] = []
        self.evaluate_seconds: list[float] = []

    def __getattr__(self, name: str) -> Any:
        """Everything else is the backend's own."""
        return getattr(self._backend, name)

    def stages(self, asks: Sequence[Stages]) -> list[npt.NDArray[np.float32]]:
        """See Backend.stages; the time includes the wait for the extractor."""
        begin = time.perf_counter()
        (found,) = self._backend.stages(asks)
        self.stages_seconds.append(time.perf_counter() - begin)
        self.hops += 1
        self.candidates.append(0)
        self.evaluate_seconds.append(0.0)
        written = [_SCRIPT[step % len(_SCRIPT)] for step in range(self.hops - len(found), self.hops)]
        probabilities = np.full((len(found), STAGE_COUNT), (1 - _SURE) / (STAGE_COUNT - 1), np.float32)
        probabilities[np.arange(len(found)), written] = _SURE
        return [probabilities]

    def evaluate(self, asks: Sequence[Evaluate]) -> list[npt.NDArray[np.float32]]:
        """See Backend.evaluate."""
        begin = time.perf_counter()
        scores: list[npt.NDArray[np.float32]] = self._backend.evaluate(asks)
        self.evaluate_seconds[-1] = time.perf_counter() - begin
        self.candidates[-1] = len(asks[0].left)
        return scores


def time_hops(bundle: Bundle, *, seconds: float) -> dict[str, Any]:
    """Push frames as fast as they are processed -> milliseconds of the pushes that complete a hop.

    A camera's resampler holds each frame until the next one comes; that wait is not included.
    """
    scripted = ScriptedStages(bundle.backend)
    rng = np.random.default_rng(0)
    shape = (_POOL, *bundle.preprocessing.resize, 3)
    pool = rng.integers(0, 256, shape, dtype=np.uint8)
    warm_up = bundle.grid.window + len(_SCRIPT)  # the window is full, and recurring work is captured
    latencies: list[float] = []
    events, number = 0, 0
    end = float("inf")
    with Bundle(bundle.path, bundle.manifest, cast(Backend, scripted)).stream() as stream:
        while len(latencies) < 3 or time.perf_counter() < end:
            frame = Frame(pool[number % _POOL], Fraction(number) / bundle.grid.fps)
            hops, begin = scripted.hops, time.perf_counter()
            events += len(stream.push(frame))
            now = time.perf_counter()
            number += 1
            if scripted.hops > hops > warm_up:
                latencies.append(now - begin)
                end = min(end, now + seconds)
    return {
        "backend": bundle.backend.name,
        **_percentiles("hop", latencies),
        **_percentiles("stages", scripted.stages_seconds[warm_up:]),
        **_percentiles("evaluate", scripted.evaluate_seconds[warm_up:]),
        "hops_timed": len(latencies),
        "candidates_p50": float(np.median(scripted.candidates[warm_up:])),
        "candidates_most": max(scripted.candidates),
        "events": events,
    }


def _percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
    return {f"{name}_p50_ms": round(float(p50), 4), f"{name}_p99_ms": round(float(p99), 4)}
