"""Hops of many cameras through the deployed backend: extractor, stages and evaluator, in batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from cmsn_benchmarks.gpu.inputs import POOL, POSITION, pictures
from cmsn_runtime.backends.answering import answer
from cmsn_runtime.backends.asks import Ask, Evaluate, Extract, Stages, StepFeatures
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.errors import BackendError

_PROPOSALS = 64  # per camera and hop


class BatchedCameras:
    """Cameras that ask at the same time, with full windows after `fill`."""

    def __init__(self, bundle: Bundle, cameras: int) -> None:
        self._backend = bundle.backend
        self._steps = bundle.grid.window
        self.frames = self._backend.chunk_frames or bundle.grid.stride
        self._pool = pictures(cameras, (self.frames, *bundle.manifest.input_shape))
        self._states = [self._backend.new_state() for _ in range(cameras)]
        self._windows = [self._backend.new_window(self._steps) for _ in range(cameras)]
        rows = (2, _PROPOSALS, bundle.manifest.proposals.roi_bins)
        self._left, self._right = np.random.default_rng(0).integers(0, self._steps, rows)

    def fill(self) -> None:
        """Fill every window by repeating the steps of one hop; then run hops until recurring work is captured."""
        for window, features in zip(self._windows, self._answered(self._extracts(0)), strict=True):
            while len(window) < self._steps:
                window.push(cast(StepFeatures, features))
        for turn in range(4):
            self.hop(turn)

    def hop(self, turn: int) -> None:
        """One hop of all cameras, to the scores. Raises BackendError."""
        for window, features in zip(self._windows, self._answered(self._extracts(turn)), strict=True):
            window.push(cast(StepFeatures, features))
        self._answered([Stages(window) for window in self._windows])
        self._answered([Evaluate(window, self._left, self._right) for window in self._windows])

    def close(self) -> None:
        """Release all states and windows."""
        for item in (*self._states, *self._windows):
            item.close()

    def _extracts(self, turn: int) -> list[Extract]:
        frames = self._pool[turn % POOL]
        return [Extract(frames[index], state, POSITION, UNKNOWN_LENGTH) for index, state in enumerate(self._states)]

    def _answered(self, asks: Sequence[Ask]) -> list[Any]:
        found = answer(asks, self._backend)
        for item in found:
            if isinstance(item, BackendError):
                raise item
        return found


def time_batches(bundle: Bundle, counts: Sequence[int], *, seconds: float) -> list[dict[str, Any]]:
    """Run each number of cameras for `seconds` -> milliseconds per hop, and frames per second, of all cameras."""
    found: list[dict[str, Any]] = []
    for count in counts:
        cameras = BatchedCameras(bundle, count)
        try:
            cameras.fill()
            found.append({"cameras": count, "largest_batch": bundle.backend.largest_batch, **_timed(cameras, seconds)})
        finally:
            cameras.close()
        found[-1]["frames_per_second"] = round(1e3 * count * cameras.frames / found[-1]["hop_p50_ms"], 2)
    return found


def _timed(cameras: BatchedCameras, seconds: float) -> dict[str, float]:
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < end:
        begin = time.perf_counter()
        cameras.hop(len(taken))
        taken.append(time.perf_counter() - begin)
    p50, p99 = np.percentile(taken, [50, 99]) * 1e3
    return {"hop_p50_ms": round(float(p50), 4), "hop_p99_ms": round(float(p99), 4), "hops_timed": len(taken)}
