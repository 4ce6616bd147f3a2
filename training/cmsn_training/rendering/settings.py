"""What a rendered stream looks like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from cmsn_runtime.errors import SettingsError


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """width, height: pixels, even. fps: exact. seconds: length of a stream. seed: of the whole set of streams."""

    width: int = 160
    height: int = 120
    fps: Fraction = Fraction(25)
    seconds: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 32 or self.width % 2 or self.height % 2:
            raise SettingsError(f"{self.width}x{self.height} pixels: both must be even and at least 32")
        if self.fps < 1 or not 1 <= self.seconds < math.inf:
            raise SettingsError(f"{self.seconds} s at {self.fps} fps: both must be at least 1, and seconds finite")

    @property
    def frames(self) -> int:
        """Frames of one stream."""
        return round(self.seconds * self.fps)
