"""A frame as the decoder returned it: converted only at the size that is requested."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from zlib import crc32

import numpy as np
import numpy.typing as npt
from av import VideoFrame

from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.upright import PictureMaker


class DecodedFrame(Frame):
    """A Frame whose pixels are converted on first access.

    A stream does not access them: it scales the decoded picture in the pass that converts it, which saves the
    conversion of a full-size picture that would only be shrunk. It takes the pixels only where they were modified
    (masked, for instance) before the push. picture: is never changed. maker: makes the full-size pixels.
    """

    picture: VideoFrame
    maker: PictureMaker
    _made: int  # checksum of the pixels as they were converted

    def __init__(
        self,
        picture: VideoFrame,
        seconds: Fraction,
        *,
        discontinuity: bool = False,
        duration: Fraction | None = None,
        maker: PictureMaker | None = None,
    ) -> None:
        # Fields of a frozen dataclass cannot be assigned; `pixels` is set on first access.
        self.__dict__.update(
            picture=picture,
            seconds=seconds,
            discontinuity=discontinuity,
            duration=duration,
            maker=maker or PictureMaker(),
        )

    @cached_property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """Uint8 [height, width, 3], upright RGB, at the recorded size."""
        pixels = self.maker(self.picture)
        object.__setattr__(self, "_made", crc32(pixels.data))
        return pixels

    def as_shown(self) -> Frame:
        """The frame itself; a Frame of its pixels where these were modified."""
        if "pixels" not in self.__dict__ or crc32(self.pixels.data) == self._made:
            return self
        return Frame(self.pixels, self.seconds, self.discontinuity, self.duration)

    def __reduce__(self) -> tuple[type[Frame], tuple[object, ...]]:
        """Another process gets a Frame of its pixels: a decoded picture cannot be sent."""
        return Frame, (self.pixels, self.seconds, self.discontinuity, self.duration)

    def __repr__(self) -> str:
        return f"DecodedFrame({self.picture.width}x{self.picture.height} stored, {float(self.seconds):.3f} s)"
