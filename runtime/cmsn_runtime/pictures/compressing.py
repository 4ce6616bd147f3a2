"""Compresses decoded pictures to JPEG, for people."""

from __future__ import annotations

from fractions import Fraction

from av import VideoFrame
from av.codec import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import VideoReformatter

from cmsn_runtime.pictures.upright import PictureMaker, orientation_of

_PIXEL_FORMAT = "yuvj420p"  # of JPEG: all 256 levels
_TICK = Fraction(1, 1000)
_QUALITY = "5"  # quantiser, 2 (best) to 31


class JpegMaker:
    """Decoded pictures of any kind -> upright JPEG of `width` pixels at most, in their own proportions."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._reformatter = VideoReformatter()
        self._encoder: VideoCodecContext | None = None
        self._count = 0

    def __call__(self, picture: VideoFrame) -> bytes:
        turned = orientation_of(picture)
        shown = (picture.height, picture.width) if turned.transposed else (picture.width, picture.height)
        width = min(self._width, shown[0])
        size = (_even(width), _even(round(shown[1] * width / shown[0])))
        if any(turned):
            upright = PictureMaker((size[1], size[0]))(picture)
            picture = VideoFrame.from_ndarray(upright, format="rgb24")
        scaled = self._reformatter.reformat(picture, *size, _PIXEL_FORMAT, interpolation="BILINEAR", threads=1)
        self._count += 1
        scaled.pts, scaled.time_base = self._count, _TICK  # an encoder refuses times that do not increase
        return b"".join(bytes(packet) for packet in self._encoder_of(*size).encode(scaled))

    def _encoder_of(self, width: int, height: int) -> VideoCodecContext:
        encoder = self._encoder
        if encoder is None or (encoder.width, encoder.height) != (width, height):
            encoder = CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, _PIXEL_FORMAT
            encoder.time_base = _TICK
            encoder.thread_count = 1
            encoder.options = {"qmin": _QUALITY, "qmax": _QUALITY}
            self._encoder = encoder
        return encoder


def _even(side: int) -> int:
    return max(2, side - side % 2)
