"""How many cameras one machine takes: each by a capture process of its own, all on one model.

    python -m cmsn_benchmarks.live.cameras [ADDRESS] [--cameras 8] [--seconds 60] [--search] [--json OUT]

ADDRESS: what every camera plays, a file or a URL; by default a rendered clip of 25 frames per second, decoded once per
camera. --search: then more cameras, until one is overloaded or the 99th percentile of the lag exceeds half a second.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click

from cmsn_benchmarks.device.fleet_load import Load, measured, resize, running
from cmsn_benchmarks.run_facts import run_facts
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

_SETTLING_SECONDS = 5.0  # before counting: processes begin, and decoders join
_LAG_LIMIT = 0.5
_STEP = 1.25  # of the search


def load(bundle: Bundle, address: str, cameras: int, seconds: float) -> Load:
    """Run so many cameras for so long -> what it cost."""
    with running(bundle) as fleet:
        resize(fleet, cameras, address)
        time.sleep(_SETTLING_SECONDS)
        return measured(fleet, seconds)


def fits(found: Load) -> bool:
    """Whether nothing was left out, and nothing was late."""
    return not found.overloads and found.lag_p99 <= _LAG_LIMIT


@click.command()
@click.argument("address", required=False)
@click.option("--cameras", default=8, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=60.0, show_default=True, help="Measured, after everything has begun.")
@click.option("--search", is_flag=True, help="Find out how many fit.")
@click.option("--bundle", "name", default="demo", show_default=True, help="A bundle's name or folder.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(address: str | None, cameras: int, seconds: float, search: bool, name: str, output: Path | None) -> None:
    """Measure that many cameras, and search."""
    facts = run_facts()
    with ExitStack() as stack:
        if address is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            length = seconds * 2 + 60  # a file that ends would be no load
            render_streams(folder, RenderSettings(seconds=length, seed=17), streams=1)
            address = str(next(folder.glob("*.mp4")))
        bundle = stack.enter_context(open_bundle(name, threads=1))
        loads = [load(bundle, address, cameras, seconds)]
        click.echo(json.dumps(asdict(loads[-1])))
        while search and fits(loads[-1]):
            loads.append(load(bundle, address, max(loads[-1].cameras + 1, round(loads[-1].cameras * _STEP)), seconds))
            click.echo(json.dumps(asdict(loads[-1])))
    fitting = [each.cameras for each in loads if fits(each)]
    report = {**facts, "cores_of_machine": len(os.sched_getaffinity(0)), "loads": [asdict(each) for each in loads]}
    report["most_that_fit"] = max(fitting, default=0)
    click.echo(json.dumps(report, indent=1))
    if output is not None:
        output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
