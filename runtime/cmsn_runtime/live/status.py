"""The state of one live camera, for metrics, health and the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CameraState = Literal["opening", "running", "lost", "ended"]

LAG_BOUNDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds, upper bounds of CameraStatus.lags


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """Of one moment. Counts are since the start; a camera that was removed and added again counts anew.

    state: `opening` until its first frame, `running`, `lost` while there is no connection, `ended`: it will not
    come back by itself. reason: of a loss. since: POSIX time of the newest change of state.
    frames: processed. waiting: arrived and not processed yet; lag_seconds: how long the oldest of these has waited.
    lags: of the processed frames, how many were processed within each of LAG_BOUNDS after their arrival and not within
    the one before; the last count is that of all others. lag_sum: of all of them, in seconds.
    left_out: frames that overload cut off. losses, returns, gaps, overloads: notices of these kinds.
    seconds: newest time of its own clock; None before its first frame. clock: origin of its time of day.
    frames_per_second: that arrived in the last seconds.
    """

    name: str
    state: CameraState
    reason: str
    since: float
    frames: int
    waiting: int
    lag_seconds: float
    lags: tuple[int, ...]
    lag_sum: float
    left_out: int
    losses: int
    returns: int
    gaps: int
    overloads: int
    seconds: float | None
    clock: str | None
    frames_per_second: float
