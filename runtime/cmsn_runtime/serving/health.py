"""Whether the process works: its cameras may be lost, but what arrives is processed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from cmsn_runtime.live.status import CameraStatus
from cmsn_runtime.secrets import scrubbed


def camera_fields(camera: CameraStatus) -> dict[str, object]:
    """The state of a camera, for JSON; its reason may repeat what a camera has said."""
    return {**asdict(camera), "reason": scrubbed(camera.reason)}


@dataclass(frozen=True, slots=True)
class Health:
    """fault: why the process should be restarted, in a few words; empty where it works. cameras: as they are."""

    fault: str
    cameras: Sequence[CameraStatus]

    @property
    def ok(self) -> bool:
        return not self.fault

    def fields(self) -> dict[str, object]:
        """All of it, for JSON."""
        return {
            "ok": self.ok,
            "fault": self.fault,
            "cameras": {each.name: camera_fields(each) for each in self.cameras},
        }


def judged(cameras: Sequence[CameraStatus], silent_seconds: float, *, limit: float) -> Health:
    """The health by the newest states of the cameras.

    silent_seconds: since the fleet looked after them last. limit: seconds; far beyond the lag at which a camera is cut.
    """
    if silent_seconds > limit:
        return Health(f"the cameras have not been looked after for {silent_seconds:.0f} s", cameras)
    stuck = [each.name for each in cameras if each.waiting and each.lag_seconds > limit]
    if stuck:
        return Health(f"frames of {len(stuck)} cameras wait for more than {limit:.0f} s", cameras)
    return Health("", cameras)
