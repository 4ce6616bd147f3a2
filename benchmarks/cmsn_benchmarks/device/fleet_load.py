"""A fleet of live cameras as a load: so many of them, each captured by a process of its own, and what they cost."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cmsn_benchmarks.device.processes import children, cpu_seconds, megabytes
from cmsn_benchmarks.device.tegrastats_process import PROGRAM
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.capture.capture import Capture
from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.errors import SourceError
from cmsn_runtime.live.fleet import Fleet
from cmsn_runtime.live.settings import CameraSettings
from cmsn_runtime.live.status import LAG_BOUNDS, CameraStatus
from cmsn_runtime.secrets import Address
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_runtime.sources.order import has_no_end

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Load:
    """What so many cameras cost. cores: CPU seconds per second of all processes, and of this one alone.

    left_out: frames that were cut off. lag_p50, lag_p99: upper bounds in seconds (see LAG_BOUNDS) from a frame's
    arrival until it was processed. megabytes: resident memory of this process; of each capture process, its
    proportional share.
    """

    cameras: int
    frames_per_second: float
    overloads: int
    left_out: int
    lag_p50: float
    lag_p99: float
    cores: float
    cores_of_model: float
    megabytes: float
    megabytes_per_capture: float


def camera(name: str, address: str) -> CameraSettings:
    """A camera that plays a URL, or a file at its own speed, again and again."""
    capture = CaptureSettings(loop=True)
    return CameraSettings(name=name, address=Address(address), capture=capture, paced=not has_no_end(address))


@contextmanager
def running(bundle: Bundle) -> Iterator[Fleet]:
    """A fleet whose cameras are captured by processes of their own, run by a thread."""
    fleet = Fleet(bundle, Outlets([]), capture=Capture)
    thread = threading.Thread(target=fleet.run, daemon=True)
    thread.start()
    try:
        yield fleet
    finally:
        fleet.stop()
        thread.join()
        fleet.close()


def resize(fleet: Fleet, count: int, address: str, *, patience: float = 60.0) -> None:
    """Add or remove cameras until there are so many, and wait until all deliver.

    Raises SourceError where one ends, or delivers nothing for so many seconds.
    """
    there = len(fleet.statuses())
    for number in range(there, count):
        fleet.add(camera(f"camera-{number}", address))
    for number in range(count, there):
        fleet.remove(f"camera-{number}")
    until = time.monotonic() + patience
    while len(fleet.statuses()) != count or not all(status.frames for status in fleet.statuses()):
        if fleet.faults:
            raise SourceError(fleet.faults[0][1])
        if time.monotonic() > until:
            raise SourceError(f"{count} cameras did not all begin within {patience:.0f} s; measure with fewer")
        time.sleep(_LOOK_SECONDS)


def measured(fleet: Fleet, seconds: float) -> Load:
    """What the cameras of a running fleet cost, for so long; none is added or removed meanwhile."""
    before, spent, begin = fleet.statuses(), _cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    after, used, passed = fleet.statuses(), _cpu_seconds(), time.monotonic() - begin
    captures = [megabytes(process, shared=True) for process in children(but=PROGRAM)]
    lags = _difference(after, before)
    frames = sum(status.frames for status in after) - sum(status.frames for status in before)
    model, cameras = os.getpid(), len(after)
    return Load(
        cameras=cameras,
        frames_per_second=round(frames / passed / cameras, 2),
        overloads=sum(status.overloads for status in after) - sum(status.overloads for status in before),
        left_out=sum(status.left_out for status in after) - sum(status.left_out for status in before),
        lag_p50=lag_within(lags, 0.5),
        lag_p99=lag_within(lags, 0.99),
        cores=round(sum(used.get(each, 0) - spent.get(each, 0) for each in used) / passed, 4),
        cores_of_model=round((used[model] - spent[model]) / passed, 4),
        megabytes=round(megabytes(model), 1),
        megabytes_per_capture=round(sum(captures) / len(captures), 1),
    )


def lag_within(counts: Sequence[int], share: float) -> float:
    """The bound of LAG_BOUNDS within which that share of all frames was processed; infinity beyond the last."""
    seen = 0
    for bound, count in zip((*LAG_BOUNDS, float("inf")), counts, strict=True):
        seen += count
        if seen >= share * sum(counts):
            return bound
    return float("inf")


def _difference(after: Sequence[CameraStatus], before: Sequence[CameraStatus]) -> list[int]:
    """How many frames were processed within each of LAG_BOUNDS, over all cameras."""
    total = [sum(counts) for counts in zip(*(status.lags for status in after), strict=True)]
    earlier = [sum(counts) for counts in zip(*(status.lags for status in before), strict=True)]
    return [now - then for now, then in zip(total, earlier, strict=True)]


def _cpu_seconds() -> dict[int, float]:
    """Of this process and its children, but for the one that reads sensors."""
    return {process: cpu_seconds(process) for process in (os.getpid(), *children(but=PROGRAM))}
