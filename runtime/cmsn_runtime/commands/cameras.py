"""Cameras of `cmsn run`: all at the same time, until a signal or their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cmsn_runtime.bundle import Bundle
    from cmsn_runtime.commands.options.model import ModelChoice
    from cmsn_runtime.live.settings import CameraSettings
    from cmsn_runtime.live.status import CameraStatus
    from cmsn_runtime.sinks.base import Sink
    from cmsn_runtime.sinks.outlets import Outlets

_DRAIN_SECONDS = 20.0  # for outputs that write everything at the end: a picture, all results


def threaded(sinks: Sequence[Sink]) -> list[Sink]:
    """Each sink in a thread of its own: one that blocks must not hold up the cameras."""
    from cmsn_runtime.sinks.threaded import ThreadedSink, ThreadLimits

    return [ThreadedSink(sink, ThreadLimits(drain_seconds=_DRAIN_SECONDS)) for sink in sinks]


def report_failure(name: str, error: Exception) -> None:
    """Report an error of the networks that ended a camera's segment; see Fleet."""
    from cmsn_runtime.reporting import report

    report(f"{name}: {error}; a new segment begins", kind="warning")


def run_cameras(
    bundle: Bundle, cameras: Sequence[CameraSettings], model: ModelChoice, outlets: Outlets, run_id: str
) -> bool:
    """Run cameras together until each has ended -> whether none of them failed; failures are reported in one line each.

    Raises Stopped and NoOutputLeftError as run_source does, after everything under way was settled.
    """
    from cmsn_runtime.capture.capture import Capture
    from cmsn_runtime.live.fleet import Fleet
    from cmsn_runtime.live.settings import FleetSettings
    from cmsn_runtime.reporting import report
    from cmsn_runtime.stopping import Stopped

    settings = FleetSettings(hop_steps=model.hop_steps, chunk_frames=model.chunk_frames)
    with Fleet(bundle, outlets, settings, run=run_id, on_failure=report_failure, capture=Capture) as fleet:
        for camera in cameras:
            fleet.add(camera)
        try:
            fleet.run(until_ended=True)
        except Stopped as stopped:
            stopped.note = f"{_place(fleet.statuses())}; what was found until then is kept"
            raise
        for name, reason in fleet.faults:
            report(f"{name}: {reason}")
        return not fleet.faults


def _place(statuses: Sequence[CameraStatus]) -> str:
    """How far a single camera has got; each of several is at a time of its own."""
    if len(statuses) != 1:
        return ""
    (status,) = statuses
    where = "before the first frame" if status.seconds is None else f"at {status.seconds:.2f} s"
    return f" {where} of {status.name}"
