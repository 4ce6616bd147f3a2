"""How far what an extractor computes is from FP32, on a few stretches of video."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from cmsn_calibration.stream_error import decibels
from cmsn_calibration.watching import Watcher

Pixels = npt.NDArray[np.uint8]
# Frames of a stretch after those that come before it, and the number of these.
Part = tuple[Pixels, int]


class Reference:
    """The features in FP32 of some stretches, to compare other graphs of the same extractor with.

    graph: ONNX bytes. parts: see Part. stride: frames per step. threads: number per operator.
    """

    def __init__(self, graph: bytes, parts: Sequence[Part], *, stride: int, threads: int) -> None:
        self.graph, self.parts, self._stride, self._threads = graph, parts, stride, threads
        self._features = self._run(graph)

    def signal_to_noise(self, graph: bytes) -> float:
        """Of another graph's features, in dB: infinite where they are equal, minus infinity where one is not finite."""
        found = self._run(graph)
        if not np.isfinite(found).all():
            return -math.inf
        return decibels(
            float(np.square(self._features, dtype=np.float64).sum()),
            float(np.square(found - self._features, dtype=np.float64).sum()),
        )

    def of_tensors(self, graph: bytes, tensors: Sequence[str]) -> dict[str, float]:
        """The same of tensors within another graph, by name; both graphs have them."""
        watchers = [Watcher(each, tensors, threads=self._threads) for each in (graph, self.graph)]
        sums = {name: [0.0, 0.0] for name in tensors}
        for chunk, counts in self._chunks():
            found, expected = (watcher.run(chunk) for watcher in watchers)
            if counts:
                for name in tensors:
                    sums[name][0] += float(np.square(expected[name], dtype=np.float64).sum())
                    sums[name][1] += float(np.square(found[name] - expected[name], dtype=np.float64).sum())
        return {name: decibels(signal, noise) for name, (signal, noise) in sums.items()}

    def _run(self, graph: bytes) -> npt.NDArray[np.float32]:
        watcher, found = Watcher(graph, [], threads=self._threads), []
        for chunk, counts in self._chunks():
            features = watcher.run(chunk)["features"]
            if counts:
                found.append(features[0])
        return np.concatenate(found)

    def _chunks(self) -> Iterator[tuple[Pixels, bool]]:
        """Steps of the stretches, each with whether it is one of the stretch itself and not of what comes before."""
        for frames, before in self.parts:
            for begin in range(before % self._stride, len(frames) - self._stride + 1, self._stride):
                yield frames[begin : begin + self._stride], begin >= before
