"""Encodes pictures as they come into a video file, with their own times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.video.stream import VideoStream

from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import OutputError
from cmsn_runtime.files import Replacement, written_to
from cmsn_runtime.text import one_line

_TICK = Fraction(1, 60_000)  # exact for 25, 30 and 29.97 pictures per second; MPEG-4 part 2 takes no shorter ones
_USUAL_RATE = 25  # the encoder wants one, and takes pictures at any times
_OPTIONS = {"libx264": {"preset": "veryfast", "crf": "23", "tune": "zerolatency"}, "mpeg4": {"qmin": "2", "qmax": "5"}}


class VideoFile(Closing):
    """A video of pictures of one size, complete at `commit`; `close` without it leaves no file.

    H.264 where PyAV has x264, otherwise MPEG-4 part 2. Times that do not increase are left out.
    Raises OutputError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        with written_to(path):
            self._replacement = Replacement(path)
        self._container = av.open(str(self._replacement.unfinished), "w", format="mp4")
        self._stream: VideoStream | None = None
        self._begin = Fraction(0)
        self._last = -1
        self._done = False

    def add(self, pixels: npt.NDArray[np.uint8], seconds: Fraction) -> None:
        """A picture, uint8 [height, width, 3] of even sides; the first one's size is that of the file."""
        if self._stream is None:
            self._stream = self._new_stream(pixels.shape[1], pixels.shape[0])
            self._begin = seconds
        pts = round((seconds - self._begin) / _TICK)
        if pts <= self._last:
            return
        self._last = pts
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame.pts, frame.time_base = pts, _TICK
        self.frames += 1
        self._write(frame)

    def commit(self) -> None:
        """Finish the file and put it in its place."""
        self._write(None)
        with written_to(self.path):
            self._finish()
            self._replacement.commit()

    def close(self) -> None:
        """Discard what was not committed. May be called twice."""
        try:
            self._finish()
        except (OSError, av.error.FFmpegError):
            pass  # nobody wants the file any more
        finally:
            self._replacement.close()

    def _new_stream(self, width: int, height: int) -> VideoStream:
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream = cast(VideoStream, self._container.add_stream(codec, rate=_USUAL_RATE, options=_OPTIONS[codec]))
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = _TICK
        return stream

    def _write(self, frame: av.VideoFrame | None) -> None:
        if self._stream is None:
            return
        try:
            with written_to(self.path):
                self._container.mux(self._stream.encode(frame))
        except av.error.FFmpegError as error:
            raise OutputError(f"{self.path}: a picture cannot be encoded ({one_line(error)})") from error

    def _finish(self) -> None:
        if not self._done:
            self._done = True
            self._container.close()
