"""One way to get features from frames, as it is checked and timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from cmsn_benchmarks.gpu.weights import torch_model
from cmsn_runtime.backends.asks import Floats
from cmsn_runtime.pictures.example import moving_picture
from cmsn_training.models.incremental import DELAY_STEPS, IncrementalExtractor

WINDOW_FRAMES = 768  # of the paper's windows, which overlap by half (section 5.1)
CHECKED_FRAMES = 96  # from the first on
LIMITS = {"FP32": 1e-5, "BF16": 2e-2}  # of the largest difference, over the largest feature

Frames = npt.NDArray[np.uint8]


def nothing() -> None:
    """Nothing is to be released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """call: computes the features of `frames` new frames of video. features: those from the first step on.

    ends: frames after which its video is over; None where it goes on beyond those that are checked.
    """

    frames: int
    call: Callable[[], object]
    features: Callable[[], Floats]
    ends: int | None = None
    close: Callable[[], object] = nothing


@dataclass(frozen=True)
class Work:
    """What all ways compute: the extractor of a bundle over the same frames. threads: of each call."""

    bundle: Path
    threads: int
    _expected: dict[int, Floats] = field(default_factory=dict)

    @cached_property
    def extractor(self) -> IncrementalExtractor:
        """The bundle's, in torch."""
        found = torch_model(self.bundle, device="cpu").extractor
        assert isinstance(found, IncrementalExtractor)
        return found

    @cached_property
    def frames(self) -> Frames:
        """One window, uint8 [768, height, width, 3]."""
        return moving_picture(np.random.default_rng(0), self.extractor.preprocessing.crop, WINDOW_FRAMES)

    @torch.inference_mode()
    def expected(self, ends: int | None) -> Floats:
        """The first features [n, C] of a single pass of torch in FP32, as far as they do not depend on later frames."""
        length = CHECKED_FRAMES if ends is None else ends
        if length not in self._expected:
            whole = self.extractor.whole(torch.from_numpy(self.frames[None, :length]))
            self._expected[length] = whole[0].numpy()
        return self._expected[length][: -DELAY_STEPS if ends is None else None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A row of the comparison. group: the schedule. precision: of its convolutions. open: raises what fails.

    note: what a reader must know to compare it.
    """

    name: str
    group: str
    precision: str
    open: Callable[[Work], Way]
    note: str = ""


def relative_error(way: Way, work: Work) -> float:
    """Largest difference of its features from those of torch in FP32, over the largest; infinite where too few."""
    expected = work.expected(way.ends)
    found = way.features()[: len(expected)]
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max())
