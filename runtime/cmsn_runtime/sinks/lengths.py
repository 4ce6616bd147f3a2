"""Reports a source whose length differs from its annotated duration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from cmsn_runtime.annotations import VideoAnnotations
from cmsn_runtime.names import video_id
from cmsn_runtime.segments import durations_differ
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.text import printable


class LengthSink(Sink):
    """Reports, when a source is opened, that its true actions are those of a shorter or longer video.

    truth: annotations of videos. report: gets the line. hint: what to check, in words.
    """

    passive = True

    def __init__(self, truth: Mapping[str, VideoAnnotations], report: Callable[[str], None], *, hint: str) -> None:
        self._truth = truth
        self._report = report
        self._hint = hint

    def begin(self, source: str, duration: Fraction | None) -> None:
        """Compare the two durations, where both are known."""
        video = self._truth.get(video_id(source))
        if video is None or video.duration is None or not duration:
            return
        if durations_differ(float(duration), video.duration):
            self._report(
                f"{printable(source)}: lasts {float(duration):.1f} s, its annotated duration is "
                f"{video.duration:.1f} s; {self._hint}"
            )
