"""Whether the segments of a file are seconds: milliseconds and frames end far beyond the durations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# Factor of the duration: more than an annotator's mistake where most segments of a video end this late.
_FAR_BEYOND = 5.0
_LAST_BEYOND = 12.0
_HIGHEST_RATE = 130.0  # frames per second
_MOST_MILLISECONDS = 1100.0  # per second, and some rounding

Unit = Literal["seconds", "milliseconds", "frames", "unknown"]


@dataclass(frozen=True, slots=True)
class VideoLength:
    """Lengths of one video. ends: those of its segments, in the unknown unit; at least one. duration: seconds.

    rate: frames per second, None where unknown.
    """

    ends: tuple[float, ...]
    duration: float
    rate: float | None

    @property
    def ratio(self) -> float:
        """Units per second, where an action lasts until the end of the video; otherwise slightly less."""
        return max(self.ends) / self.duration

    @property
    def is_beyond(self) -> bool:
        """Whether its segments cannot be seconds."""
        late = sum(end > _FAR_BEYOND * self.duration for end in self.ends)
        return 2 * late > len(self.ends) and self.ratio > _LAST_BEYOND


def unit_of(videos: Sequence[VideoLength]) -> Unit:
    """The unit of most videos' segments. `frames` only where their rates are known, otherwise `unknown`."""
    beyond = [video for video in videos if video.is_beyond]
    if 2 * len(beyond) <= len(videos):
        return "seconds"
    if all(video.rate is not None and video.ratio <= 1.1 * video.rate for video in beyond):
        return "frames"
    return "milliseconds" if _HIGHEST_RATE < max(video.ratio for video in beyond) <= _MOST_MILLISECONDS else "unknown"
