"""Pictures in the planes of I420, as GStreamer sends them -> PyAV's."""

from __future__ import annotations

import numpy as np
from av import VideoFrame

from cmsn_runtime.capture.protocol import FrameMessage, plane_sizes


def picture_of(message: FrameMessage) -> VideoFrame:
    """The picture of a planar frame; scaled by libswscale, it equals that of the same frame read by FFmpeg."""
    picture = VideoFrame(message.width, message.height, "yuv420p")
    begin = 0
    for plane, (rows, row) in zip(picture.planes, plane_sizes(message.height, message.width), strict=True):
        sent = np.frombuffer(message.pixels, np.uint8, rows * row, begin).reshape(rows, row)
        kept = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        height, width = min(plane.height, rows), min(plane.width, row)
        kept[:height, :width] = sent[:height, :width]
        begin += rows * row
    return picture
