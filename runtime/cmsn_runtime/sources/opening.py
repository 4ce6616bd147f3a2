"""Where frames come from. `open_source` picks what fits an address."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cmsn_runtime.sources.addresses import public_name
from cmsn_runtime.sources.base import Source
from cmsn_runtime.sources.video import VideoSource

__all__ = ["Source", "VideoSource", "open_source"]

_LIVE_SCHEMES = frozenset({"rtmp", "rtmps", "rtp", "rtsp", "rtsps", "srt", "tcp", "udp"})
_CAMERA = re.compile(r"/dev/video\d+")


def open_source(url: str | os.PathLike[str]) -> Source:
    """Open a file, a stream's URL or a camera such as /dev/video0.

    Raises SourceError.
    """
    url = os.fspath(url)
    name = public_name(url)
    if _CAMERA.fullmatch(url):
        return VideoSource(url, name=name, format="v4l2", live=True)
    if "\0" not in url and Path(url).exists():
        # Told so, FFmpeg does not take "take:2.mp4" for a protocol.
        return VideoSource(f"file:{url}", name=url)
    return VideoSource(url, name=name, live=url.split("://")[0].lower() in _LIVE_SCHEMES)
