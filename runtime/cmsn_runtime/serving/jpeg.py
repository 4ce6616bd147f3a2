"""Pictures as JPEG files, for browsers."""

from __future__ import annotations

from fractions import Fraction

import av

from cmsn_runtime.pictures.frame import Frame

_COARSENESS = 4  # of mjpeg's 2 (best) to 31


def as_jpeg(frame: Frame) -> bytes:
    """The picture of a frame as a JPEG file; that of a frame which arrived compressed as it is."""
    ready = getattr(frame, "jpeg", None)
    if isinstance(ready, bytes):
        return ready
    height, width, _ = frame.pixels.shape
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": str(_COARSENESS), "qmax": str(_COARSENESS)}
    picture = av.VideoFrame.from_ndarray(frame.pixels, format="rgb24").reformat(format="yuvj420p", threads=1)
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
