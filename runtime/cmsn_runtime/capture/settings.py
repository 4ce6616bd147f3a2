"""How a camera is captured, and when it counts as lost."""

from __future__ import annotations

from dataclasses import dataclass

from cmsn_runtime.checking import require


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSettings:
    """Limits of one camera's capture.

    stall_seconds: without a frame, after which the camera is lost and its connection is opened again; also the limit
        for opening it. first_retry_seconds, last_retry_seconds: waits between attempts, doubled each time up to the
        last, each shortened at random by up to a quarter, so that cameras behind one switch do not all return at once.
    loop: begin a file that is played as a camera again at its end, as often as it takes; its clock goes on.
    picture_width: pixels of the pictures for people, at most; pictures_per_second: how many of them.
    """

    stall_seconds: float = 5.0
    first_retry_seconds: float = 0.5
    last_retry_seconds: float = 30.0
    loop: bool = False
    picture_width: int = 480
    pictures_per_second: float = 5.0

    def __post_init__(self) -> None:
        require(self.stall_seconds > 0, "stall_seconds", self.stall_seconds, "above 0")
        require(self.first_retry_seconds > 0, "first_retry_seconds", self.first_retry_seconds, "above 0")
        require(
            self.last_retry_seconds >= self.first_retry_seconds,
            "last_retry_seconds",
            self.last_retry_seconds,
            "at least first_retry_seconds",
        )
        require(16 <= self.picture_width <= 8192, "picture_width", self.picture_width, "from 16 to 8192")
        require(0 < self.pictures_per_second <= 60, "pictures_per_second", self.pictures_per_second, "from 0 to 60")
