"""Segments of time from annotations and results, and an account of the invalid ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cmsn_runtime.names import first_few
from cmsn_runtime.text import printable

_MOST = 1e9  # seconds; larger values have another meaning
_ROUNDING = 1.0  # seconds; durations are rounded everywhere
_LENGTH_SHARE, _LENGTH_SECONDS = 0.1, 3.0  # rows of a sliding window end a few seconds before their video


class Account:
    """What was ignored or changed in one file: counted by kind, with the first few places."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._places: dict[str, list[str]] = {}

    def add(self, kind: str, place: str) -> None:
        """Add a case of a kind, such as "left out, of no length or reversed"."""
        self._places.setdefault(kind, []).append(printable(place))

    def __bool__(self) -> bool:
        return bool(self._places)

    def __str__(self) -> str:
        """One line: "FILE: left out, of no length or reversed: 2 (a [0, 0], b [5, 4]); ..."."""
        parts = [f"{kind}: {len(places)} ({first_few(places, most=3)})" for kind, places in self._places.items()]
        return f"{self._file}: {'; '.join(parts)}"


def number_of(value: object) -> float | None:
    """A finite number, given as a number or as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def segment_of(value: object) -> tuple[float, float] | None:
    """Start and end from [start, end]; None for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        return None
    start, end = number_of(value[0]), number_of(value[1])
    if start is None or end is None or max(abs(start), abs(end)) >= _MOST:
        return None
    return start, end


def within_video(
    segment: tuple[float, float], duration: float | None, account: Account, place: str
) -> tuple[float, float] | None:
    """A segment that goes forward and lies in its video, clipped to it; None where it does not overlap the video.

    duration: seconds, None where unknown. An end that exceeds it by no more than rounding is unchanged.
    Changed and ignored segments are added to the account.
    """
    start, end = segment
    if not start < end:
        account.add("left out, of no length or reversed", place)
        return None
    if end <= 0 or (duration is not None and start >= duration):
        account.add("left out, before or after the video", place)
        return None
    if start < 0 or (duration is not None and end > duration + _ROUNDING):
        account.add("clipped to the video", place)
        return max(start, 0.0), end if duration is None else min(end, duration)
    return segment


def durations_differ(lasts: float, annotated: float) -> bool:
    """Whether a source of this length in seconds cannot be the video of that annotated duration."""
    return abs(lasts - annotated) > max(_LENGTH_SHARE * annotated, _LENGTH_SECONDS)


def shown(name: str, start: float, end: float) -> str:
    """A place in a file, for an account."""
    return f"{name} [{start:g}, {end:g}]"
