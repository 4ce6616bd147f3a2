"""Converts a decoded frame of any pixel format to an upright RGB picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.sidedata.sidedata import SideData, SideDataContainer, Type
from av.video.reformatter import VideoReformatter

Picture = npt.NDArray[np.uint8]

# Its constructor is missing in PyAV's types.
_side_data_of = cast("Callable[[VideoFrame], SideDataContainer]", SideDataContainer)


class Orientation(NamedTuple):
    """How a stored picture is turned upright: transposed first, then mirrored."""

    transposed: bool = False
    flip_rows: bool = False
    flip_columns: bool = False


class PictureMaker:
    """Converts by libswscale: 10-bit, grey, alpha, palettes, any subsampling -> uint8 [height, width, 3].

    size: (height, width) of the upright picture, scaled (bilinear) in the same pass that converts it, which saves the
        conversion of a full-size picture that would only be shrunk; None keeps its size.

    Pictures are turned upright by their display matrix. The sample aspect ratio is not applied: the model takes the
    whole picture at one fixed size, which would undo it. An alpha channel is ignored.
    """

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        self._size = size
        self._reformatter = VideoReformatter()  # keeps libswscale's tables while the format stays the same

    def __call__(self, frame: VideoFrame) -> Picture:
        orientation = orientation_of(frame)
        height, width = self._size or (None, None)
        if orientation.transposed:
            height, width = width, height
        # One thread: by default there are as many as cores, whose waking costs more than the work that they share.
        scaled = self._reformatter.reformat(frame, width, height, "rgb24", interpolation="BILINEAR", threads=1)
        picture = cast(Picture, scaled.to_ndarray())
        return upright(picture, orientation) if any(orientation) else np.ascontiguousarray(picture)


def orientation_of(frame: VideoFrame) -> Orientation:
    """Read the display matrix, which maps stored (x, y) to shown (a x + c y, b x + d y), y pointing down.

    Read here rather than through VideoFrame.rotation, which does not report mirroring. Angles between
    quarter turns are rounded to the nearest; a matrix of zeros, which broken files have, means upright.
    """
    # Not frame.side_data: frame and container then refer to each other, and the picture is held until Python searches
    # for such circles, seconds later.
    side_data = _side_data_of(frame)
    # Never accesses a missing entry: where PyAV raises KeyError, a Ctrl-C at that moment is lost in Cython's
    # traceback. PyAV 19 iterates over the types, earlier ones over the entries.
    entries = cast("Iterable[Type | SideData]", side_data)
    types = [entry if isinstance(entry, Type) else entry.type for entry in entries]
    if Type.DISPLAYMATRIX not in types:
        return Orientation()
    a, b, _, c, d = np.frombuffer(bytes(side_data[Type.DISPLAYMATRIX]), dtype=np.int32)[:5].tolist()
    transposed = abs(b) + abs(c) > abs(a) + abs(d)
    if transposed:
        a, d = c, b
    return Orientation(transposed, flip_rows=d < 0, flip_columns=a < 0)


def upright(picture: Picture, orientation: Orientation) -> Picture:
    """Turn a stored picture [h, w, 3] upright; contiguous."""
    if orientation.transposed:
        picture = picture.transpose(1, 0, 2)
    rows, columns = (slice(None, None, -1 if flip else 1) for flip in orientation[1:])
    return np.ascontiguousarray(picture[rows, columns])
