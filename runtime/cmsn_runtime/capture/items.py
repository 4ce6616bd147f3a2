"""What a camera delivers: frames, pictures for people, compressed packets, and the state of its connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from cmsn_runtime.events import WallClock
from cmsn_runtime.pictures.frame import Frame


@dataclass(frozen=True, slots=True)
class Codec:
    """What is needed to write packets of a session into a file, without decoding them.

    name: FFmpeg's name of the codec. extradata: its global headers, may be empty. time_base: seconds per tick of PTS
    and DTS. session: number of the connection, from 1.
    """

    name: str
    width: int
    height: int
    pixel_format: str
    extradata: bytes
    time_base: Fraction
    session: int


@dataclass(frozen=True, slots=True)
class CapturedPacket:
    """A compressed frame, as it came.

    seconds: time of its frame on the camera's clock, as frames have it; None where its frame has none. key: decoding
    can begin here. arrived: time.monotonic().
    """

    data: bytes
    pts: int | None
    dts: int | None
    duration: int
    key: bool
    seconds: Fraction | None
    codec: Codec
    arrived: float


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """A frame at the model's size, its time on the camera's clock.

    The camera's clock is that of its first session; later ones are joined to it by their arrival, with `discontinuity`
    at their first frame. arrived: time.monotonic() when it was decoded. clock: the time of day of the camera's clock.
    """

    frame: Frame
    arrived: float
    clock: WallClock


@dataclass(frozen=True, slots=True)
class CapturedPicture:
    """A picture for people: its pixels are decompressed on first access (see pictures.compressed)."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class SourceLost:
    """No frames: the connection is gone, stalled, or was not made. reason: without secrets. arrived: time.monotonic().

    retry_seconds: until the next attempt. Once per outage, not for each attempt.
    """

    reason: str
    arrived: float
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class SourceBack:
    """The first frame after a loss follows. lost_seconds: length of the outage. arrived: time.monotonic()."""

    lost_seconds: float
    arrived: float


@dataclass(frozen=True, slots=True)
class SourceEnded:
    """A source that has an end (a file played as a camera) has reached it, or can never be used.

    reason: of a fault; empty for its end.
    """

    reason: str = ""


CaptureItem: TypeAlias = CapturedFrame | CapturedPicture | CapturedPacket | SourceLost | SourceBack | SourceEnded
Deliver: TypeAlias = Callable[[CaptureItem], None]
