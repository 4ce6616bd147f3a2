"""Rows of frozen networks over videos, computed once by the graph that a bundle runs, and kept as .npy files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.asks import Evaluate, Extract, ExtractorState, FeatureWindow, Floats, Stages, StepFeatures
from cmsn_runtime.backends.host_window import on_host
from cmsn_runtime.backends.onnxruntime.extracting import OrtExtractor
from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.threads import usual_threads
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import StateTensor
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.streams.extracting import StreamingExtractor, extracted
from cmsn_runtime.timegrid import TimeGrid
from cmsn_training.data.decoded_frames import Pixels, decoded_frames
from cmsn_training.data.picture_views import PictureView
from cmsn_training.data.video_cache import VideoCache

Rows = npt.NDArray[np.float32]

_CHUNK_STEPS = 4


class RowsCache(VideoCache[np.float32]):
    """Rows float32 [steps, width] of each video; see VideoCache.

    graph: an extractor in ONNX that ends in rows. states: its own. delay_steps: steps by which its rows lag.
    view: the part of each picture, and whether it is mirrored.
    """

    def __init__(
        self,
        folder: Path,
        *,
        graph: bytes,
        states: Sequence[StateTensor],
        delay_steps: int,
        grid: TimeGrid,
        preprocessing: Preprocessing,
        view: PictureView,
        provider: Provider,
    ) -> None:
        super().__init__(folder)
        self.grid = grid
        self.view = view
        self._graph = graph
        self._states = tuple(states)
        self._delay_steps = delay_steps
        self._preprocessing = preprocessing
        self._provider = provider

    def _settings(self) -> Mapping[str, object]:
        return {
            "preprocessing": asdict(self._preprocessing),
            "view": asdict(self.view),
            "fps": str(self.grid.fps),
            "stride": self.grid.stride,
            "graph": hashlib.sha256(self._graph).hexdigest(),
        }

    def _write(self, video: Path, unfinished: Path, faults: list[str]) -> None:
        with RowsBackend(self._graph, self._states, self._provider) as backend:
            stream = StreamingExtractor(
                backend,
                stride=self.grid.stride,
                delay_steps=self._delay_steps,
                chunk_frames=_CHUNK_STEPS * self.grid.stride,
                flow=self._preprocessing.flow,
            )
            parts = [np.array(on_host(part)) for part in extracted(self._pictures(video, faults), stream, backend)]
        rows: Rows = np.concatenate(parts)
        with unfinished.open("wb") as file:
            np.save(file, rows)

    def _pictures(self, video: Path, faults: list[str]) -> Iterator[Pixels]:
        whole = replace(self._preprocessing, crop=self._preprocessing.resize, flow=None)
        for picture in decoded_frames(video, faults, grid=self.grid, preprocessing=whole):
            yield self.view.of(picture, self._preprocessing.crop)


class RowsBackend(Closing):
    """Backend protocol of an extractor alone."""

    def __init__(self, graph: bytes, states: Sequence[StateTensor], provider: Provider) -> None:
        provider.prepare()
        self._extractor = OrtExtractor(graph, states, threads=usual_threads(len(graph)), provider=provider)
        self.name = f"ONNX Runtime ({', '.join(self._extractor.providers)})"
        self.chunk_frames = provider.chunk_frames
        self.largest_batch = 1

    def close(self) -> None:
        """Release the session."""
        self._extractor.close()

    def new_state(self) -> ExtractorState:
        """See Backend.new_state."""
        return self._extractor.new_state()

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        """See Backend.extract."""
        return self._extractor.extract(asks)

    def new_window(self, steps: int) -> FeatureWindow:
        """There is none: raises BackendError."""
        raise _none()

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """There are none: raises BackendError."""
        raise _none()

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """There is none: raises BackendError."""
        raise _none()


def _none() -> BackendError:
    return BackendError("an extractor alone was asked for stages or scores; open a bundle")
