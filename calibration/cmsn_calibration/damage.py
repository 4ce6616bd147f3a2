"""How far an extractor's features are from those in FP32, on a few stretches of video."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cmsn_calibration.watching import Watcher

Pixels = npt.NDArray[np.uint8]
# Frames of a stretch after those that come before it, and the number of these.
Part = tuple[Pixels, int]


class Reference:
    """The features in FP32 of some stretches, to compare other graphs of the same extractor with.

    graph: ONNX bytes. parts: see Part. stride: frames per step. threads: number per operator.
    """

    def __init__(self, graph: bytes, parts: Sequence[Part], *, stride: int, threads: int) -> None:
        self._parts, self._stride, self._threads = parts, stride, threads
        self._features = self._run(graph)

    def signal_to_noise(self, graph: bytes) -> float:
        """Of another graph's features, in dB: infinite where they are equal, minus infinity where one is not finite."""
        found = self._run(graph)
        if not np.isfinite(found).all():
            return -math.inf
        signal = float(np.square(self._features, dtype=np.float64).sum())
        noise = float(np.square(found - self._features, dtype=np.float64).sum())
        return 10 * math.log10(signal / noise) if signal and noise else math.inf

    def _run(self, graph: bytes) -> npt.NDArray[np.float32]:
        watcher, found = Watcher(graph, [], threads=self._threads), []
        for frames, before in self._parts:
            for begin in range(before % self._stride, len(frames) - self._stride + 1, self._stride):
                features = watcher.run(frames[begin : begin + self._stride])["features"]
                if begin >= before:
                    found.append(features[0])
        return np.concatenate(found)
