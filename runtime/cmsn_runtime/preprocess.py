"""Pictures of any size -> the crops the extractor takes."""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.frames import Frame
from cmsn_runtime.preprocessing import Preprocessing


class Preprocessor:
    """Resizes the whole picture, whatever its shape, and cuts its centre out.

    A picture that already has the wanted size (a source was asked for it) is only cropped. The last crop is kept: where
    the model's rate is above the source's, the same frame comes several times.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        self._resize = preprocessing.resize
        self._crop = preprocessing.crop
        self._last: tuple[Frame, npt.NDArray[np.uint8]] | None = None

    def __call__(self, frame: Frame) -> npt.NDArray[np.uint8]:
        """Frame -> uint8 [crop height, crop width, 3]. Raises SettingsError for anything but uint8 [H, W, 3]."""
        if self._last is None or self._last[0] is not frame:
            self._last = (frame, self._cut(frame.pixels))
        return self._last[1]

    def _cut(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise SettingsError(
                f"pixels are {pixels.dtype} {list(pixels.shape)}; a frame is uint8 [height, width, 3] RGB"
            )
        if pixels.shape[:2] != self._resize:
            height, width = self._resize
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            pixels = picture.reformat(width=width, height=height, interpolation="BILINEAR").to_ndarray()
        top, left = ((have - want) // 2 for have, want in zip(pixels.shape, self._crop, strict=False))
        height, width = self._crop
        return np.ascontiguousarray(pixels[top : top + height, left : left + width])
