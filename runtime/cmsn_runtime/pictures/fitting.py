"""Fits pictures of any size to the crops that the extractor takes; the only module that does so."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.pictures.decoded import DecodedFrame
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.pictures.upright import PictureMaker

Pixels = npt.NDArray[np.uint8]


class Scaler:
    """Scales whole pictures to one size, bilinear, as libswscale does it.

    size: (height, width). A decoded frame is scaled in the same pass that converts it to RGB; an array that already
    has this size is used unchanged.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._maker = PictureMaker(size)
        self._reformatter = VideoReformatter()  # keeps libswscale's tables while pictures stay the same size

    def __call__(self, frame: Frame) -> Pixels:
        """Frame -> uint8 [height, width, 3]. Raises SettingsError for anything but uint8 [H, W, 3]."""
        if isinstance(frame, DecodedFrame):
            return self._maker(frame.picture)
        pixels = _checked(frame)
        if pixels.shape[:2] == self._size:
            return pixels
        height, width = self._size
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        scaled = self._reformatter.reformat(picture, width, height, interpolation="BILINEAR", threads=1)
        return cast(Pixels, scaled.to_ndarray())


class Fitting:
    """Resizes the whole picture, whatever its aspect ratio, and crops its centre."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        (height, width), (rows, columns) = preprocessing.resize, preprocessing.crop
        top, left = (height - rows) // 2, (width - columns) // 2
        self._scaler = Scaler(preprocessing.resize)
        self._centre = slice(top, top + rows), slice(left, left + columns)

    def __call__(self, frame: Frame) -> FittedFrame:
        """Fit a frame. The caller's array is copied: it may be changed afterwards.

        A decoded frame, whose picture nobody changes, is fitted once its crop is accessed: where the source's rate is
        above the model's, most crops never are. Raises SettingsError for anything but uint8 [H, W, 3].
        """
        if not isinstance(frame, Frame):
            raise SettingsError(f"a {type(frame).__name__} was pushed; a stream takes Frame(pixels, seconds)")
        if isinstance(frame, DecodedFrame):
            frame = frame.as_shown()
        fitted = FittedFrame(frame, self)
        if not isinstance(frame, DecodedFrame):
            fitted.values()
        return fitted

    def crop(self, frame: Frame) -> Pixels:
        """Uint8 [crop height, crop width, 3], a copy."""
        return np.array(self._scaler(frame)[self._centre], order="C")


class FittedFrame:
    """A frame on its way through a stream: its time, and its crop, which is computed once."""

    def __init__(self, frame: Frame, fitting: Fitting) -> None:
        self.seconds: Fraction = frame.seconds
        self.discontinuity: bool = frame.discontinuity
        self.duration: Fraction | None = frame.duration
        self._frame: Frame | None = frame
        self._fitting = fitting
        self._crop: Pixels | None = None

    def values(self) -> Pixels:
        """The crop, uint8 [height, width, 3]; treat it as read-only."""
        if self._crop is None and self._frame is not None:
            self._crop, self._frame = self._fitting.crop(self._frame), None
        return cast(Pixels, self._crop)


def _checked(frame: Frame) -> Pixels:
    pixels = frame.pixels
    if not isinstance(pixels, np.ndarray):
        raise SettingsError(f"pixels are a {type(pixels).__name__}; a frame is a uint8 array [height, width, 3] RGB")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise SettingsError(
            f"pixels are {pixels.dtype} {list(pixels.shape)}; a frame is uint8 [height, width, 3] RGB; convert it "
            "first: floats from 0 to 1 by (pixels * 255).astype('uint8'), grey by numpy.dstack([pixels] * 3), RGBA by "
            "pixels[..., :3]"
        )
    return pixels
