"""Pictures as JPEG files, for browsers."""

from __future__ import annotations

from av import VideoFrame

from cmsn_runtime.pictures.compressed import CompressedFrame
from cmsn_runtime.pictures.compressing import JpegMaker
from cmsn_runtime.pictures.frame import Frame

_MOST_PIXELS = 1280  # of width


def as_jpeg(frame: Frame) -> bytes:
    """The picture of a frame as a JPEG file; that of a frame which arrived compressed as it is."""
    if isinstance(frame, CompressedFrame):
        return frame.jpeg
    return JpegMaker(_MOST_PIXELS)(VideoFrame.from_ndarray(frame.pixels, format="rgb24"))
