"""Frames in, one feature vector per step out, every frame computed once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Backend, ExtractorState
from cmsn_runtime.errors import SettingsError

Frames = npt.NDArray[Any]  # one moment: uint8 [height, width, 3] of a picture, float32 [width] of a feature row
Features = npt.NDArray[np.float32]


class StreamingExtractor:
    """Collects frames into chunks and runs the incremental extractor on them.

    chunk_frames: frames per call of the backend, a multiple of the stride. 8 answers soonest and is what a camera
        wants; more saves calls on files. The features are the same.
    delay_steps: how many steps the newest feature is behind the newest complete chunk.

    One segment of a stream runs from the first push to `flush`; `reset` drops what is under way.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        stride: int,
        channels: int,
        delay_steps: int,
        chunk_frames: int | None = None,
    ) -> None:
        chunk_frames = chunk_frames or stride
        if chunk_frames < 1 or chunk_frames % stride:
            raise SettingsError(f"chunk of {chunk_frames} frames: it must be a multiple of the stride, {stride}")
        self.delay_steps = delay_steps
        self._backend = backend
        self._stride = stride
        self._channels = channels
        self._chunk_frames = chunk_frames
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a new segment."""
        self._state: ExtractorState = self._backend.new_state()
        self._waiting: list[Frames] = []
        self._position = 0

    def push(self, frame: Frames) -> Features:
        """One crop or one feature row -> the features [n, C] that became ready, mostly none."""
        self._waiting.append(frame)
        if len(self._waiting) < self._chunk_frames:
            return self._none()
        return self._run(length=UNKNOWN_LENGTH)

    def flush(self) -> Features:
        """End the segment -> its last features [n, C]. A last incomplete step is filled by repeating its last frame."""
        total = self._position + len(self._waiting)
        if total == 0:
            return self._none()
        if self._waiting:
            self._waiting += [self._waiting[-1]] * (-total % self._stride)
        else:
            self._waiting = [np.zeros_like(self._last)] * self._stride
        steps = -(-total // self._stride)
        outputs = [self._none()]
        while self._position < (steps + self.delay_steps) * self._stride:
            outputs.append(self._run(length=steps * self._stride))
            self._waiting = [np.zeros_like(self._last)] * self._stride
        self.reset()
        return np.concatenate(outputs)

    def _run(self, *, length: int) -> Features:
        chunk = np.stack(self._waiting)
        self._last = self._waiting[-1]
        self._waiting = []
        features = self._backend.extract(chunk, self._state, position=self._position, length=length)
        first = self._position // self._stride - self.delay_steps
        self._position += len(chunk)
        return features[max(0, -first) :]

    def _none(self) -> Features:
        return np.empty((0, self._channels), dtype=np.float32)
