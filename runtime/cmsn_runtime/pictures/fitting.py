"""Pictures of any size -> the crops the extractor takes."""

from __future__ import annotations

from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.settings import Preprocessing

Pixels = npt.NDArray[np.uint8]


class Preprocessor:
    """Resizes the whole picture, whatever its shape, and cuts its centre out.

    A picture that already has the wanted size (a source was asked for it) is only cropped. The last crop is kept: where
    the model's rate is above the source's, the same frame comes several times. Treat crops as read-only.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        (height, width), (rows, columns) = preprocessing.resize, preprocessing.crop
        top, left = (height - rows) // 2, (width - columns) // 2
        self._size = height, width
        self._centre = slice(top, top + rows), slice(left, left + columns)
        self._reformatter = VideoReformatter()  # keeps libswscale's tables while pictures stay the same size
        self._last: tuple[Frame, Pixels] | None = None

    def __call__(self, frame: Frame) -> Pixels:
        """Frame -> uint8 [crop height, crop width, 3]. Raises SettingsError for anything but uint8 [H, W, 3]."""
        if self._last is None or self._last[0] is not frame:
            self._last = frame, np.ascontiguousarray(self._resized(_checked(frame))[self._centre])
        return self._last[1]

    def _resized(self, pixels: Pixels) -> Pixels:
        if pixels.shape[:2] == self._size:
            return pixels
        height, width = self._size
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        scaled = self._reformatter.reformat(picture, width, height, interpolation="BILINEAR")
        return cast(Pixels, scaled.to_ndarray())


def _checked(frame: Frame) -> Pixels:
    pixels = frame.pixels
    if not isinstance(pixels, np.ndarray):
        raise SettingsError(f"pixels are a {type(pixels).__name__}; a frame is a uint8 array [height, width, 3] RGB")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise SettingsError(
            f"pixels are {pixels.dtype} {list(pixels.shape)}; a frame is uint8 [height, width, 3] RGB; "
            "convert it first, floats from 0 to 1 by (pixels * 255).astype('uint8')"
        )
    return pixels
