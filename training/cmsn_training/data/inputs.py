"""The input of training: pictures or feature rows, loaded, split into windows, augmented in several views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from torch.utils.data import Dataset

from cmsn_training.config import TrainingConfig
from cmsn_training.config_sections import FeaturesConfig
from cmsn_training.data.cache import FrameCache
from cmsn_training.data.corpus import AnnotatedVideo, FoundCorpus, find_corpus
from cmsn_training.data.feature_corpus import load_feature_corpus
from cmsn_training.data.feature_windows import FeatureAugmentation, FeatureWindows, disturbed, played
from cmsn_training.data.windows import Augmentation, Look, StageWindows, Window, draw_look
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.feature_extractor import FeatureExtractor


class View(NamedTuple):
    """One view of a whole video for phase 2, frame by frame: memory does not grow with the video.

    frames: uint8 [H, W, 3] each, or rows float32 [width]. segments: float64 [K, 2] in steps.
    """

    frames: Iterable[npt.NDArray[Any]]
    segments: npt.NDArray[np.float64]


class Inputs(Protocol):
    """One kind of input. `training` and `held_out` are its videos; phase 2 is trained on their views."""

    training: list[AnnotatedVideo]
    held_out: list[AnnotatedVideo]

    def prepare(self, model: CMSN) -> None:
        """Compute from the training part what the network needs before training."""
        ...

    def windows(self, videos: Sequence[AnnotatedVideo], *, learning: bool) -> Dataset[Window]:
        """Windows for phase 1; `learning` ones are augmented."""
        ...

    def view(self, video: AnnotatedVideo, rng: np.random.Generator | None) -> View:
        """A whole video; with a generator, augmented and shifted against the grid."""
        ...

    def deployed(self, model: CMSN) -> CMSN:
        """The trained model as it takes the input of the configuration."""
        ...


class PictureInputs:
    """Videos, decoded through the cache."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self.grid = config.time_grid()
        self.augmentation = Augmentation(flip=config.stages.flip, light=config.stages.light)
        self._cache = FrameCache(config.data.cache, grid=self.grid, preprocessing=config.picture())
        data, held_out = config.data, config.data.held_out()
        find = partial(find_corpus, missing=data.missing)
        # Both are located before either is decoded, which may take hours.
        training = find(data.videos, data.annotations, subset=data.subset)
        validation = find(*held_out, subset=data.validation_subset) if held_out else None
        self.held_out = self._decode(validation, "validation") if validation else []
        self.training = self._decode(training, "training")

    def prepare(self, model: CMSN) -> None:
        """See Inputs: the layout of the weights. Frames arrive with their channels last; weights of the same layout
        double the speed on CPUs, and suit GPUs.
        """
        model.extractor.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def windows(self, videos: Sequence[AnnotatedVideo], *, learning: bool) -> Dataset[Window]:
        """See Inputs."""
        return StageWindows(
            videos,
            grid=self.grid,
            augmentation=self.augmentation if learning else None,
            seed=self.config.seed,
            windows_per_video=self.config.stages.windows_per_video if learning else None,
        )

    def view(self, video: AnnotatedVideo, rng: np.random.Generator | None) -> View:
        """See Inputs."""
        shift = 0 if rng is None else int(rng.integers(self.grid.stride))
        look = Look(flip=False, levels=None) if rng is None else draw_look(self.augmentation, rng)
        segments = (video.segments * float(self.grid.fps) - shift) / self.grid.stride
        return View(map(look, video.frames[shift:]), segments)

    def deployed(self, model: CMSN) -> CMSN:
        """See Inputs: itself."""
        return model

    def _decode(self, corpus: FoundCorpus, what: str) -> list[AnnotatedVideo]:
        def progress(items: Iterable[tuple[str, Path]]) -> Iterable[tuple[str, Path]]:
            return track(list(items), f"Decoding {what} videos")

        return corpus.decode(self._cache, rate=self.grid.fps, decoders=self.config.data.decoders, progress=progress)


class FeatureInputs:
    """Feature rows, held in memory. training, held_out: the videos."""

    def __init__(
        self,
        config: TrainingConfig,
        features: FeaturesConfig,
        training: list[AnnotatedVideo],
        held_out: list[AnnotatedVideo],
    ) -> None:
        self.config = config
        self.features = features
        self.grid = config.time_grid()
        self.training = training
        self.held_out = held_out
        deviation = np.concatenate([video.frames for video in self.training]).std(axis=0).astype(np.float32)
        self.augmentation = FeatureAugmentation(
            features.noise, features.stretch, deviation, features.shift, features.coordinates or 1
        )

    @classmethod
    def of_files(cls, config: TrainingConfig, features: FeaturesConfig) -> FeatureInputs:
        """From files of rows."""
        data, held_out = config.data, config.data.held_out()
        load = partial(load_feature_corpus, width=features.width, rate=config.grid.fps, missing=data.missing)
        validation = load(*held_out, subset=data.validation_subset) if held_out else []
        return cls(config, features, load(data.videos, data.annotations, subset=data.subset), validation)

    def prepare(self, model: CMSN) -> None:
        """See Inputs: mean and deviation of every value."""
        if isinstance(model.extractor, FeatureExtractor):
            model.extractor.fit([torch.from_numpy(video.frames) for video in self.training])

    def windows(self, videos: Sequence[AnnotatedVideo], *, learning: bool) -> Dataset[Window]:
        """See Inputs."""
        return FeatureWindows(
            videos,
            grid=self.grid,
            augmentation=self.augmentation if learning else None,
            seed=self.config.seed,
            batch=self.config.stages.batch if learning else 1,
            windows_per_video=self.config.stages.windows_per_video if learning else None,
        )

    def view(self, video: AnnotatedVideo, rng: np.random.Generator | None) -> View:
        """See Inputs."""
        segments = video.segments * float(self.grid.fps)
        if rng is None:
            return View(video.frames, segments / self.grid.stride)
        stretch = self.features.stretch
        speed = float(np.exp(rng.uniform(-stretch, stretch))) if stretch else 1.0
        shift = int(rng.integers(self.grid.stride))
        rows = played(video.frames, shift, int((len(video.frames) - shift) / speed), speed)
        return View(disturbed(rows, self.augmentation, rng), (segments - shift) / speed / self.grid.stride)

    def deployed(self, model: CMSN) -> CMSN:
        """See Inputs: itself."""
        return model
