"""`cmsn bench`: what a device does with a bundle, measured there."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from cmsn_benchmarks.commands.figure_options import FigureChoice, compare, figure_options, require_alone
from cmsn_benchmarks.commands.options import MeasureChoice, measure_options

if TYPE_CHECKING:
    from cmsn_benchmarks.device.figures import BenchReport


def _collect(figures: FigureChoice, so_far: list[BenchReport], report: BenchReport) -> None:
    so_far.append(report)
    figures.keep(report, finished=False)


@click.command(short_help="Measure a bundle on this machine.")
@click.argument("bundle", default="demo")
@measure_options
@figure_options
def bench(bundle: str, choice: MeasureChoice, figures: FigureChoice) -> None:
    """Measure BUNDLE, a folder or the name of one that comes with cmsn, on this machine.

    From frame to event and by its parts, one camera and several at once; how many live cameras keep up at their rate;
    time to the first result, memory, sensors, and how close the networks come to what the machine can do. Without
    torch. The machine should have nothing else to do. A backend that cannot be measured leaves the others as they are;
    the exit status is then 1.
    """
    if figures.compared is not None:
        require_alone("--compare", "compared")
        compare(figures.compared)
        return
    limits = figures.limits()
    if figures.earlier is not None:
        from cmsn_benchmarks.device.report_file import read_report

        require_alone("--from", "earlier", "plot", "fail_over", "fail_under")
        figures.require_places()
        figures.show(read_report(figures.earlier), limits)
        return
    from cmsn_benchmarks.commands.planning import plan
    from cmsn_benchmarks.device.limits import require_backends
    from cmsn_benchmarks.device.running import run_bench

    require_backends(limits, choice.backend)
    figures.require_places()
    run = plan(bundle, choice, command=shlex.join(["cmsn", *sys.argv[1:]]))
    so_far: list[BenchReport] = []
    try:
        report = run_bench(run, partial(_collect, figures, so_far))
    except BaseException:  # a signal, for instance: what was measured is not lost
        figures.show_stopped(so_far)
        raise
    figures.keep(report, finished=True)
    figures.show(report, limits)
    if any(backend.first_result is None for backend in report.backends):
        raise click.exceptions.Exit(1)
