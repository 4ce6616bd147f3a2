"""Windows of frames with their stage labels: the training data of phase 1."""

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
from cmsn_training.models.incremental import receptive_field_frames

# Streaming features at the edges of a window have seen the frames beyond it. Windows in training bring these
# frames along, so that the network is never trained on edges that do not occur at run time.
MARGIN_STEPS = -(-(receptive_field_frames() // 2) // 8)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A batch of windows of equal length; with pictures, one window.

    frames: uint8 [N, T, H, W, 3], or rows float32 [N, T, width]. labels: int64 [N, n].
    first: the step of the extractor's output where labels begin.
    """

    frames: torch.Tensor
    labels: torch.Tensor
    first: int

    def to(self, device: torch.device, non_blocking: bool = False) -> Window:
        """The same window on another device; Lightning calls it."""
        return Window(self.frames.to(device), self.labels.to(device), self.first)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """flip: mirror half of the windows. light: largest relative change of brightness and contrast.

    With any augmentation windows begin at any frame; without, at the feature grid of the whole video.
    """

    flip: bool = True
    light: float = 0.2


def cut_window(video: AnnotatedVideo, begin: int, steps: int, *, grid: TimeGrid) -> Window:
    """The window of `steps` feature steps that begins at frame `begin`, with margins as far as the video extends."""
    before = min(MARGIN_STEPS, begin // grid.stride)
    last = min(begin + (steps + MARGIN_STEPS) * grid.stride, len(video.frames))
    frames = torch.from_numpy(np.array(video.frames[begin - before * grid.stride : last]))
    centres = (begin + (np.arange(steps) + 0.5) * grid.stride) / float(grid.fps)
    return Window(frames[None], torch.from_numpy(stage_labels(video.segments, centres))[None], before)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One draw of an augmentation, the same for all frames of a window or of a view.

    flip: mirrored. levels: uint8 [256], the new value of each brightness level; None leaves the brightness unchanged.
    """

    flip: bool
    levels: Pixels | None

    def __call__(self, frames: Pixels) -> Pixels:
        """Frames uint8 [..., H, W, 3] -> the same with this augmentation; contiguous."""
        if self.flip:
            frames = frames[..., ::-1, :]
        return np.ascontiguousarray(frames) if self.levels is None else np.take(self.levels, frames)


def draw_look(augmentation: Augmentation, rng: np.random.Generator) -> Look:
    """Draw whether to mirror, and a change of brightness and contrast."""
    flip = augmentation.flip and bool(rng.random() < 0.5)
    if augmentation.light == 0:
        return Look(flip, None)
    contrast, brightness = 1 + augmentation.light * rng.uniform(-1, 1, size=2)
    return Look(flip, np.clip((np.arange(256) - 128) * contrast + 128 * brightness, 0, 255).astype(np.uint8))


def augment(window: Window, augmentation: Augmentation, rng: np.random.Generator) -> Window:
    """Mirror the pictures and change their brightness, the same for all frames of the window."""
    frames = draw_look(augmentation, rng)(window.frames.numpy())
    return Window(torch.from_numpy(frames), window.labels, window.first)


def windows_to_draw(
    corpus: Sequence[AnnotatedVideo], grid: TimeGrid, windows_per_video: int | None
) -> tuple[list[AnnotatedVideo], list[int]]:
    """Videos of at least one step, and for each window of an epoch the index of its video.

    windows_per_video: by default as many as the paper's half-overlapped ones.
    """
    usable = [video for video in corpus if len(video.frames) >= grid.stride]
    hop = grid.window * grid.stride // 2
    counts = (windows_per_video or max(1, len(video.frames) // hop) for video in usable)
    return usable, [number for number, count in enumerate(counts) for _ in range(count)]


class StageWindows(Dataset[Window]):
    """Random windows of a corpus: about as many per epoch as the paper's half-overlapped ones.

    Window lengths vary from a quarter of the window to all of it, since a stream begins with short ones.
    The content of an item is a function of (seed, number) alone, and `EpochSampler` hands out new numbers each epoch:
    order and workers do not matter, and a resumed run sees the same data as an uninterrupted one.
    """

    def __init__(
        self,
        corpus: Sequence[AnnotatedVideo],
        *,
        grid: TimeGrid,
        augmentation: Augmentation | None,
        seed: int,
        windows_per_video: int | None = None,
    ) -> None:
        self.corpus, self.index = windows_to_draw(corpus, grid, windows_per_video)
        self.grid = grid
        self.augmentation = augmentation
        self.seed = seed

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, number: int) -> Window:
        rng = np.random.default_rng((self.seed, number))
        video = self.corpus[self.index[number % len(self)]]
        steps = min(len(video.frames) // self.grid.stride, self._length(rng))
        begin = int(rng.integers(0, len(video.frames) - steps * self.grid.stride + 1))
        if self.augmentation is None:
            begin -= begin % self.grid.stride
        window = cut_window(video, begin, steps, grid=self.grid)
        return augment(window, self.augmentation, rng) if self.augmentation else window

    def _length(self, rng: np.random.Generator) -> int:
        return int(rng.integers(self.grid.window // 4, self.grid.window + 1))
