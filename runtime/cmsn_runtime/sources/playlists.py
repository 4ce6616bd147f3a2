"""HLS playlists: where they begin, and whether they have an end."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import av.error
from av.container import InputContainer

from cmsn_runtime.errors import SourceWarning
from cmsn_runtime.sources.addresses import scheme_of
from cmsn_runtime.sources.container import open_container
from cmsn_runtime.sources.pipes import PipeReader

_FIRST_SEGMENT = "live_start_index"


def is_open_ended(container: InputContainer) -> bool:
    """Whether it is a playlist without an end mark (#EXT-X-ENDLIST)."""
    return container.format.name == "hls" and not container.duration


def warn_of_end(name: str) -> None:
    """Say that the end of a playlist without an end mark was taken for its end."""
    warnings.warn(
        f"{name}: the playlist has no end mark, and nothing more came; it is taken to end here",
        SourceWarning,
        stacklevel=2,
    )


def open_from_first_segment(
    url: str | PipeReader, *, name: str, format: str | None, options: Mapping[str, str]
) -> InputContainer:
    """As `open_container`; a playlist on the network that keeps all its segments is read from the first of them.

    FFmpeg begins three segments before the end of a playlist that has no end mark. That is right where old segments go
    away, and loses the beginning of an event, whose segments stay (#EXT-X-PLAYLIST-TYPE:EVENT). FFmpeg does not say
    which it is, but can wind back in an event alone.
    """
    container = open_container(url, name=name, format=format, options=options)
    if not isinstance(url, str) or not scheme_of(url) or _FIRST_SEGMENT in options or not is_open_ended(container):
        return container
    begin = {_FIRST_SEGMENT: "0"} if _can_wind_back(container) else {}
    container.close()
    return open_container(url, name=name, format=format, options={**options, **begin})


def _can_wind_back(container: InputContainer) -> bool:
    try:
        container.seek(container.start_time or 0)
    except av.error.FFmpegError:
        return False
    return True
