"""How many cameras one machine takes: each by a capture process of its own, all on one model.

    python -m cmsn_benchmarks.live.cameras [ADDRESS] [--cameras 8] [--seconds 60] [--search] [--json OUT]

ADDRESS: what every camera plays, a file or a URL; by default a rendered clip of 25 frames per second, decoded once per
camera. --search: then more cameras, until one is overloaded or the 99th percentile of the lag exceeds half a second.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from cmsn_benchmarks.device.processes import children, cpu_seconds, megabytes
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.capture.capture import Capture
from cmsn_runtime.live.fleet import Fleet
from cmsn_runtime.live.settings import CameraSettings
from cmsn_runtime.live.status import LAG_BOUNDS, CameraStatus
from cmsn_runtime.secrets import Address
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_runtime.sources.order import has_no_end
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

_SETTLING_SECONDS = 5.0  # before counting: processes begin, and decoders join
_LAG_LIMIT = 0.5
_STEP = 1.25  # of the search


@dataclass(frozen=True, slots=True)
class Load:
    """What so many cameras cost. cores: CPU seconds per second of all processes, and of this one alone.

    lag_p50, lag_p99: upper bounds in seconds (see LAG_BOUNDS) from a frame's arrival until it was processed.
    megabytes: resident memory of this process; of each capture process, its proportional share.
    """

    cameras: int
    frames_per_second: float
    overloads: int
    lag_p50: float
    lag_p99: float
    cores: float
    cores_of_model: float
    megabytes: float
    megabytes_per_capture: float

    @property
    def fits(self) -> bool:
        """Whether nothing was left out, and nothing was late."""
        return not self.overloads and self.lag_p99 <= _LAG_LIMIT


def load(bundle: Bundle, address: str, cameras: int, seconds: float) -> Load:
    """Run so many cameras for so long -> what it cost."""
    with running(bundle) as fleet:
        for number in range(cameras):
            fleet.add(camera(f"camera-{number}", address))
        wait_for_frames(fleet)
        time.sleep(_SETTLING_SECONDS)
        return measured(fleet, seconds)


def camera(name: str, address: str) -> CameraSettings:
    """A camera that plays a URL, or a file at its own speed."""
    return CameraSettings(name=name, address=Address(address), paced=not has_no_end(address))


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


def wait_for_frames(fleet: Fleet) -> None:
    """Return once every camera has delivered."""
    while not all(status.frames for status in fleet.statuses()):
        time.sleep(0.1)


def measured(fleet: Fleet, seconds: float) -> Load:
    """What the cameras of a running fleet cost, for so long; none is added or removed meanwhile."""
    before, spent, begin = fleet.statuses(), _cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    after, used, passed = fleet.statuses(), _cpu_seconds(), time.monotonic() - begin
    captures = [megabytes(process, shared=True) for process in children()]
    lags = _difference(after, before)
    frames = sum(status.frames for status in after) - sum(status.frames for status in before)
    model, cameras = os.getpid(), len(after)
    return Load(
        cameras=cameras,
        frames_per_second=round(frames / passed / cameras, 2),
        overloads=sum(status.overloads for status in after),
        lag_p50=_bound(lags, 0.5),
        lag_p99=_bound(lags, 0.99),
        cores=round(sum(used.get(each, 0) - spent.get(each, 0) for each in used) / passed, 4),
        cores_of_model=round((used[model] - spent[model]) / passed, 4),
        megabytes=round(megabytes(model), 1),
        megabytes_per_capture=round(sum(captures) / len(captures), 1),
    )


def _difference(after: Sequence[CameraStatus], before: Sequence[CameraStatus]) -> list[int]:
    """How many frames were processed within each of LAG_BOUNDS, over all cameras."""
    total = [sum(counts) for counts in zip(*(status.lags for status in after), strict=True)]
    earlier = [sum(counts) for counts in zip(*(status.lags for status in before), strict=True)]
    return [now - then for now, then in zip(total, earlier, strict=True)]


def _bound(counts: Sequence[int], share: float) -> float:
    """The bound within which that share of all frames was processed."""
    seen = 0
    for bound, count in zip((*LAG_BOUNDS, float("inf")), counts, strict=True):
        seen += count
        if seen >= share * sum(counts):
            return bound
    return float("inf")


def _cpu_seconds() -> dict[int, float]:
    """Of this process and its children."""
    return {process: cpu_seconds(process) for process in (os.getpid(), *children())}


@click.command()
@click.argument("address", required=False)
@click.option("--cameras", default=8, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=60.0, show_default=True, help="Measured, after everything has begun.")
@click.option("--search", is_flag=True, help="Find out how many fit.")
@click.option("--bundle", "name", default="demo", show_default=True, help="A bundle's name or folder.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(address: str | None, cameras: int, seconds: float, search: bool, name: str, output: Path | None) -> None:
    """Measure that many cameras, and search."""
    with ExitStack() as stack:
        if address is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            length = seconds * 2 + 60  # a file that ends would be no load
            render_streams(folder, RenderSettings(seconds=length, seed=17), streams=1)
            address = str(next(folder.glob("*.mp4")))
        bundle = stack.enter_context(open_bundle(name, threads=1))
        loads = [load(bundle, address, cameras, seconds)]
        click.echo(json.dumps(asdict(loads[-1])))
        while search and loads[-1].fits:
            loads.append(load(bundle, address, round(loads[-1].cameras * _STEP), seconds))
            click.echo(json.dumps(asdict(loads[-1])))
    fitting = [each.cameras for each in loads if each.fits]
    report = {"cores_of_machine": len(os.sched_getaffinity(0)), "loads": [asdict(each) for each in loads]}
    report["most_that_fit"] = max(fitting, default=0)
    click.echo(json.dumps(report, indent=1))
    if output is not None:
        output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
