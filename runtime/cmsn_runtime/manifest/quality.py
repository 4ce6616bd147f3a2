"""What a variant of a bundle costs against FP32, as the manifest has it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cmsn_runtime.checking import require


@dataclass(frozen=True, slots=True)
class Recall:
    """Average recall with N proposals per video (AR@N, percent) on labelled videos, and that of FP32 on the same."""

    number: int
    percent: float
    full_precision: float

    def __post_init__(self) -> None:
        require(self.number >= 1, "number", self.number, "at least 1")
        for name in ("percent", "full_precision"):
            require(0 <= getattr(self, name) <= 100, name, getattr(self, name), "from 0 to 100")

    @property
    def drop(self) -> float:
        """Points lost against FP32, to a thousandth, as both are given; below 0 where it is better."""
        return round(self.full_precision - self.percent, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What a variant costs against FP32, measured on videos.

    backend: what ran it. videos, steps: how many were compared. stages: share of the steps with the same stage.
    signal_to_noise: of the features, in dB. recall: None where no labels were at hand. videos_of: name of the set of
    videos. measured: when, an ISO date.
    """

    backend: str
    videos: int
    steps: int
    stages: float
    signal_to_noise: float
    recall: Recall | None = None
    videos_of: str = ""
    measured: str = ""

    def __post_init__(self) -> None:
        require(self.videos >= 1, "videos", self.videos, "at least 1")
        require(self.steps >= 1, "steps", self.steps, "at least 1")
        require(0 <= self.stages <= 1, "stages", self.stages, "from 0 to 1")
        require(math.isfinite(self.signal_to_noise), "signal_to_noise", self.signal_to_noise, "a finite number")
