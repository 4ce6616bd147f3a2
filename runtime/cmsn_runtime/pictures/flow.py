"""Optical flow as two more channels of each picture, quantised as TSN does it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import MissingExtraError, SettingsError
from cmsn_runtime.pictures.settings import FlowSettings

Pixels = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]

_GRID = 16  # pixels between the points that the camera's own motion is estimated from
_REPROJECTION = 1.0  # pixels within which a point follows the camera


class FlowChannels:
    """Pictures uint8 [H, W, 3] of one stream in order -> [H, W, 5]: with the flow from the picture before to it.

    The first picture has no motion. OpenCV computes it, in the calling thread. Raises MissingExtraError without OpenCV,
    SettingsError for `tv-l1` without its contributed modules.
    """

    def __init__(self, settings: FlowSettings) -> None:
        self._settings = settings
        self._field = FlowField(settings)
        self._before: Pixels | None = None

    def reset(self) -> None:
        """The next picture is the first of a stream."""
        self._before = None

    def __call__(self, picture: Pixels) -> Pixels:
        """See the class."""
        grey = self._field.grey(picture)
        field = np.zeros((*grey.shape, 2), np.float32) if self._before is None else self._field(self._before, grey)
        self._before = grey
        return np.concatenate((picture, quantised(field, self._settings.bound)), axis=2)


def with_flow(pictures: Iterable[Pixels], settings: FlowSettings | None) -> Iterator[Pixels]:
    """The pictures of one stream with their flow, or as they are without settings. Raises as FlowChannels does."""
    return iter(pictures) if settings is None else map(FlowChannels(settings), pictures)


class FlowField:
    """Optical flow between two grey pictures. Raises as FlowChannels does."""

    def __init__(self, settings: FlowSettings) -> None:
        self._cv2 = _opencv()
        self._algorithm = _algorithm(self._cv2, settings)
        self._warped = settings.warped

    def grey(self, picture: Pixels) -> Pixels:
        """RGB uint8 [H, W, 3] -> brightness uint8 [H, W]."""
        grey: Pixels = self._cv2.cvtColor(picture, self._cv2.COLOR_RGB2GRAY)
        return grey

    def __call__(self, before: Pixels, after: Pixels) -> Field:
        """Displacement in pixels (x to the right, y down) of each pixel of `before`: float32 [H, W, 2]."""
        if np.array_equal(before, after):  # a camera slower than the model: its pictures come several times
            return np.zeros((*before.shape, 2), np.float32)
        field = cast(Field, self._algorithm.calc(before, after, None))
        return field - self._of_camera(field) if self._warped else field

    def _of_camera(self, field: Field) -> Field:
        """The displacement that a homography of the whole picture explains; zeros where none is found."""
        height, width = field.shape[:2]
        rows, columns = np.mgrid[_GRID // 2 : height : _GRID, _GRID // 2 : width : _GRID]
        points = np.stack((columns.ravel(), rows.ravel()), axis=1).astype(np.float32)
        moved = points + field[rows.ravel(), columns.ravel()]
        found, _ = self._cv2.findHomography(points, moved, self._cv2.RANSAC, _REPROJECTION)
        if found is None:
            return np.zeros_like(field)
        every = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2).astype(np.float32)
        placed = self._cv2.perspectiveTransform(every.reshape(1, -1, 2), found).reshape(field.shape)
        return cast(Field, placed - every)


def quantised(field: Field, bound: float) -> Pixels:
    """Displacements in pixels -> uint8: -bound is 0, none is 128 and bound is 255, rounded as TSN's tool does.

    Source: CAST in denseflow's common.cpp of TSN (Wang et al., ECCV 2016): half to even of 255 (v + bound) / 2 bound.
    """
    levels: Pixels = np.rint(255.0 * (np.clip(field, -bound, bound) + bound) / (2.0 * bound)).astype(np.uint8)
    return levels


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("OpenCV", "flow", "optical flow") from error
    cv2.setNumThreads(1)  # streams share the cores among themselves
    return cv2


def _algorithm(cv2: Any, settings: FlowSettings) -> Any:
    if settings.method == "dis":
        return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if not hasattr(cv2, "optflow"):
        raise SettingsError(
            "flow.method is 'tv-l1', which this OpenCV lacks; install opencv-contrib-python-headless in place of "
            "opencv-python-headless, or use 'dis'"
        )
    return cv2.optflow.DualTVL1OpticalFlow_create()
