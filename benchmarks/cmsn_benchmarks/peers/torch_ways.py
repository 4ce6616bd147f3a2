"""torch on a CPU: in half-overlapped windows as in the paper, and step by step with states."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from cmsn_benchmarks.gpu.torch_runs import new_state, typed
from cmsn_benchmarks.peers.own_ways import MIDDLE
from cmsn_benchmarks.peers.way import CHECKED_FRAMES, WINDOW_FRAMES, Frames, Way, Work
from cmsn_benchmarks.speed.backends import HOP_FRAMES
from cmsn_runtime.backends.asks import Floats
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_training.models.incremental import DELAY_STEPS, IncrementalExtractor


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """dtype: of the weights. autocast: convolutions in BF16 over weights in FP32. channels_last: channels_last_3d."""

    dtype: torch.dtype = torch.float32
    autocast: bool = False
    channels_last: bool = False
    compiled: bool = False

    @property
    def layout(self) -> torch.memory_format:
        """Of weights and states."""
        return torch.channels_last_3d if self.channels_last else torch.contiguous_format

    def extractor(self, work: Work) -> IncrementalExtractor:
        """A copy of the work's."""
        return typed(work.extractor, device="cpu", dtype=self.dtype, layout=self.layout)

    def precision(self) -> AbstractContextManager[object]:
        """In which it runs."""
        return torch.autocast("cpu", torch.bfloat16) if self.autocast else nullcontext()

    def made(self, function: Callable[..., object]) -> Callable[..., object]:
        """Compiled for fixed shapes, or as it is."""
        return torch.compile(function, dynamic=False) if self.compiled else function


def windowed(work: Work, variant: Variant) -> Way:
    """A whole window for each half of new frames. What is compiled is checked on it as well: each shape is compiled."""
    whole = variant.made(variant.extractor(work).whole)

    @torch.inference_mode()
    def features(length: int) -> Floats:
        with variant.precision():
            found = cast(torch.Tensor, whole(torch.from_numpy(work.frames[None, :length])))
        return cast(Floats, found[0].float().numpy())

    checked = WINDOW_FRAMES if variant.compiled else CHECKED_FRAMES
    return Way(
        frames=WINDOW_FRAMES // 2,
        call=lambda: features(WINDOW_FRAMES),
        features=lambda: features(checked)[: CHECKED_FRAMES // 8 - DELAY_STEPS],
    )


class StepWise:
    """Chunks of 8 frames through the extractor of the training package, which keeps its states."""

    def __init__(self, work: Work, variant: Variant) -> None:
        self._work = work
        self._variant = variant
        self._extractor = variant.extractor(work)
        self._forward = variant.made(self._extractor.forward)
        self._state = self._zeros()

    def call(self) -> None:
        """8 frames in the middle of a stream."""
        self._advance(self._work.frames[:HOP_FRAMES], MIDDLE)

    def features(self) -> Floats:
        """A stream's first, without those of negative steps."""
        self._state = self._zeros()
        frames = self._work.frames[:CHECKED_FRAMES]
        starts = range(0, CHECKED_FRAMES, HOP_FRAMES)
        return np.concatenate([self._advance(frames[start : start + HOP_FRAMES], start) for start in starts])[
            DELAY_STEPS:
        ]

    @torch.inference_mode()
    def _advance(self, frames: Frames, position: int) -> Floats:
        counters = (torch.tensor([position]), torch.tensor([UNKNOWN_LENGTH]))
        with self._variant.precision():
            answer = self._forward(torch.from_numpy(frames[None]), *counters, *self._state)
        features, *following = cast(tuple[torch.Tensor, ...], answer)
        self._state = tuple(following)
        return cast(Floats, features[0].float().numpy())

    def _zeros(self) -> tuple[torch.Tensor, ...]:
        return new_state(self._extractor, 1, layout=self._variant.layout)


def step_wise(work: Work, variant: Variant) -> Way:
    """8 frames a call."""
    steps = StepWise(work, variant)
    return Way(frames=HOP_FRAMES, call=steps.call, features=steps.features)
