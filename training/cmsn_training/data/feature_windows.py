"""Windows of feature rows with their stage labels, several of one length at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from cmsn_runtime.timegrid import TimeGrid
from cmsn_training.data.corpus import AnnotatedVideo
from cmsn_training.data.labels import stage_labels
from cmsn_training.data.windows import Window, windows_to_draw

Rows = npt.NDArray[np.float32]
Segments = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FeatureAugmentation:
    """noise: deviation of the noise added to each value, in `deviation`s of that value, float32 [width].

    stretch: windows are played up to exp(stretch) times slower or faster, by linear interpolation.
    shift: deviation of the offset common to all points of a window, in deviations of each coordinate.
    coordinates: values per point.
    """

    noise: float
    stretch: float
    deviation: Rows
    shift: float = 0.0
    coordinates: int = 1


class FeatureWindows(Dataset[Window]):
    """Random windows of a corpus of rows, about as many per epoch as the paper's half-overlapped ones.

    An item is `batch` windows of different videos and one length, from a quarter of the window to all of it, since a
    stream begins with short ones; no longer than the shortest of its videos, so that none needs padding. As in
    StageWindows, its content is a function of (seed, number) alone.
    """

    def __init__(
        self,
        corpus: Sequence[AnnotatedVideo],
        *,
        grid: TimeGrid,
        augmentation: FeatureAugmentation | None,
        seed: int,
        batch: int = 1,
        windows_per_video: int | None = None,
    ) -> None:
        self.corpus, self.index = windows_to_draw(corpus, grid, windows_per_video)
        self.grid = grid
        self.augmentation = augmentation
        self.seed = seed
        self.batch = batch

    def __len__(self) -> int:
        return -(-len(self.index) // self.batch)

    def __getitem__(self, number: int) -> Window:
        rng = np.random.default_rng((self.seed, number))
        epoch, item = divmod(number, len(self))
        # A new order each epoch, so that the windows of a batch are not always of the same videos.
        order = np.random.default_rng((self.seed, epoch, len(self.index))).permutation(len(self.index))
        videos = [self.corpus[self.index[i]] for i in order[item * self.batch : (item + 1) * self.batch]]
        speeds = self._speeds(rng, len(videos))
        window = self.grid.window
        wanted = int(rng.integers(window // 4, window + 1))
        longest = [
            int(len(video.frames) / speed) // self.grid.stride for video, speed in zip(videos, speeds, strict=True)
        ]
        steps = max(1, min(wanted, *longest))
        cut = [self._cut(video, steps, speed, rng) for video, speed in zip(videos, speeds, strict=True)]
        return Window(torch.stack([rows for rows, _ in cut]), torch.stack([labels for _, labels in cut]), 0)

    def _speeds(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
        stretch = self.augmentation.stretch if self.augmentation else 0.0
        return np.exp(rng.uniform(-stretch, stretch, count)) if stretch else np.ones(count)

    def _cut(
        self, video: AnnotatedVideo, steps: int, speed: float, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        length = steps * self.grid.stride
        begin = int(rng.integers(0, max(0, len(video.frames) - int(np.ceil(length * speed))) + 1))
        rows = played(video.frames, begin, length, speed)
        segments = (video.segments * float(self.grid.fps) - begin) / speed
        centres = (np.arange(steps) + 0.5) * self.grid.stride
        if self.augmentation is not None:
            rows = disturbed(rows, self.augmentation, rng)
        return torch.from_numpy(rows), torch.from_numpy(stage_labels(segments, centres))


def played(rows: Rows, begin: int, length: int, speed: float) -> Rows:
    """`length` rows from `begin` on, `speed` times as fast; at speed 1 the rows themselves."""
    if speed == 1.0:
        return np.array(rows[begin : begin + length], dtype=np.float32)
    times = np.minimum(begin + np.arange(length) * speed, len(rows) - 1)
    before = times.astype(np.int64)
    share = (times - before)[:, None].astype(np.float32)
    after = np.minimum(before + 1, len(rows) - 1)
    return np.asarray(rows[before] * (1 - share) + rows[after] * share, dtype=np.float32)


def disturbed(rows: Rows, augmentation: FeatureAugmentation, rng: np.random.Generator) -> Rows:
    """The rows [T, width] shifted together, with noise in proportion to each value's deviation."""
    moved = rows.astype(np.float64)
    if augmentation.noise:
        moved += rng.normal(0, augmentation.noise, rows.shape) * augmentation.deviation
    if augmentation.shift:
        points = augmentation.deviation.reshape(-1, augmentation.coordinates)
        offset = rng.normal(0, augmentation.shift, augmentation.coordinates) * points.mean(axis=0)
        moved += np.tile(offset, len(points))
    return moved.astype(np.float32)
