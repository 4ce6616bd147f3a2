"""Where frames come from."""

from __future__ import annotations

from cmsn_runtime.sources.base import Source
from cmsn_runtime.sources.video import VideoSource

__all__ = ["Source", "VideoSource", "open_source"]


def open_source(url: str, *, size: tuple[int, int] | None = None) -> Source:
    """Open a file, a stream's URL or a camera such as /dev/video0.

    size: (height, width) the reader will scale pictures to anyway; a source may do so itself, and cheaper.
    Raises SourceError.
    """
    return VideoSource(url, size=size)
