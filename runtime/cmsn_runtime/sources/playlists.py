"""HLS playlists: where they begin, and whether they have an end."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import av.error
from av.container import InputContainer

from cmsn_runtime.errors import SourceWarning
from cmsn_runtime.sources.addresses import scheme_of
from cmsn_runtime.sources.container import open_container
from cmsn_runtime.sources.pipes import DataReader

_BEGIN = "live_start_index"


def is_open_ended(container: InputContainer) -> bool:
    """Whether it is a playlist without an end mark (#EXT-X-ENDLIST)."""
    return container.format.name == "hls" and not container.duration


def warn_of_end(name: str) -> None:
    """Warn that the last segment of a playlist without an end mark was treated as its end."""
    warnings.warn(
        f"{name}: the playlist has no end mark, and nothing more came; it is taken to end here",
        SourceWarning,
        stacklevel=2,
    )


def open_playlist(
    url: str | DataReader, *, name: str, format: str | None, options: Mapping[str, str]
) -> InputContainer:
    """As `open_container`, which begins at a playlist's first segment; near its end where old segments go away.

    A playlist on a network that has no end mark either slides, and is joined three segments before its end as players
    do, or is an event (#EXT-X-PLAYLIST-TYPE:EVENT), whose beginning must not be lost. FFmpeg does not say which it is,
    but can wind back in an event alone; from its version 9 on it knows how long an event lasts.
    """
    container = open_container(url, name=name, format=format, options=options)
    if not isinstance(url, str) or not scheme_of(url) or _BEGIN in options or not is_open_ended(container):
        return container
    begin = {} if _can_wind_back(container) else {_BEGIN: "-3"}
    container.close()
    return open_container(url, name=name, format=format, options={**options, **begin})


def _can_wind_back(container: InputContainer) -> bool:
    try:
        container.seek(container.start_time or 0)
    except av.error.FFmpegError:
        return False
    return True
