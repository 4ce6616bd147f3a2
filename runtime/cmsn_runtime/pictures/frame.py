"""One picture and the time at which it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Frame:
    """An upright RGB picture with its time.

    pixels: uint8 [height, width, 3], RGB. A stream copies what it needs before `push` returns: the array may then be
        modified or reused.
    seconds: time on the source's own clock (its PTS), exact; never a frame count over a rounded rate.
    discontinuity: true where the source knows that this frame does not follow the one before it
        (a reconnect, a seek): all state restarts here.
    duration: seconds for which it is shown, where the source knows (neither None nor 0); used only for the last frame.
    """

    pixels: npt.NDArray[np.uint8]
    seconds: Fraction
    discontinuity: bool = False
    duration: Fraction | None = None

    def __repr__(self) -> str:
        shape = getattr(self.pixels, "shape", None)
        return f"Frame(pixels {list(shape) if shape else type(self.pixels).__name__}, {self.seconds} s)"
