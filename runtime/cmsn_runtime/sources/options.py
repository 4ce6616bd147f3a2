"""Options for reading a source, where its own metadata do not suffice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from cmsn_runtime.errors import SettingsError

_SECRET_OPTION = re.compile(r"pass|pwd|token|secret|key|auth|headers|cookies", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """Options of `open_source`; the defaults rely on the source's own metadata.

    fps: frames per second. Frame n is at n / fps, whatever timestamps there are: for sources that have none, or
        wrong ones.
    demuxer: options of FFmpeg's demuxers and protocols by name, as `ffmpeg -OPTION VALUE -i` takes them. They go before
        those that a kind of source has by default. Never printed: they may hold passwords.
    video_stream: which of several video streams, counted from 0; by default the one that players show. Cover pictures
        do not count.
    begin: seconds on the source's own clock, as events have them; frames before are left out.
    length: seconds from `begin`, or from the first frame where that is later; reading ends there.

    Raises SettingsError.
    """

    fps: Fraction | None = None
    demuxer: Mapping[str, str] = field(default_factory=dict, repr=False)
    video_stream: int | None = None
    begin: Fraction | None = None
    length: Fraction | None = None

    def __post_init__(self) -> None:
        if self.fps is not None and self.fps <= 0:
            raise SettingsError(f"{self.fps} frames per second: it must be above zero")
        if self.video_stream is not None and self.video_stream < 0:
            raise SettingsError(f"video stream {self.video_stream}: they are counted from 0")
        if self.length is not None and self.length <= 0:
            raise SettingsError(f"a length of {float(self.length):g} s: it must be above zero")

    def secrets(self) -> Iterator[str]:
        """Values of FFmpeg's options that may be passwords: libraries repeat them out of their context."""
        yield from (value for key, value in self.demuxer.items() if _SECRET_OPTION.search(key))
