"""A camera whose server is killed again and again, and one without timestamps against the wall clock.

    python -m cmsn_benchmarks.live.outages [--kills 20] [--reopenings 101] [--json OUT]

Shows that each outage is told once and each return once, and that descriptors,
threads, processes and memory are as before. Ends with status 1 where anything of this fails.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from cmsn_benchmarks.device.processes import children
from cmsn_benchmarks.live.servers import ChaosProxy, RtspServer, endless, jpegs, serving_mjpeg
from cmsn_runtime.capture.capture import Capture
from cmsn_runtime.capture.items import CapturedFrame, CaptureItem, SourceBack, SourceLost
from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.secrets import Secret
from cmsn_runtime.sources.options import SourceOptions
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

_SETTINGS = CaptureSettings(stall_seconds=10.0, first_retry_seconds=0.1, last_retry_seconds=1.0)
_PATIENCE = 60.0  # seconds for anything to happen
_MJPEG_SECONDS, _MJPEG_RATE = 20.0, 10


class Counted:
    """Counts what a capture delivers."""

    def __init__(self) -> None:
        self.lost = self.back = self.frames = 0
        self.first: CapturedFrame | None = None
        self.last: CapturedFrame | None = None
        self.decreasing = 0
        self._changed = threading.Condition()

    def deliver(self, item: CaptureItem) -> None:
        with self._changed:
            self.lost += isinstance(item, SourceLost)
            self.back += isinstance(item, SourceBack)
            if isinstance(item, CapturedFrame):
                self.frames += 1
                self.decreasing += self.last is not None and item.frame.seconds <= self.last.frame.seconds
                self.first, self.last = self.first or item, item
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, _PATIENCE):
                raise SystemExit(f"nothing came for {_PATIENCE:g} s: {self.lost} losses, {self.back} returns")

    def wait_for_frames(self, more: int) -> None:
        wanted = self.frames + more
        self.wait(lambda: self.frames >= wanted)


def _capture(address: str, counted: Counted) -> Capture:
    return Capture(
        Secret(address),
        name="yard",
        size=(48, 64),
        deliver=counted.deliver,
        options=SourceOptions(),
        settings=_SETTINGS,
        pictures=True,
        packets=True,
    )


def _state() -> dict[str, int]:
    """What must not grow."""
    gc.collect()
    status = Path("/proc/self/status").read_text().splitlines()
    return {
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "threads": threading.active_count(),
        "children": len(children()),
        "kilobytes": next(int(line.split()[1]) for line in status if line.startswith("VmRSS")),
    }


def _outages(address: str, count: int, fault: Callable[[], None]) -> dict[str, object]:
    """Break a connection so often, wait for its return each time."""
    counted = Counted()
    with _capture(address, counted):
        counted.wait_for_frames(25)
        before = _state()
        for number in range(1, count + 1):
            fault()
            counted.wait(lambda wanted=number: counted.lost >= wanted)  # type: ignore[misc]
            counted.wait(lambda wanted=number: counted.back >= wanted)  # type: ignore[misc]
            counted.wait_for_frames(10)
        after = _state()
    return {
        "count": count,
        "lost": counted.lost,
        "back": counted.back,
        "times_that_decrease": counted.decreasing,
        "before": before,
        "after": after,
        "closed": _state(),
    }


def _mjpeg() -> dict[str, float]:
    """Stream time against the wall clock of a camera that sends no time."""
    grain = np.random.default_rng(0).integers(0, 255, (10, 480, 640, 3)).astype(np.uint8)
    counted = Counted()
    with serving_mjpeg(jpegs(list(grain)), fps=_MJPEG_RATE) as address, _capture(address, counted):
        counted.wait_for_frames(1)
        begin = time.monotonic()
        while time.monotonic() - begin < _MJPEG_SECONDS:
            counted.wait_for_frames(1)
    assert counted.first is not None and counted.last is not None
    stream = float(counted.last.frame.seconds - counted.first.frame.seconds)
    wall = counted.last.arrived - counted.first.arrived
    return {"frames": counted.frames, "stream_seconds": stream, "wall_seconds": wall, "ratio": stream / wall}


def _faults(report: dict[str, dict[str, object]]) -> list[str]:
    found = []
    for name in ("kills", "reopenings"):
        part = report[name]
        if not part["lost"] == part["back"] == part["count"]:
            found.append(f"{name}: {part['lost']} losses and {part['back']} returns of {part['count']}")
        before, after = part["before"], part["after"]
        assert isinstance(before, dict) and isinstance(after, dict)
        found += [
            f"{name}: {key} {before[key]} became {after[key]}" for key in before if after[key] > 1.05 * before[key]
        ]
    ratio = report["mjpeg"]["ratio"]
    assert isinstance(ratio, float)
    return found + ([] if abs(ratio - 1) < 0.02 else [f"mjpeg: {ratio:.3f} of the wall clock"])


@click.command()
@click.option("--kills", default=20, show_default=True, help="Times that the server is killed.")
@click.option("--reopenings", default=101, show_default=True, help="Times that its connections are broken.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(kills: int, reopenings: int, output: Path | None) -> None:
    """Break connections, count, compare."""
    report: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        render_streams(Path(folder), RenderSettings(seconds=20.0, seed=11), streams=1)
        with (
            RtspServer({"yard": endless(next(Path(folder).glob("*.mp4")))}) as server,
            ChaosProxy(server.port) as proxy,
        ):
            report["kills"] = _outages(server.url("yard"), kills, server.restart)
            report["reopenings"] = _outages(server.url("yard", port=proxy.port), reopenings, proxy.reset)
    report["mjpeg"] = {**_mjpeg()}
    click.echo(json.dumps(report, indent=2))
    if output is not None:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    faults = _faults(report)
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
