"""Videos decoded once to the model's own frames, kept as .npy files that training maps into memory."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.preprocess import Preprocessor
from cmsn_runtime.preprocessing import Preprocessing
from cmsn_runtime.sources import open_source
from cmsn_runtime.timebase import Resampler, Tick
from cmsn_runtime.timegrid import TimeGrid

# Training wants one unbroken row of frames: across a gap the last picture is simply held.
_ANY_GAP = Fraction(10**9)


class FrameCache:
    """A folder with one .npy (uint8 [T, height, width, 3]) per video and preprocessing.

    The name of a file is the video's own name and a hash of everything that changes its content, so a changed
    setting or a changed video never meets an old cache; a killed run leaves no half-written file behind.
    """

    def __init__(self, folder: Path, *, grid: TimeGrid, preprocessing: Preprocessing) -> None:
        self.folder = folder
        self.grid = grid
        self.preprocessing = preprocessing

    def frames(self, video: Path) -> npt.NDArray[np.uint8]:
        """Frames of a video, read-only and mapped from disk. Raises SourceError where it cannot be decoded."""
        path = self.folder / f"{video.stem}-{self._key(video)}.npy"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                with unfinished.open("wb") as file:
                    np.save(file, self._decode(video))
                os.replace(unfinished, path)
            finally:
                unfinished.unlink(missing_ok=True)
        frames: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
        return frames

    def _decode(self, video: Path) -> npt.NDArray[np.uint8]:
        preprocess = Preprocessor(self.preprocessing)
        resampler = Resampler(self.grid, max_gap=_ANY_GAP)
        crops: list[npt.NDArray[np.uint8]] = []
        with open_source(str(video), size=self.preprocessing.resize) as source:
            for frame in source:
                crops += [preprocess(item.frame) for item in resampler.push(frame) if isinstance(item, Tick)]
        crops += [preprocess(item.frame) for item in resampler.flush() if isinstance(item, Tick)]
        return np.stack(crops) if crops else np.empty((0, *self.preprocessing.crop, 3), dtype=np.uint8)

    def _key(self, video: Path) -> str:
        stat = video.stat()
        settings = {
            "preprocessing": asdict(self.preprocessing),
            "fps": str(self.grid.fps),
            "bytes": stat.st_size,
            "changed": stat.st_mtime_ns,
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
