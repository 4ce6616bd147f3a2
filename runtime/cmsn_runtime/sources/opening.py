"""Opens sources: `open_source` chooses the kind for an address."""

from __future__ import annotations

import os
from pathlib import Path

from cmsn_runtime.sources.base import Source
from cmsn_runtime.sources.kinds import kind_of
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.sources.video import VideoSource

__all__ = ["Source", "SourceOptions", "VideoSource", "open_source"]


def open_source(url: str | os.PathLike[str], *, options: SourceOptions | None = None) -> Source:
    """Open a file, a stream's URL, a camera such as /dev/video0, a folder or glob of pictures, or "-", standard input.

    Other packages may add kinds of sources (see kinds.py). Raises SourceError.
    """
    address, options = os.fspath(url), options or SourceOptions()
    kind = kind_of(address)
    if kind is not None:
        return kind.open(address, options=options)
    if "\0" not in address and Path(address).exists():
        # Told so, FFmpeg does not take "take:2.mp4" for a protocol.
        return VideoSource(f"file:{address}", name=address, options=options)
    return VideoSource(address, options=options)
