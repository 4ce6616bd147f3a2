"""`cmsn bench`: what a device does with a bundle, measured there."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cmsn_benchmarks.commands.options import MeasureChoice, measure_options

if TYPE_CHECKING:
    from cmsn_benchmarks.device.figures import BenchReport


@click.command(short_help="Measure a bundle on this machine.")
@click.argument("bundle", default="demo")
@measure_options
@click.option("--json", "output", metavar="FILE", type=click.Path(path_type=Path), help="Write all figures here.")
def bench(bundle: str, choice: MeasureChoice, output: Path | None) -> None:
    """Measure BUNDLE, a folder or the name of one that comes with cmsn, on this machine.

    From frame to event and by its parts, one camera and several at once; how many live cameras keep up at their rate;
    time to the first result, memory, sensors, and how close the networks come to what the machine can do. Without
    torch. The machine should have nothing else to do.
    """
    from cmsn_benchmarks.commands.planning import plan
    from cmsn_benchmarks.device.report_file import report_text, write_report
    from cmsn_benchmarks.device.running import run_bench

    def keep(report: BenchReport) -> None:
        if output is not None:
            write_report(output, report)

    report = run_bench(plan(bundle, choice, command=shlex.join(["cmsn", *sys.argv[1:]])), keep)
    if output is None:
        click.echo(report_text(report))
