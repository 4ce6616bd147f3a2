"""Whether a camera's events depend on its neighbours: alone, and beside seven whose processes are killed.

    python -m cmsn_benchmarks.live.isolation [--others 7] [--seconds 60] [--bundle demo] [--json OUT]

All cameras play rendered clips at their own speed. Every half second the capture process of another neighbour is ended
by SIGKILL, and its camera begins again; every fourth time a camera is restarted instead. The events of the first camera
are compared byte by byte, as JSON lines, without what belongs to the run: the time of day.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from cmsn_benchmarks.device.processes import children
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.capture.capture import Capture
from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.events import StreamEvent
from cmsn_runtime.live.fleet import Fleet
from cmsn_runtime.live.settings import CameraSettings, FleetSettings
from cmsn_runtime.secrets import Address
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.fields import event_fields
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

_WATCHED = "watched"
_RUN_ONLY = ("wall", "start_wall", "end_wall")
_KILL_SECONDS = 0.5
_PATIENCE = 60.0  # starting so many processes may overload a machine, which is not what is measured here


@dataclass(frozen=True, slots=True)
class Found:
    """lines: events of the watched camera. killed: processes of its neighbours; added: cameras that began again."""

    lines: tuple[str, ...]
    killed: int = 0
    added: int = 0


class _Lines(Sink):
    """Keeps the events of each camera as JSON lines."""

    def __init__(self) -> None:
        self.lines: dict[str, list[str]] = {}

    def event(self, source: str, event: StreamEvent) -> None:
        fields = {name: value for name, value in event_fields(source, event).items() if name not in _RUN_ONLY}
        self.lines.setdefault(source, []).append(json.dumps(fields))


def play(bundle: Bundle, clips: Sequence[Path]) -> Found:
    """Play clips as cameras, the first of which is watched, until it has ended; its neighbours are killed meanwhile."""
    lines = _Lines()
    fleet = Fleet(bundle, Outlets([lines]), FleetSettings(lag_seconds=_PATIENCE), run="RUN", capture=Capture)
    running = threading.Thread(target=fleet.run, daemon=True)
    before = set(children())
    fleet.add(_camera(_WATCHED, clips[0]))
    running.start()
    while not (watched := set(children()) - before):
        time.sleep(0.01)
    neighbours = {f"neighbour-{number}": clip for number, clip in enumerate(clips[1:], start=1)}
    for name, clip in neighbours.items():
        fleet.add(_camera(name, clip))
    killed, added = _kill_until_ended(fleet, neighbours, spared=before | watched)
    fleet.stop()
    running.join()
    fleet.close()
    return Found(tuple(lines.lines[_WATCHED]), killed, added)


def _kill_until_ended(fleet: Fleet, neighbours: Mapping[str, Path], *, spared: set[int]) -> tuple[int, int]:
    """End processes until the watched camera has ended; cameras that this has ended begin again."""
    killed = added = 0
    for turn in itertools.count():
        time.sleep(_KILL_SECONDS)
        ended = [status.name for status in fleet.statuses() if status.state == "ended"]
        if _WATCHED in ended:
            return killed, added
        for name in ended:
            fleet.remove(name)
            fleet.add(_camera(name, neighbours[name]))
            added += 1
        victims = sorted(set(children()) - spared)
        if neighbours and turn % 4 == 3:
            fleet.restart([*neighbours][turn // 4 % len(neighbours)])
        elif victims:
            with suppress(ProcessLookupError):
                os.kill(victims[turn % len(victims)], signal.SIGKILL)
                killed += 1
    return killed, added


def _camera(name: str, clip: Path) -> CameraSettings:
    capture = CaptureSettings(stall_seconds=_PATIENCE)
    return CameraSettings(name=name, address=Address(str(clip)), capture=capture, paced=True)


@click.command()
@click.option("--others", default=7, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=60.0, show_default=True, help="Length of the watched clip.")
@click.option("--bundle", "name", default="demo", show_default=True, help="A bundle's name or folder.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(others: int, seconds: float, name: str, output: Path | None) -> None:
    """Play the clip alone, then beside the others."""
    with tempfile.TemporaryDirectory() as temporary, open_bundle(name, threads=1) as bundle:
        render_streams(Path(temporary), RenderSettings(seconds=seconds, seed=31), streams=1 + others)
        clips = sorted(Path(temporary).glob("*.mp4"))
        alone, beside = play(bundle, clips[:1]), play(bundle, clips)
    report = {
        "neighbours": others,
        "processes_killed": beside.killed,
        "neighbours_begun_again": beside.added,
        "events": len(alone.lines),
        "identical": alone.lines == beside.lines,
    }
    click.echo(json.dumps(report, indent=1))
    if output is not None:
        output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if alone.lines != beside.lines:
        raise SystemExit("the events differ")


if __name__ == "__main__":
    main()
