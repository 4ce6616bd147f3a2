"""Chooses the camera to cut where the machine is too slow for all of them.

Leaving out single frames would save no work: every tick of the model's clock is computed, from the newest frame.
"""

from __future__ import annotations

from collections.abc import Sequence

from cmsn_runtime.live.camera import LiveCamera


def relieve(cameras: Sequence[LiveCamera], *, limit: float) -> None:
    """Where a camera lags by more than `limit` seconds, cut one; one at a time, which may be enough for the others.

    Of those that lag by more than half the limit, it is the one whose last cut is longest ago: where all lag alike, all
    are cut in turn, and a camera with many frames does not cost the others theirs.
    """
    lags = {camera: camera.lag for camera in cameras}
    if max(lags.values(), default=0.0) > limit:
        late = [camera for camera, lag in lags.items() if lag > limit / 2]
        min(late, key=lambda camera: (camera.last_cut, -lags[camera])).cut()
