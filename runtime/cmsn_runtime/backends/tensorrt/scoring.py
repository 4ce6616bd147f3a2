"""The stage network and the evaluator on the device: windows go in, scores come back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from cmsn_runtime.backends.asks import Evaluate, Floats, Rows
from cmsn_runtime.backends.joining import rebased, split_scores
from cmsn_runtime.backends.shapes import Shape
from cmsn_runtime.backends.tensorrt.cuda import Device
from cmsn_runtime.backends.tensorrt.recurring import RecurringEngine
from cmsn_runtime.backends.tensorrt.windows import DeviceWindow, HeldWindows
from cmsn_runtime.stages import STAGE_COUNT

_SMALLEST_BATCH = 32  # proposals; batches are padded to powers of two, so that few graphs serve all counts


class DeviceScorer:
    """Runs both engines over windows. The device must be current in every call, which waits for the scores.

    resources: releases what is allocated. held: the buffer from which both read windows. window: steps of a full one.
    """

    def __init__(
        self,
        device: Device,
        stages: RecurringEngine,
        evaluator: RecurringEngine,
        resources: ExitStack,
        *,
        held: HeldWindows,
        window: int,
    ) -> None:
        rows = evaluator.tensors["left"]
        self._device = device
        self._stages = stages
        self._evaluator = evaluator
        self._held = held
        self._window = window
        self._channels = stages.tensors["features"].shape[2]
        self._bins = rows.shape[1]
        self._most = (rows.largest or (1,))[0]
        self._probabilities = device.staging((held.rows, STAGE_COUNT), np.float32)
        self._left, self._right = (device.staging((self._most, self._bins), rows.dtype) for _ in range(2))
        self._scores = device.staging((self._most,), np.float32)
        for staging in (self._probabilities, self._left, self._right, self._scores):
            resources.callback(staging.free)

    def stages(self, windows: Sequence[DeviceWindow]) -> list[Floats]:
        """Stage probabilities of windows of one length."""
        cameras, steps = len(windows), len(windows[0])
        self._held.hold(windows, in_order=True)
        self._stages.run(
            {"features": self._held.address, "probabilities": self._probabilities.address},
            {"features": (cameras, steps, self._channels)},
            recurs=steps == self._window,
        )
        self._probabilities.download(cameras * steps)
        self._device.synchronize()
        found = self._probabilities.host[: cameras * steps].copy()
        return list(found.reshape(cameras, steps, STAGE_COUNT))

    def evaluate(self, asks: Sequence[Evaluate], windows: Sequence[DeviceWindow]) -> list[Floats]:
        """Scores of the proposals of all windows, which are one long window to the engine.

        Its length never changes, however much of it is in use: a proposal's rows stay within its own window.
        """
        begins = self._held.hold(windows, in_order=False)
        total = self._held.rows
        left, right = (
            np.concatenate([rebased(rows, len(window), total, begin) for rows, window, begin in parts])
            for parts in (
                zip((ask.left for ask in asks), windows, begins, strict=True),
                zip((ask.right for ask in asks), windows, begins, strict=True),
            )
        )
        scores = np.empty(len(left), np.float32)
        for begin in range(0, len(left), self._most):
            part = slice(begin, begin + self._most)
            scores[part] = self._evaluate(left[part], right[part])
        return split_scores(scores, asks)

    def _evaluate(self, left: Rows, right: Rows) -> Floats:
        """Scores of the proposals of one run."""
        count, size = len(left), _SMALLEST_BATCH
        while size < count:
            size *= 2
        size = min(size, self._most)
        for staging, rows in ((self._left, left), (self._right, right)):
            staging.host[:count] = rows
            staging.host[count:size] = 0
            staging.upload(size)
        shapes: dict[str, Shape] = {
            "features": (self._held.rows, self._channels),
            "left": (size, self._bins),
            "right": (size, self._bins),
        }
        self._evaluator.run(
            {
                "features": self._held.address,
                "left": self._left.address,
                "right": self._right.address,
                "scores": self._scores.address,
            },
            shapes,
        )
        self._scores.download(size)
        self._device.synchronize()
        scores: Floats = self._scores.host[:count].copy()
        return scores
