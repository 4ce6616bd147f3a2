"""Frames in, one feature vector per step out, every frame computed once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import ExtractorState, StepFeatures, Work, extract
from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Backend
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.pictures.flow import FlowChannels
from cmsn_runtime.pictures.settings import FlowSettings

Moment = npt.NDArray[Any]  # uint8 [height, width, 3] of a picture, float32 [width] of a feature row


class StreamingExtractor:
    """Collects frames into chunks and asks for their features.

    chunk_frames: frames per ask, a multiple of the stride. 8 answers soonest and suits a camera; more saves calls on
        files. The features are the same. By default what the backend takes, or a step.
    delay_steps: number of steps by which the newest feature lags behind the newest complete chunk.
    flow: the optical flow that is appended to each picture, if any.

    One segment of a stream runs from the first frame to the last answer of `ending`; `reset` drops what is under way.
    The backend's state is created with the first chunk and released at the end: never are two held at once.
    Raises SettingsError for a chunk that is not a multiple of the stride, or not what the backend was built for.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        stride: int,
        delay_steps: int,
        chunk_frames: int | None = None,
        flow: FlowSettings | None = None,
    ) -> None:
        chunk_frames = (backend.chunk_frames or stride) if chunk_frames is None else chunk_frames
        if chunk_frames < 1 or chunk_frames % stride:
            raise SettingsError(f"a chunk has {chunk_frames} frames; it must be a multiple of the stride, {stride}")
        if backend.chunk_frames not in (None, chunk_frames):
            raise SettingsError(
                f"a chunk has {chunk_frames} frames; the engines were built for {backend.chunk_frames}; omit the chunk "
                f"size, or build them again with `cmsn build --chunk-frames {chunk_frames}`"
            )
        self.delay_steps = delay_steps
        self._backend = backend
        self._stride = stride
        self._chunk_frames = chunk_frames
        # The last chunk may be incomplete, unless the backend takes only full chunks.
        self._last_chunk_frames = backend.chunk_frames or stride
        self._state: ExtractorState | None = None
        self._flow = None if flow is None else FlowChannels(flow)
        self.reset()

    def reset(self) -> None:
        """Discard everything and release the state: the next frame is the first of a new segment."""
        if self._state is not None:
            self._state.close()
        self._state = None
        if self._flow is not None:
            self._flow.reset()
        self._waiting: list[Moment] = []
        self._position = 0
        self._total: int | None = None  # frames of the segment, once its end is known

    def steps(self, frame: Moment) -> Work[StepFeatures | None]:
        """One crop or one feature row -> the features that became ready; mostly None.

        To keep features, copy them (a window does) before the next ask: on a device their memory is reused.
        """
        self._waiting.append(frame if self._flow is None else self._flow(frame))
        if len(self._waiting) < self._chunk_frames:
            return None
        return (yield from self._run(length=UNKNOWN_LENGTH))

    def ending(self) -> Work[StepFeatures | None]:
        """The segment has ended -> the next part of its last features, and None once there is no more.

        A last incomplete step is filled by repeating its last frame, which is also what follows the end.
        """
        if self._total is None:
            self._total = self._position + len(self._waiting)
            if self._waiting:
                self._waiting += [self._waiting[-1]] * (-self._total % self._stride)
        steps = -(-self._total // self._stride)
        if self._total == 0 or self._position >= (steps + self.delay_steps) * self._stride:
            self.reset()
            return None
        last = self._waiting[-1] if self._waiting else self._last
        missing = -len(self._waiting) % self._last_chunk_frames
        self._waiting += [last] * (missing if self._waiting else self._last_chunk_frames)
        return (yield from self._run(length=steps * self._stride))

    def _run(self, *, length: int) -> Work[StepFeatures]:
        """One chunk -> features of those of its steps that lie within the segment."""
        chunk = np.stack(self._waiting)
        self._last = self._waiting[-1]
        self._waiting = []
        if self._state is None:
            self._state = self._backend.new_state()
        features = yield from extract(chunk, self._state, position=self._position, length=length)
        first = self._position // self._stride - self.delay_steps
        self._position += len(chunk)
        return features[max(0, -first) : max(0, length // self._stride - first)]


def extracted(frames: Iterable[Moment], extractor: StreamingExtractor, backend: Backend) -> Iterator[StepFeatures]:
    """All step features of one segment, part by part; a part is valid until the next one is asked for."""
    for frame in frames:
        features = answer_alone(extractor.steps(frame), backend)
        if features is not None:
            yield features
    while (features := answer_alone(extractor.ending(), backend)) is not None:
        yield features
