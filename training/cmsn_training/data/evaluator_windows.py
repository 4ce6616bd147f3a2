"""Candidate proposals with their tIoU: the training data of phase 2 (section 3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from cmsn_runtime.backends.host_window import on_host
from cmsn_runtime.proposing.pipeline import propose
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.streams.extracting import StreamingExtractor, extracted
from cmsn_runtime.timegrid import TimeGrid
from cmsn_training.data.sampling import balanced_sample, best_tiou
from cmsn_training.models.cmsn import CMSN
from cmsn_training.torch_backend import TorchBackend

# Keeps a GPU busy; the largest activation takes 0.4 GB at full width (conv1a, 128 frames of 112 x 112).
_CHUNK_STEPS = 16


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTrack:
    """Step features [n, C] of one view of a whole video, and its segments in steps, float64 [K, 2]."""

    features: torch.Tensor
    segments: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class EvaluatorBatch:
    """features: [n, C] of a window. left, right: int64 [K, bins]. tiou: float32 [K], the target."""

    features: torch.Tensor
    left: torch.Tensor
    right: torch.Tensor
    tiou: torch.Tensor

    def to(self, device: torch.device, non_blocking: bool = False) -> EvaluatorBatch:
        """The same batch on another device; Lightning calls it."""
        return EvaluatorBatch(*(part.to(device) for part in (self.features, self.left, self.right, self.tiou)))


def feature_track(
    backend: TorchBackend, frames: Iterable[npt.NDArray[Any]], segments: npt.NDArray[np.float64]
) -> FeatureTrack:
    """Features of a whole video, as the deployed stream computes them; the extractor is frozen at this point.

    frames: uint8 [H, W, 3] each, or rows float32 [width]; one chunk is held at a time. segments: in steps.
    """
    model = backend.model.extractor
    stream = StreamingExtractor(
        backend, stride=model.stride, delay_steps=model.delay_steps, chunk_frames=_CHUNK_STEPS * model.stride
    )
    parts = [np.empty((0, model.out_channels), np.float32)]
    parts += [on_host(part) for part in extracted(frames, stream, backend)]  # host arrays already
    return FeatureTrack(torch.from_numpy(np.concatenate(parts)), segments)


class EvaluatorWindows(Dataset[EvaluatorBatch]):
    """Windows of feature tracks with a balanced sample of the candidates that the frozen ASS proposes in them."""

    def __init__(
        self,
        model: CMSN,
        tracks: Sequence[FeatureTrack],
        *,
        grid: TimeGrid,
        settings: ProposalSettings,
        seed: int,
        windows_per_track: int,
        least: int = 0,
        most: int | None = None,
    ) -> None:
        self.model = model
        self.tracks = [track for track in tracks if len(track.features)]
        self.grid = grid
        self.settings = settings
        self.seed = seed
        self.windows_per_track = windows_per_track
        self.least = least
        self.most = most

    def __len__(self) -> int:
        return len(self.tracks) * self.windows_per_track

    def __getitem__(self, number: int) -> EvaluatorBatch:
        rng = np.random.default_rng((self.seed, number))
        track = self.tracks[number % len(self) // self.windows_per_track]
        steps = min(self.grid.window, len(track.features))
        begin = int(rng.integers(0, len(track.features) - steps + 1))
        features = track.features[begin : begin + steps]
        with torch.inference_mode():
            probabilities = self.model.stages.probabilities(features[None])[0].numpy()
        found = propose(probabilities, frontier=0, settings=self.settings)
        spans = np.stack([found.starts, found.ends + 1], axis=1).astype(np.float64)
        tiou = best_tiou(spans, track.segments - begin)
        chosen = balanced_sample(tiou, rng, least=self.least)
        if self.most is not None and len(chosen) > self.most:
            chosen = rng.choice(chosen, self.most, replace=False)
        return EvaluatorBatch(
            features,
            torch.from_numpy(found.left[chosen]),
            torch.from_numpy(found.right[chosen]),
            torch.from_numpy(tiou[chosen].astype(np.float32)),
        )
