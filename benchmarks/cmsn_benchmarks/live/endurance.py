"""Whether anything grows or drifts in hours of a camera's time, which are passed through as fast as they are computed.

    python -m cmsn_benchmarks.live.endurance [--minutes 60] [--cameras 1] [--bundle demo] [--json OUT]

A rendered clip is repeated without end, its frames at exact times; the fleet, its outputs behind threads of their own,
and everything behind it are those of `cmsn serve`. Reports resident memory after minute 5 and at the end, and the
largest difference between the time of a frame and number / rate.
"""

from __future__ import annotations

import gc
import json
import os
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import click
import numpy as np

from cmsn_benchmarks.device.processes import megabytes
from cmsn_benchmarks.live.repeated import Repeated
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.live.fleet import Fleet
from cmsn_runtime.live.settings import CameraSettings, FleetSettings
from cmsn_runtime.secrets import Address
from cmsn_runtime.sinks.csv_file import CsvSink
from cmsn_runtime.sinks.jsonl import JsonLinesSink
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_runtime.sinks.threaded import ThreadedSink
from cmsn_runtime.sources.opening import open_source
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

_RATE = Fraction(25)
_WARM_MINUTES = 5.0
_NO_LIMIT = 1e9  # of the lag: everything arrives at once


@click.command()
@click.option("--minutes", default=60.0, show_default=True, type=click.FloatRange(min=6))
@click.option("--cameras", default=1, show_default=True, type=click.IntRange(1))
@click.option("--bundle", "name", default="demo", show_default=True, help="A bundle's name or folder.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(minutes: float, cameras: int, name: str, output: Path | None) -> None:
    """Pass the time, and look at the memory on the way."""
    with tempfile.TemporaryDirectory() as temporary, open_bundle(name, threads=1) as bundle:
        folder = Path(temporary)
        pictures = _pictures(folder, bundle.preprocessing.resize)
        captures = Repeated(pictures, _RATE, total=int(minutes * 60 * _RATE))
        sinks = [ThreadedSink(JsonLinesSink(folder / "events.jsonl")), ThreadedSink(CsvSink(folder / "found.csv"))]
        with Outlets(sinks) as outlets:
            fleet = Fleet(bundle, outlets, FleetSettings(lag_seconds=_NO_LIMIT), capture=captures)
            captures.fleet = fleet
            for number in range(cameras):
                fleet.add(CameraSettings(name=f"camera-{number}", address=Address("repeated")))
            notes: list[tuple[float, float]] = []
            ended = threading.Event()
            watch = threading.Thread(target=_watch, args=(fleet, notes, ended))
            watch.start()
            begin = time.monotonic()
            fleet.run(until_ended=True)
            ended.set()
            watch.join()
            statuses = fleet.statuses()
        events = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    early = next(memory for minute, memory in notes if minute >= _WARM_MINUTES)
    late = notes[-1][1]
    expected = float((captures.total - 1) / _RATE)
    report = {
        "minutes_of_stream_time": minutes,
        "cameras": cameras,
        "seconds_it_took": round(time.monotonic() - begin, 1),
        "events": len(events),
        "megabytes_after_minute_5": round(early, 1),
        "megabytes_at_the_end": round(late, 1),
        "growth": round(late / early - 1, 4),
        "clock_error_seconds": max(abs((status.seconds or 0.0) - expected) for status in statuses),
        "frames_missing": sum(captures.total - status.frames for status in statuses),
    }
    click.echo(json.dumps(report, indent=1))
    if output is not None:
        output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _pictures(folder: Path, size: tuple[int, int]) -> list[np.ndarray]:
    """A rendered minute at the model's size: uint8 [height, width, 3] each."""
    from cmsn_runtime.pictures.fitting import Scaler

    render_streams(folder, RenderSettings(seconds=60, seed=23), streams=1)
    scale = Scaler(size)
    with open_source(next(folder.glob("*.mp4"))) as source:
        return [scale(frame) for frame in source]


def _watch(fleet: Fleet, notes: list[tuple[float, float]], ended: threading.Event) -> None:
    """Note minutes of stream time and resident memory, until the end."""
    while not ended.wait(0.5):
        minutes = min((status.seconds or 0.0 for status in fleet.statuses()), default=0.0) / 60
        gc.collect()
        notes.append((minutes, megabytes(os.getpid())))


if __name__ == "__main__":
    main()
