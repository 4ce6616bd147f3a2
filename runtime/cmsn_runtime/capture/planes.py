"""Pictures in the planes of I420, as GStreamer sends them -> PyAV's."""

from __future__ import annotations

import numpy as np
from av import VideoFrame

from cmsn_runtime.capture.protocol import FrameMessage, ProtocolError


def plane_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """(rows, bytes of each) of the planes: rows are padded to four bytes, odd sides to even ones."""
    rows, half = height + height % 2, (width + 1) // 2
    return [(rows, _padded(width)), (rows // 2, _padded(half)), (rows // 2, _padded(half))]


def picture_of(message: FrameMessage) -> VideoFrame:
    """The picture of a planar frame; scaled by libswscale, it equals that of the same frame read by FFmpeg.

    Raises ProtocolError where it is not of the size it states.
    """
    sizes = plane_sizes(message.height, message.width)
    if len(message.pixels) != sum(rows * row for rows, row in sizes):
        raise ProtocolError("a frame of a capture process is not of the size it states")
    picture = VideoFrame(message.width, message.height, "yuv420p")
    begin = 0
    for plane, (rows, row) in zip(picture.planes, sizes, strict=True):
        sent = np.frombuffer(message.pixels, np.uint8, rows * row, begin).reshape(rows, row)
        kept = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        height, width = min(plane.height, rows), min(plane.width, row)
        kept[:height, :width] = sent[:height, :width]
        begin += rows * row
    return picture


def _padded(width: int) -> int:
    return (width + 3) // 4 * 4
