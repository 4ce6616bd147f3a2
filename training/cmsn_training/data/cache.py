"""Videos decoded once to the model's frames, and stored as .npy files that training maps into memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.timegrid import TimeGrid
from cmsn_training.data.decoded_frames import decoded_frames
from cmsn_training.data.rows_file import write_rows
from cmsn_training.data.video_cache import VideoCache

Pixels = npt.NDArray[np.uint8]


class FrameCache(VideoCache[np.uint8]):
    """Frames uint8 [T, height, width, 3] of each video; see VideoCache.

    They are written as they are decoded: memory does not grow with the video.
    """

    def __init__(self, folder: Path, *, grid: TimeGrid, preprocessing: Preprocessing) -> None:
        super().__init__(folder)
        self.grid = grid
        self.preprocessing = preprocessing

    def frames(self, video: Path) -> Pixels:
        """Frames of a video; see VideoCache.array."""
        return self.array(video)

    def _settings(self) -> Mapping[str, object]:
        pictures = asdict(self.preprocessing)
        del pictures["flow"]  # computed from these frames
        return {"preprocessing": pictures, "fps": str(self.grid.fps)}

    def _write(self, video: Path, unfinished: Path, faults: list[str]) -> None:
        write_rows(unfinished, self._decode(video, faults), shape=(*self.preprocessing.crop, 3))

    def _decode(self, video: Path, faults: list[str]) -> Iterator[Pixels]:
        return decoded_frames(video, faults, grid=self.grid, preprocessing=self.preprocessing)
