"""Where frames come from. `open_source` picks what fits an address."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cmsn_runtime.sources.addresses import is_live, public_name
from cmsn_runtime.sources.base import Source
from cmsn_runtime.sources.kinds import kind_of
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.sources.piped import STANDARD_INPUT
from cmsn_runtime.sources.video import VideoSource

__all__ = ["Source", "SourceOptions", "VideoSource", "never_read", "open_source"]


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


def never_read(addresses: Sequence[str], *, options: SourceOptions | None = None) -> str | None:
    """One line about sources that would never be read where these are read one after the other; None without."""
    if sum(address in STANDARD_INPUT for address in addresses) > 1:
        return "standard input is given more than once; all but the first will find nothing in it"
    ends = options is not None and options.length is not None
    first = next((index for index, address in enumerate(addresses) if _has_no_end(address)), len(addresses))
    if ends or first >= len(addresses) - 1:
        return None
    later = ", ".join(public_name(address) for address in addresses[first + 1 :])
    return (
        f"{public_name(addresses[first])} has no end of its own, and {later} will be read only after it; "
        "start one `cmsn run` per camera, or end each with --for SECONDS"
    )


def _has_no_end(address: str) -> bool:
    kind = kind_of(address)
    return is_live(address) if kind is None else kind.is_live(address)
