"""The regular grid the model lives on: frames at its own rate, one feature step per `stride` frames."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cmsn_runtime.errors import SettingsError


@dataclass(frozen=True, slots=True)
class TimeGrid:
    """Frame rate, stride and window of a model.

    fps: model frames a second, exact.
    stride: frames in one feature step (`sc` in the paper, 8 for C3D conv5b).
    window: feature steps the stage network looks at (96 in the paper, 768 frames).
    """

    fps: Fraction
    stride: int = 8
    window: int = 96

    def __post_init__(self) -> None:
        if self.fps <= 0 or self.stride < 1 or self.window < 1:
            raise SettingsError(
                f"time grid of {self.fps} fps, stride {self.stride}, window {self.window}: each must be above zero"
            )

    @property
    def step_seconds(self) -> Fraction:
        """Length of one feature step."""
        return self.stride / self.fps

    def frame_time(self, index: int, origin: Fraction) -> Fraction:
        """Time of model frame `index` of a segment that began at `origin` seconds."""
        return origin + index / self.fps

    def step_time(self, step: int, origin: Fraction) -> Fraction:
        """Time at which feature step `step` begins."""
        return origin + step * self.step_seconds
