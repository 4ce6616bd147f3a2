"""Frames in, one feature vector per step out, every frame computed once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Backend, ExtractorState, StepFeatures
from cmsn_runtime.errors import SettingsError

Frames = npt.NDArray[Any]  # one moment: uint8 [height, width, 3] of a picture, float32 [width] of a feature row


class StreamingExtractor:
    """Collects frames into chunks and runs the incremental extractor on them.

    chunk_frames: frames per call of the backend, a multiple of the stride. 8 answers soonest and is what a camera
        wants; more saves calls on files. The features are the same. By default what the backend takes, or a step.
    delay_steps: how many steps the newest feature is behind the newest complete chunk.

    One segment of a stream runs from the first push to `flush`; `reset` drops what is under way.
    Raises SettingsError for a chunk that is no multiple of the stride, or not what the backend was built for.
    """

    def __init__(self, backend: Backend, *, stride: int, delay_steps: int, chunk_frames: int | None = None) -> None:
        chunk_frames = chunk_frames or backend.chunk_frames or stride
        if chunk_frames < 1 or chunk_frames % stride:
            raise SettingsError(f"chunk of {chunk_frames} frames: it must be a multiple of the stride, {stride}")
        if backend.chunk_frames not in (None, chunk_frames):
            raise SettingsError(
                f"chunk of {chunk_frames} frames: the engines were built for {backend.chunk_frames}; leave the chunk "
                f"out, or build them again with `cmsn build --chunk-frames {chunk_frames}`"
            )
        self.delay_steps = delay_steps
        self._backend = backend
        self._stride = stride
        self._chunk_frames = chunk_frames
        # A last chunk need not be whole, unless the backend insists.
        self._last_chunk_frames = backend.chunk_frames or stride
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a new segment."""
        self._state: ExtractorState = self._backend.new_state()
        self._waiting: list[Frames] = []
        self._position = 0

    def push(self, frame: Frames) -> Iterator[StepFeatures]:
        """One crop or one feature row -> the features that became ready, mostly none.

        Whoever keeps features copies them (a window does) before the next one is asked for: on a device their memory is
        used again.
        """
        self._waiting.append(frame)
        if len(self._waiting) < self._chunk_frames:
            return iter(())
        return iter((self._run(length=UNKNOWN_LENGTH),))

    def flush(self) -> Iterator[StepFeatures]:
        """End the segment -> its last features. A last incomplete step is filled by repeating its last frame."""
        total = self._position + len(self._waiting)
        if total == 0:
            return
        if self._waiting:
            self._waiting += [self._waiting[-1]] * (-total % self._stride)
        steps = -(-total // self._stride)
        while self._position < (steps + self.delay_steps) * self._stride:
            blank = np.zeros_like(self._waiting[-1] if self._waiting else self._last)
            missing = -len(self._waiting) % self._last_chunk_frames
            self._waiting += [blank] * (missing if self._waiting else self._last_chunk_frames)
            yield self._run(length=steps * self._stride)
        self.reset()

    def _run(self, *, length: int) -> StepFeatures:
        """One chunk -> features of those of its steps that lie within the segment."""
        chunk = np.stack(self._waiting)
        self._last = self._waiting[-1]
        self._waiting = []
        features = self._backend.extract(chunk, self._state, position=self._position, length=length)
        first = self._position // self._stride - self.delay_steps
        self._position += len(chunk)
        return features[max(0, -first) : max(0, length // self._stride - first)]
