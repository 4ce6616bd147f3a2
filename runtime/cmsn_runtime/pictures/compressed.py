"""A frame that came as JPEG: decompressed only when its pixels are accessed."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property

import av.error
import numpy as np
import numpy.typing as npt
from av import Packet, VideoFrame
from av.codec import CodecContext

from cmsn_runtime.errors import DecodeError
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.upright import PictureMaker


class CompressedFrame(Frame):
    """A Frame whose pixels are decompressed on first access, and then kept.

    jpeg: the picture as a file, so that what shows it need not compress it again.
    """

    jpeg: bytes

    def __init__(self, jpeg: bytes, seconds: Fraction, *, discontinuity: bool = False) -> None:
        # A frozen dataclass sets its own fields in the same way; `pixels` is set on first access.
        for name, value in (
            ("jpeg", jpeg),
            ("seconds", seconds),
            ("discontinuity", discontinuity),
            ("duration", None),
        ):
            object.__setattr__(self, name, value)

    @cached_property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """Uint8 [height, width, 3], upright RGB. Raises DecodeError where it is no JPEG."""
        decoder = CodecContext.create("mjpeg", "r")
        try:
            pictures: list[VideoFrame] = [*decoder.decode(Packet(self.jpeg)), *decoder.decode(None)]
        except av.error.FFmpegError:
            pictures = []
        if not pictures:
            raise DecodeError(f"the picture at {float(self.seconds):.2f} s is no JPEG", seconds=self.seconds)
        return PictureMaker()(pictures[0])

    def __reduce__(self) -> tuple[type[CompressedFrame], tuple[object, ...]]:
        """Another process gets the same JPEG."""
        return CompressedFrame, (self.jpeg, self.seconds)

    def __repr__(self) -> str:
        return f"CompressedFrame({len(self.jpeg)} bytes of JPEG, {float(self.seconds):.3f} s)"
