"""A script of cameras that join, leave, reset and miss hops: batched, each must get the same answers as alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from cmsn_runtime.backends.answering import answer
from cmsn_runtime.backends.asks import Ask, Evaluate, Extract, Floats, Stages, StepFeatures
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.errors import BackendError

HOPS = 16

Played = dict[tuple[int, int], tuple[Floats, Floats]]  # (hop, seed) -> stage probabilities and scores


class Camera:
    """One camera with its own pictures. position: index of its next frame in its segment."""

    def __init__(self, seed: int, bundle: Bundle) -> None:
        self.seed = seed
        self._bundle = bundle
        self.begin()

    def begin(self) -> None:
        """Begin a new segment."""
        backend = self._bundle.backend
        self.state, self.window = backend.new_state(), backend.new_window(self._bundle.grid.window)
        self.position = 0

    def end(self) -> None:
        """The segment has ended."""
        self.state.close()
        self.window.close()

    def extract(self) -> Extract:
        """The ask for its next chunk."""
        rng = np.random.default_rng([self.seed, self.position])
        chunk = self._bundle.backend.chunk_frames or self._bundle.grid.stride
        frames = rng.integers(0, 256, (chunk, *self._bundle.manifest.input_shape), dtype=np.uint8)
        self.position += chunk
        return Extract(frames, self.state, self.position - chunk, UNKNOWN_LENGTH)

    def evaluate(self) -> Evaluate:
        """The ask for one to five proposals."""
        rng = np.random.default_rng([self.seed, self.position, 1])
        rows = (2, 1 + self.seed % 5, self._bundle.manifest.proposals.roi_bins)
        left, right = rng.integers(0, len(self.window), rows)
        return Evaluate(self.window, left, right)


def hop(cameras: Sequence[Camera], bundle: Bundle) -> list[tuple[Floats, Floats]]:
    """One hop of some cameras, answered in batches -> stage probabilities and scores of each. Raises BackendError."""
    found = _answers([camera.extract() for camera in cameras], bundle)
    for camera, features in zip(cameras, found, strict=True):
        camera.window.push(cast(StepFeatures, features))
    probabilities = _answers([Stages(camera.window) for camera in cameras], bundle)
    scores = _answers([camera.evaluate() for camera in cameras], bundle)
    return list(zip(probabilities, scores, strict=True))


def play(bundle: Bundle, count: int, *, together: bool) -> Played:
    """Play the script with `count` cameras. together: those of a hop in batches, otherwise one after the other."""
    cameras = [Camera(seed, bundle) for seed in range(count)]
    found: Played = {}
    for number in range(HOPS):
        if number == 5:  # the first leaves, and another joins
            cameras.pop(0).end()
            cameras.append(Camera(100, bundle))
        if number == 8:  # a reset: the new segment begins before the old one ends
            ended = cameras[-1].state, cameras[-1].window
            cameras[-1].begin()
            for item in ended:
                item.close()
        # All of them; all but the first, which are at other positions then; every other; all in the opposite order.
        asking = [cameras, cameras[1:], cameras[::2], cameras[::-1]][number % 4] or cameras
        for group in [asking] if together else [[camera] for camera in asking]:
            for camera, answered in zip(group, hop(group, bundle), strict=True):
                found[number, camera.seed] = answered
    for camera in cameras:
        camera.end()
    return found


def apart(ours: Played, theirs: Played) -> float:
    """The largest difference of any probability or score."""
    assert ours.keys() == theirs.keys()
    return max(
        float(np.abs(left - right).max()) for key in ours for left, right in zip(ours[key], theirs[key], strict=True)
    )


def _answers(asks: Sequence[Ask], bundle: Bundle) -> list[Any]:
    found = answer(asks, bundle.backend)
    for item in found:
        if isinstance(item, BackendError):
            raise item
    return found
